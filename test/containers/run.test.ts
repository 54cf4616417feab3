import { execFileSync } from 'node:child_process';
import { verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { until } from '../service/within.js';
import { docker, tryDocker, whyNoEngine } from './engine.js';
import { buildMilliseconds, serviceImage } from './image.js';
import { beginEncryption, credentialsIn, hardened, runToEnd, ServiceContainer, Volumes } from './service-container.js';

const describeWithEngine = whyNoEngine() ? describe.skip : describe;
const plaintext = Buffer.from('what nobody else is to read');

let image: string;
const volumes = new Volumes();
beforeAll(async () => {
  if (!whyNoEngine()) image = await serviceImage();
}, buildMilliseconds);
afterAll(() => volumes.remove());

describeWithEngine('docker run', () => {
  let container: ServiceContainer;
  let volume: string;
  let keyId: string;
  let ciphertext: Uint8Array;
  beforeAll(async () => {
    volume = await volumes.create();
    container = await ServiceContainer.run(
      image,
      ...hardened,
      '--volume',
      `${volume}:/data`,
      '--health-interval',
      '1s',
    );
  });
  afterAll(() => container?.remove());

  const decrypted = async () => {
    const { Plaintext } = await container.kms.decrypt({ CiphertextBlob: ciphertext });
    return Buffer.from(Plaintext ?? []).toString();
  };

  test('serves, on a root file system that is read-only and without any capability', async () => {
    const { KeyMetadata } = await container.kms.createKey({});
    keyId = KeyMetadata?.KeyId as string;
    const encrypted = await container.kms.encrypt({ KeyId: keyId, Plaintext: plaintext });
    ciphertext = encrypted.CiphertextBlob as Uint8Array;
    expect(await decrypted()).toBe(plaintext.toString());

    const signing = await container.kms.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    const KeyId = signing.KeyMetadata?.KeyId as string;
    const { Signature } = await container.kms.sign({ KeyId, Message: plaintext, SigningAlgorithm: 'ECDSA_SHA_256' });
    const { PublicKey } = await container.kms.getPublicKey({ KeyId });
    const key = { key: Buffer.from(PublicKey as Uint8Array), format: 'der', type: 'spki' } as const;
    expect(verify('sha256', plaintext, key, Signature as Uint8Array)).toBe(true);
  });

  test('prints lines that fetch the credentials and point clients to it, and no secret', async () => {
    const fetching = await container.printed(/^\(umask .+$/m);
    const exporting = await container.printed(/^export .+$/m);
    const log = await container.log();
    expect(fetching).toMatch(/docker exec [0-9a-f]{12} cat \/data\/credentials/);
    const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-first-steps-'));
    try {
      const script = `${fetching}\n${exporting}\nprintf '%s\\n' "$AWS_ENDPOINT_URL_KMS" "$AWS_SHARED_CREDENTIALS_FILE"`;
      const printed = execFileSync('sh', ['-euc', script], { cwd: directory, encoding: 'utf8' });
      const [endpoint, file = ''] = printed.split('\n');
      expect(endpoint).toBe(container.url);
      expect(credentialsIn(readFileSync(file, 'utf8'))).toEqual(container.credentials);
    } finally {
      rmSync(directory, { recursive: true });
    }
    const pins = await docker('exec', container.name, 'cat', '/data/token-user-pin', '/data/token-so-pin');
    for (const secret of [container.credentials.secretAccessKey, ...pins.split('\n')]) {
      expect(secret.length).toBeGreaterThan(20);
      expect(log).not.toContain(secret);
    }
  });

  test('is healthy once it serves', async () => {
    await until('it is healthy', async () => (await container.inspect()).State.Health?.Status === 'healthy');
    const { Health } = (await container.inspect()).State;
    expect(Health).toMatchObject({ Status: 'healthy' });
    expect(Health?.Log.at(-1)?.Output).toBe('http://127.0.0.1:8080/readyz answers: ready\n');
    // asked elsewhere, where nobody listens
    const asked = await tryDocker('exec', '--env', 'HSM_KMS_PORT=9', container.name, 'hsm-kms', 'health');
    expect(asked).toMatchObject({ code: 1, stdout: '' });
    expect(asked.stderr).toMatch(/^hsm-kms: http:\/\/127\.0\.0\.1:9\/readyz does not answer: .+\n$/);
  });

  test('keeps its keys when it is restarted, killed, and replaced', async () => {
    const { credentials } = container;
    await container.restart();
    expect(await decrypted()).toBe(plaintext.toString());
    await docker('kill', container.name);
    await docker('start', container.name);
    await container.ready();
    expect(await decrypted()).toBe(plaintext.toString());
    await container.remove();
    container = await ServiceContainer.run(image, ...hardened, '--volume', `${volume}:/data`);
    expect(await decrypted()).toBe(plaintext.toString());
    expect(container.credentials).toEqual(credentials);
    expect(await container.log()).not.toContain('made ');
  });

  test('shares its volume with no second service', async () => {
    const { code, stderr } = await runToEnd('--volume', `${volume}:/data`, image);
    expect(stderr).toMatch(/^hsm-kms: Another hsm-kms serves from the data directory \/data: .+\n$/);
    expect(code).toBe(1);
    expect(await decrypted()).toBe(plaintext.toString());
  });

  test('does not share its port', async () => {
    const { code, stderr } = await runToEnd('--network', `container:${container.name}`, image);
    expect(stderr).toMatch(
      /^hsm-kms: The address 0\.0\.0\.0:8080 cannot be listened on: another program uses it\..+\n$/,
    );
    expect(code).toBe(1);
  });

  test('finishes what is under way when it is stopped', async () => {
    const encryption = await beginEncryption(container, keyId, plaintext);
    const stopped = docker('stop', container.name);
    const { status, body } = await encryption.endWhenStopping();
    expect(status).toBe(200);
    expect(JSON.parse(body)).toMatchObject({ CiphertextBlob: expect.any(String) });
    await stopped;
    // and was not killed
    expect((await container.inspect()).State).toMatchObject({ Running: false, ExitCode: 0 });
  });
});

describeWithEngine('docker run --user', () => {
  test('serves as another user to whom the volume belongs, and else says who that is', async () => {
    const volume = await volumes.create();
    const options = [...hardened, '--user', '12345:12345'];
    const refused = await runToEnd(...options, '--volume', `${volume}:/data`, image);
    expect(refused.stderr).toMatch(
      /^hsm-kms: The data directory \/data belongs to user 1000, and hsm-kms runs as user 12345: .+\n$/,
    );
    expect(refused.code).toBe(1);
    const asRoot = ['--user', '0', '--entrypoint', 'chown'];
    await docker('run', '--rm', ...asRoot, '--volume', `${volume}:/data:nocopy`, image, '12345', '/data');
    const container = await ServiceContainer.run(image, ...options, '--volume', `${volume}:/data:nocopy`);
    try {
      await container.kms.createKey({});
    } finally {
      await container.remove();
    }
  });
});
