import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { whyNoEngine } from '../containers/engine.js';
import { DebianMachine } from './debian-machine.js';

const describeWithEngine = whyNoEngine() ? describe.skip : describe;
/** Copying and building take that long on a busy machine, in milliseconds. */
const installMilliseconds = 240_000;

/** Run by Node in the clone with the AWS SDK there: what a client does. Prints what was decrypted. */
const client = `
  import { KMS } from '@aws-sdk/client-kms';
  const kms = new KMS({ endpoint: process.env.ENDPOINT, region: 'us-east-1', maxAttempts: 1 });
  const [ciphertext] = process.argv.slice(1);
  let CiphertextBlob = ciphertext && Buffer.from(ciphertext, 'base64');
  if (!CiphertextBlob) {
    const { KeyMetadata } = await kms.createKey({});
    ({ CiphertextBlob } = await kms.encrypt({ KeyId: KeyMetadata.KeyId, Plaintext: Buffer.from('kept') }));
    console.log(Buffer.from(CiphertextBlob).toString('base64'));
  }
  const { Plaintext } = await kms.decrypt({ CiphertextBlob });
  console.log(Buffer.from(Plaintext).toString());
`;

describeWithEngine('a Debian machine with systemd', () => {
  let machine: DebianMachine;
  let ciphertext: string;
  let first: string;
  beforeAll(async () => {
    machine = await DebianMachine.boot();
  }, installMilliseconds);
  afterAll(() => machine?.remove());

  const install = (options = '') => machine.sh(`scripts/install ${options} 2>&1`);
  const current = () => machine.sh('readlink /opt/hsm-kms/current');

  /** What a client prints that uses the installed service as its administrator. */
  function useAsClient(argument = '', environment = 'ENDPOINT=http://127.0.0.1:8080'): Promise<string> {
    return machine.sh(
      `AWS_SHARED_CREDENTIALS_FILE=/var/lib/hsm-kms/credentials ${environment} node --input-type=module --eval "$(cat <<'END'\n${client}\nEND\n)" ${argument}`,
    );
  }

  test(
    'is given a service that runs, confined, as a user of its own',
    async () => {
      const printed = await install();
      expect(printed).toMatch(/^== Building release 0\.1\.0-[0-9a-f]{8}$/m);
      expect(printed).toMatch(/^made a SoftHSM2 token in \/var\/lib\/hsm-kms\/tokens, with random PINs$/m);
      expect(printed).toMatch(/^It answers on http:\/\/127\.0\.0\.1:8080 and starts with the machine\./m);
      first = await current();
      expect(await machine.property('ActiveState')).toBe('active');
      expect(await machine.property('StatusText')).toBe('answering requests');
      expect(await machine.sh('systemctl is-enabled hsm-kms')).toBe('enabled');

      const status = await machine.sh(`cat /proc/${await machine.property('MainPID')}/status`);
      const user = await machine.sh('id -u hsm-kms');
      expect(status).toMatch(new RegExp(`^Uid:\\t${user}\\t${user}\\t${user}\\t${user}$`, 'm'));
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      expect(status).toMatch(/^Seccomp:\t2$/m);
      expect(
        await machine.sh('find /opt/hsm-kms /etc/hsm-kms -perm /o+w ! -type l; find /opt/hsm-kms ! -user root'),
      ).toBe('');

      [ciphertext = ''] = (await useAsClient()).split('\n');
      expect(await useAsClient(ciphertext)).toBe('kept');
    },
    installMilliseconds,
  );

  test('has the command hsm-kms, which root runs as the service', async () => {
    expect(await machine.sh('hsm-kms health')).toBe('http://127.0.0.1:8080/readyz answers: ready');
    expect(await machine.sh('hsm-kms config | grep dataDir')).toMatch(/^dataDir: \/var\/lib\/hsm-kms +# file$/);
    expect(await machine.sh('hsm-kms token describe | head -1')).toBe('label: hsm-kms');
    expect(
      await machine.sh('find /var/lib/hsm-kms ! -user hsm-kms; ls -d /run/hsm-kms-credentials.* 2>/dev/null || true'),
    ).toBe('');
    const asOther = await machine.run('setpriv --reuid=nobody --regid=nogroup --clear-groups hsm-kms config');
    expect(asOther.code).toBe(1);
    expect(asOther.stderr).toMatch(
      /^hsm-kms: only root and the group hsm-kms may read .+: type sudo before the command\.$/m,
    );
  });

  test(
    'is left as it is by a second installation',
    async () => {
      const before = await machine.property('MainPID');
      expect(await install()).toMatch(/^== Release .+ is there$/m);
      expect(await machine.property('MainPID')).toBe(before);
      expect(await current()).toBe(first);
    },
    installMilliseconds,
  );

  test('starts a service again that was killed, and reloads one', async () => {
    // sooner than the unit says, as nobody waits for a token here
    await machine.sh(`
      mkdir -p /etc/systemd/system/hsm-kms.service.d
      printf '[Service]\\nRestartSec=1\\n' >/etc/systemd/system/hsm-kms.service.d/restart.conf
      systemctl daemon-reload`);
    const killed = await machine.property('MainPID');
    await machine.sh(`systemctl reload hsm-kms && kill -KILL ${killed}`);
    await machine.sh(
      'for i in $(seq 300); do systemctl is-active --quiet hsm-kms && hsm-kms health && exit; sleep 0.1; done; exit 1',
    );
    expect(await machine.property('MainPID')).not.toBe(killed);
    expect(await useAsClient(ciphertext)).toBe('kept');
  });

  test(
    'is upgraded, and goes back as it was told',
    async () => {
      await machine.sh('sed -i \'s/"version": "0.1.0"/"version": "0.1.1"/\' package.json');
      const printed = await install();
      expect(printed).toMatch(/^== Building release 0\.1\.1-/m);
      expect(printed).toMatch(/^== Copying the database to \/var\/lib\/hsm-kms\/backups\/\w+-0\.1\.0-\w+\.db$/m);
      expect(await current()).toMatch(/\/0\.1\.1-/);
      expect(await machine.sh('hsm-kms --version')).toBe('0.1.1');
      expect(await machine.sh('readlink /opt/hsm-kms/previous')).toBe(first);
      expect(await useAsClient(ciphertext)).toBe('kept');
      const [, backup] = /^== Copying the database to (.+)$/m.exec(printed) as RegExpExecArray;
      expect(await machine.sh(`stat --format='%U %a' ${backup}`)).toBe('hsm-kms 600');

      // every line that it printed to go back, the database too
      const back = printed.slice(printed.indexOf('To go back')).match(/^ {2}\S.+$/gm) as string[];
      expect(back).toHaveLength(5);
      await machine.sh([back[0], back[3], back[4], back[1], back[2]].join('\n'));
      expect(await machine.sh('hsm-kms --version')).toBe('0.1.0');
      expect(await useAsClient(ciphertext)).toBe('kept');
    },
    installMilliseconds,
  );

  test('serves TLS with a key that only root reads', async () => {
    await machine.sh(`
      cd /etc/hsm-kms/credentials
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=kms \
        -addext subjectAltName=IP:127.0.0.1 -keyout tls-key -out tls-certificate 2>&1
      chmod 0600 tls-key
      systemctl restart hsm-kms`);
    expect(await machine.sh('hsm-kms health')).toBe('https://127.0.0.1:8080/readyz answers: ready');
    const environment = 'ENDPOINT=https://127.0.0.1:8080 NODE_EXTRA_CA_CERTS=/etc/hsm-kms/credentials/tls-certificate';
    expect(await useAsClient(ciphertext, environment)).toBe('kept');
    await machine.sh('rm /etc/hsm-kms/credentials/tls-*; systemctl restart hsm-kms');
  });

  test("takes a token of the owner's, with its PIN, by the settings; a wrong PIN is tried once", async () => {
    await machine.sh(`
      install --directory --owner=hsm-kms --mode=0700 /var/lib/own-token
      printf 'directories.tokendir = /var/lib/own-token\\n' >/etc/own-token.conf
      export SOFTHSM2_CONF=/etc/own-token.conf
      setpriv --reuid=hsm-kms --regid=hsm-kms --init-groups softhsm2-util --init-token --free --label mine --so-pin 4321 --pin 8765
      cp /etc/hsm-kms/config.yaml /root/config.yaml
      cat >>/etc/hsm-kms/config.yaml <<END
dataDir: /var/lib/hsm-kms/own
pkcs11Module: /usr/lib/softhsm/libsofthsm2.so
tokenLabel: mine
END
      sed -i 1,3{/dataDir/d} /etc/hsm-kms/config.yaml
      mkdir -p /etc/systemd/system/hsm-kms.service.d
      printf '[Service]\\nEnvironment=SOFTHSM2_CONF=/etc/own-token.conf\\nReadWritePaths=/var/lib/own-token\\n' >/etc/systemd/system/hsm-kms.service.d/own-token.conf
      umask 077
      echo 0000 >/etc/hsm-kms/credentials/token-pin
      systemctl daemon-reload`);
    expect((await machine.run('systemctl restart hsm-kms')).code).not.toBe(0);
    expect(await machine.property('ExecMainStatus')).toBe('77');
    expect(await machine.property('NRestarts')).toBe('0');
    expect(await machine.property('ActiveState')).toBe('failed');
    expect(await machine.sh('journalctl --unit=hsm-kms --output=cat --lines=30')).toMatch(
      /^hsm-kms: The token "mine" refuses the login: CKR_PIN_INCORRECT \(160\)\. Check its PIN\.$/m,
    );
    await machine.sh('echo 8765 >/etc/hsm-kms/credentials/token-pin; systemctl start hsm-kms');
    expect(await machine.sh('SOFTHSM2_CONF=/etc/own-token.conf hsm-kms token describe | head -1')).toBe('label: mine');
    await machine.sh(`
      systemctl stop hsm-kms
      rm -r /etc/hsm-kms/credentials/token-pin /etc/systemd/system/hsm-kms.service.d /var/lib/hsm-kms/own
      cp /root/config.yaml /etc/hsm-kms/config.yaml
      systemctl daemon-reload && systemctl start hsm-kms`);
  });

  test(
    'is left by the program, and finds its keys again when it comes back',
    async () => {
      expect(await machine.sh('scripts/uninstall 2>&1')).toMatch(/^Keys, database and settings stay in /m);
      expect(
        await machine.sh(
          'ls -d /opt/hsm-kms /usr/local/bin/hsm-kms /etc/systemd/system/hsm-kms.service 2>/dev/null || true',
        ),
      ).toBe('');
      await machine.sh('sed -i \'s/"version": "0.1.1"/"version": "0.1.0"/\' package.json');
      await install();
      expect(await useAsClient(ciphertext)).toBe('kept');
    },
    installMilliseconds,
  );

  test('is left without a trace where that is said, and not otherwise', async () => {
    const unasked = await machine.run('scripts/uninstall --purge </dev/null');
    expect(unasked.code).toBe(1);
    expect(unasked.stderr).toMatch(/^scripts\/uninstall: Nobody is there to ask/m);
    expect(await useAsClient(ciphertext)).toBe('kept');

    await machine.sh('scripts/uninstall --purge --yes');
    const left =
      'find / -xdev \\( -name "*hsm-kms*" -o -user hsm-kms \\) -not -path "/root/*" -not -path "/proc/*" 2>/dev/null';
    expect(await machine.sh(`getent passwd hsm-kms || true; ${left} || true`)).toBe('');
    // again: nothing is there any more
    await machine.sh('scripts/uninstall --purge --yes');
  });
});
