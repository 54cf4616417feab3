import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { docker, whyNoEngine } from './engine.js';
import { buildMilliseconds, serviceImage, softHsmImage } from './image.js';
import { hardened, runToEnd, Secrets, ServiceContainer, Volumes } from './service-container.js';

const pins = { 'token-so-pin': 'the "first" $PIN\n', 'token-user-pin': "the second's PIN" };
/** Stands before the real one in the PATH, and writes down how it is called. */
const spy = `#!/bin/sh
for word; do echo "$word"; done >>/softhsm/arguments
exec /usr/bin/pkcs11-tool "$@"
`;

(whyNoEngine() ? describe.skip : describe)('a SoftHSM2 token in a volume of its own', () => {
  let image: string;
  let volume: string;
  const volumes = new Volumes();
  const secrets = new Secrets(pins);
  beforeAll(async () => {
    image = await softHsmImage();
    volume = await volumes.create();
    writeFileSync(join(secrets.directory, 'spy'), spy, { mode: 0o755 });
  }, buildMilliseconds);
  afterAll(async () => {
    await volumes.remove();
    secrets.remove();
  });

  const withToken = () => ['--volume', `${volume}:/softhsm`, '--volume', `${secrets.directory}:/run/secrets:ro`];
  const provision = (...options: string[]) => runToEnd(...hardened, ...withToken(), ...options, image);

  const settings = {
    HSM_KMS_PKCS11_MODULE: '/usr/lib/softhsm/libsofthsm2.so',
    HSM_KMS_TOKEN_LABEL: 'hsm',
    HSM_KMS_TOKEN_PIN_FILE: '/run/secrets/token-user-pin',
    SOFTHSM2_CONF: '/softhsm/softhsm2.conf',
  };
  const variables = Object.entries(settings).flatMap(([name, value]) => ['--env', `${name}=${value}`]);

  test('is made once, with PINs that no command line shows', async () => {
    const spied = await provision('--volume', `${secrets.directory}/spy:/usr/local/sbin/pkcs11-tool:ro`);
    expect(spied).toMatchObject({ code: 0, stderr: '', stdout: 'the token "hsm" is in /softhsm/tokens, made now\n' });
    const shell = ['--rm', ...withToken(), image, 'sh', '-c'];
    const args = await docker('run', ...shell, 'cat /softhsm/arguments');
    expect(args).toContain('--init-token');
    for (const pin of Object.values(pins)) expect(args).not.toContain(pin.trim());

    expect(await provision()).toMatchObject({ code: 0, stdout: 'the token "hsm" is in /softhsm/tokens\n' });
    expect(await provision('--env', 'TOKEN_LABEL=another one')).toMatchObject({ code: 0 });
    const slots = await docker('run', '--rm', ...withToken(), image, 'softhsm2-util', '--show-slots');
    expect(slots.match(/(?<=Label: +)\S.*\S/g)?.sort()).toEqual(['another one', 'hsm']);
    expect(await docker('run', ...shell, 'find /softhsm -perm /077')).toBe('');
  });

  test('holds the keys of a service that is pointed to it', async () => {
    const container = await ServiceContainer.run(await serviceImage(), ...hardened, ...withToken(), ...variables);
    try {
      const { KeyMetadata } = await container.kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
      const KeyId = KeyMetadata?.KeyId as string;
      const message = { KeyId, Message: Buffer.from('message'), SigningAlgorithm: 'ECDSA_SHA_256' } as const;
      const { Signature } = await container.kms.sign(message);
      await container.restart();
      expect(await container.kms.verify({ ...message, Signature })).toMatchObject({ SignatureValid: true });
      const list =
        'PIN=$(cat /run/secrets/token-user-pin) pkcs11-tool --module $SOFTHSM2_MODULE --token-label hsm --pin env:PIN -O';
      expect(await docker('run', '--rm', ...withToken(), image, 'sh', '-c', list)).toContain(KeyId);
      expect(await docker('exec', container.name, 'ls', '/data')).not.toContain('tokens');
    } finally {
      await container.remove();
    }
  });

  test('does not take the place of the token that a data directory was made with', async () => {
    const data = ['--volume', `${await volumes.create()}:/data`];
    expect(await runToEnd(...data, await serviceImage(), 'init')).toMatchObject({ code: 0 });
    // one without keys, and one that has another service's
    for (const label of ['another one', 'hsm']) {
      const other = [...withToken(), ...variables, '--env', `HSM_KMS_TOKEN_LABEL=${label}`];
      const refused = await runToEnd(...data, ...other, await serviceImage());
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(/^hsm-kms: The token ".+" .+ is not the one that \/data was made with: .+\n$/);
    }
  });

  test.each<[string, () => string[], string]>([
    [
      'a PIN that is not mounted',
      () => ['--env', 'TOKEN_SO_PIN_FILE=/run/secrets/other'],
      "there is no file /run/secrets/other: mount the secret with the security officer's PIN there.",
    ],
    [
      'a PIN that is too short',
      () => {
        secrets.set('short', '123');
        return ['--env', 'TOKEN_USER_PIN_FILE=/run/secrets/short'];
      },
      'the user PIN in /run/secrets/short is shorter than the 4 characters that SoftHSM2 asks for.',
    ],
    [
      'another PIN than the token was made with',
      () => {
        secrets.set('other', 'another PIN');
        return ['--env', 'TOKEN_USER_PIN_FILE=/run/secrets/other'];
      },
      'the token "hsm" in /softhsm/tokens does not take the user PIN in /run/secrets/other: it was made with another.',
    ],
    [
      'a volume of another user',
      () => {
        for (const name of ['so', 'user'])
          secrets.set(`${name}-of-all`, pins[`token-${name}-pin` as keyof typeof pins], 0o644);
        const files = ['SO', 'USER'].flatMap((name) => [
          '--env',
          `TOKEN_${name}_PIN_FILE=/run/secrets/${name.toLowerCase()}-of-all`,
        ]);
        return ['--user', '12345', ...files];
      },
      'user 12345 may not write to /softhsm: give the volume to that user (chown 12345), or run as its owner.',
    ],
  ])('is refused for %s, in a sentence that says what to do', async (_name, options, sentence) => {
    expect(await provision(...options())).toMatchObject({ code: 1, stdout: '', stderr: `provision: ${sentence}\n` });
  });
});
