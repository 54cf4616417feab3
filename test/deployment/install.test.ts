import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { DebianMachine, whyNoMachine } from './debian-machine.js';
import { commandsUnder } from './documented-commands.js';

const describeOnMachine = whyNoMachine() ? describe.skip : describe;
/** Copying and building take that long on a busy machine, in milliseconds. */
const installMilliseconds = 600_000;

/** Run by Node in the clone with the AWS SDK there: what a client does. Prints what was decrypted. */
const client = `
  import { KMS } from '@aws-sdk/client-kms';
  import { readFileSync } from 'node:fs';
  import { Agent } from 'node:https';
  const { ENDPOINT, CERTIFICATE } = process.env;
  const presented = CERTIFICATE && {
    cert: readFileSync(CERTIFICATE + '.pem'),
    key: readFileSync(CERTIFICATE + '.key'),
  };
  const kms = new KMS({
    endpoint: ENDPOINT,
    region: 'us-east-1',
    maxAttempts: 1,
    ...(presented && { requestHandler: { httpsAgent: new Agent(presented) } }),
  });
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

describeOnMachine('a Debian machine with systemd', () => {
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
    expect(await machine.sh('hsm-kms token describe')).toMatch(/^ {2}label +hsm-kms$/m);
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

  describe('as docs/bare-metal.md has it', () => {
    beforeAll(() => machine.sh('cp /etc/hsm-kms/config.yaml /root/config.yaml'));
    afterAll(async () => {
      await machine?.sh(`
        cp /root/config.yaml /etc/hsm-kms/config.yaml
        rm -rf /etc/hsm-kms/credentials/* /etc/hsm-kms/tls /etc/systemd/system/hsm-kms.service.d
        systemctl daemon-reload && systemctl restart hsm-kms`);
    });
    const https = 'ENDPOINT=https://127.0.0.1:8080 NODE_EXTRA_CA_CERTS=ca.pem';
    const [serve = '', renewable = ''] = commandsUnder('TLS');
    const [restrict = ''] = commandsUnder('Client certificates');

    test('TLS, with a key that only root reads', async () => {
      expect(await machine.sh(serve)).toMatch(/https:\/\/127\.0\.0\.1:8080\/readyz answers: ready$/);
      expect(await useAsClient(ciphertext, https)).toBe('kept');
      expect(await machine.sh('stat --format=%a /etc/hsm-kms/credentials/tls-key')).toBe('600');
    });

    test('TLS that is renewed without a restart', async () => {
      await machine.sh(renewable);
      const before = await machine.property('MainPID');
      const number = () =>
        machine.sh('openssl s_client -connect 127.0.0.1:8080 </dev/null 2>/dev/null | openssl x509 -noout -serial');
      const old = await number();
      await machine.sh(`
        openssl x509 -req -in kms.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 9 -copy_extensions copy -out kms.pem
        install --group=hsm-kms --mode=0640 kms.pem /etc/hsm-kms/tls/
        systemctl reload hsm-kms
        sleep 1`);
      expect(await number()).not.toBe(old);
      expect(await machine.property('MainPID')).toBe(before);
      expect(await useAsClient(ciphertext, https)).toBe('kept');
    });

    test('client certificates', async () => {
      await machine.sh(restrict);
      await machine.sh(`
        hsm-kms identity create-user --user-name payments
        hsm-kms identity attach-user-policy --user-name payments --policy-arn arn:aws:iam::aws:policy/AdministratorAccess
        hsm-kms identity create-access-key --user-name payments --profile default >payments.credentials`);
      const asPayments = `${https} AWS_SHARED_CREDENTIALS_FILE=payments.credentials`;
      expect(await useAsClient(ciphertext, `${asPayments} CERTIFICATE=payments`)).toBe('kept');
      await expect(useAsClient(ciphertext, asPayments)).rejects.toThrow(/AccessDeniedException/);
      // and with its certificate nobody else
      await expect(useAsClient(ciphertext, `${https} CERTIFICATE=payments`)).rejects.toThrow(/AccessDeniedException/);
      expect(await useAsClient(ciphertext, https)).toBe('kept');
    });
  });

  test(
    "takes a token of the owner's as docs/bare-metal.md has it; a wrong PIN is tried once",
    async () => {
      const [settings = '', , start = ''] = commandsUnder('A token of your own');
      // SoftHSM2 stands for the vendor: an environment and a directory of its own
      await machine.sh(`
      systemctl stop hsm-kms && mv /var/lib/hsm-kms /var/lib/hsm-kms-kept
      install --directory --owner=hsm-kms --mode=0700 /var/lib/own-token
      printf 'directories.tokendir = /var/lib/own-token\n' >/etc/own-token.conf
      SOFTHSM2_CONF=/etc/own-token.conf setpriv --reuid=hsm-kms --regid=hsm-kms --init-groups \
        softhsm2-util --init-token --free --label production --so-pin 4321 --pin 8765
      mkdir -p /opt/vendor/lib /etc/systemd/system/hsm-kms.service.d
      ln -s /usr/lib/softhsm/libsofthsm2.so /opt/vendor/lib/libpkcs11.so
      printf '[Service]\nEnvironment=SOFTHSM2_CONF=/etc/own-token.conf\nReadWritePaths=/var/lib/own-token\n' \
        >/etc/systemd/system/hsm-kms.service.d/own-token.conf
      systemctl daemon-reload`);
      await machine.sh(`printf '0000\n' | {\n${settings}}`);
      expect(await machine.sh('stat --format=%a /etc/hsm-kms/credentials/token-pin')).toBe('600');
      expect((await machine.run('systemctl start hsm-kms')).code).not.toBe(0);
      expect(await machine.property('ExecMainStatus')).toBe('77');
      expect(await machine.property('NRestarts')).toBe('0');
      expect(await machine.property('ActiveState')).toBe('failed');
      expect(await machine.sh('journalctl --unit=hsm-kms --output=cat --lines=30')).toMatch(
        /^hsm-kms: The token with the label "production" refuses the login: CKR_PIN_INCORRECT \(160\)\. Check its PIN\.$/m,
      );
      await machine.sh('echo 8765 >/etc/hsm-kms/credentials/token-pin');
      expect(await machine.sh(`export SOFTHSM2_CONF=/etc/own-token.conf\n${start}`)).toMatch(
        /^ {2}label +production$/m,
      );
      expect(await machine.property('ActiveState')).toBe('active');
      await machine.sh(`
      systemctl stop hsm-kms
      rm -r /etc/hsm-kms/credentials/token-pin /etc/systemd/system/hsm-kms.service.d /var/lib/hsm-kms
      mv /var/lib/hsm-kms-kept /var/lib/hsm-kms
      cp /root/config.yaml /etc/hsm-kms/config.yaml
      systemctl daemon-reload && systemctl start hsm-kms`);
    },
    installMilliseconds,
  );

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
