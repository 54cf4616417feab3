import { createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { HsmKmsContainer, type Seed, type StartedHsmKmsContainer } from '../../src/testcontainers/index.js';
import { refusalName } from '../service/refusal.js';
import { tryDocker, whyNoEngine } from './engine.js';
import { buildMilliseconds, serviceImage } from './image.js';
import { beginEncryption } from './service-container.js';

// what ends here is stopped here: no further image is needed to clean up
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';

const symmetric = 'bc436485-5092-42b8-92a3-0aa8b93536dc';
const signing = '0c5eed00-5092-42b8-92a3-0aa8b93536dc';
const seed: Seed = {
  Keys: [
    { KeyId: symmetric, Description: 'seeded', Aliases: ['alias/app', 'alias/other'] },
    { KeyId: signing, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', Aliases: ['alias/sign'] },
  ],
};
const Message = Buffer.from('a message');
const SigningAlgorithm = 'ECDSA_SHA_256';

const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-containers-'));
const started: StartedHsmKmsContainer[] = [];
const clients: KMS[] = [];

const describeWithEngine = whyNoEngine() ? describe.skip : describe;

describeWithEngine('HsmKmsContainer', () => {
  let image: string;
  /** A service that is never ready, from when nothing else is waited for: it takes its time. */
  let neverReady: Promise<unknown>;
  beforeAll(async () => {
    image = await serviceImage();
    const slow = new HsmKmsContainer(image).withEnvironment({ HSM_KMS_PORT: '9999' }).withStartupTimeout(10_000);
    neverReady = slow.start().catch((error) => error);
  }, buildMilliseconds);
  afterAll(async () => {
    for (const client of clients) client.destroy();
    await neverReady;
    await Promise.all(started.map((container) => container.stop()));
    rmSync(directory, { recursive: true });
  });

  async function start(container: HsmKmsContainer): Promise<StartedHsmKmsContainer> {
    const one = await container.start();
    started.push(one);
    return one;
  }

  function clientOf(container: StartedHsmKmsContainer): KMS {
    const client = new KMS({ ...container.getClientConfiguration(), maxAttempts: 1 });
    clients.push(client);
    return client;
  }

  describe('with a seed', () => {
    let container: StartedHsmKmsContainer;
    let kms: KMS;
    beforeAll(async () => {
      const file = join(directory, 'seed.yaml');
      writeFileSync(file, stringify(seed));
      container = await start(new HsmKmsContainer(image).withSeedFile(file).withWorkers(1));
      kms = clientOf(container);
    });

    test('gives endpoint, Region and credentials that a client takes', async () => {
      expect(container.getEndpoint()).toMatch(/^http:\/\/[^/]+:\d+$/);
      expect(container.getRegion()).toBe('us-east-1');
      const credentials = container.getCredentials();
      expect(credentials).toEqual({
        accessKeyId: expect.stringMatching(/^AKIA[A-Z2-7]{16}$/),
        secretAccessKey: expect.stringMatching(/^[A-Za-z0-9+/]{40}$/),
      });
      expect(container.getClientConfiguration()).toEqual({
        ...{ endpoint: container.getEndpoint(), region: 'us-east-1', credentials },
      });
      const wrong = new KMS({
        ...container.getClientConfiguration(),
        credentials: { ...credentials, secretAccessKey: 'x' },
        maxAttempts: 1,
      });
      clients.push(wrong);
      expect(await refusalName(wrong.listKeys({}))).toBe('InvalidSignatureException');
    });

    test('has the seeded keys and aliases, and no others', async () => {
      const { Keys } = await kms.listKeys({});
      expect(Keys!.map(({ KeyId }) => KeyId)).toEqual([signing, symmetric]);
      const { Aliases } = await kms.listAliases({});
      expect(Aliases!.map(({ AliasName, TargetKeyId }) => [AliasName, TargetKeyId])).toEqual([
        ...[
          ['alias/app', symmetric],
          ['alias/other', symmetric],
          ['alias/sign', signing],
        ],
      ]);
    });

    test('encrypts and signs', async () => {
      const { CiphertextBlob, KeyId } = await kms.encrypt({ KeyId: 'alias/app', Plaintext: Message });
      expect(KeyId).toBe(`arn:aws:kms:us-east-1:000000000000:key/${symmetric}`);
      expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext!)).toEqual(Message);
      const { Signature } = await kms.sign({ KeyId: 'alias/sign', Message, SigningAlgorithm });
      const { PublicKey } = await kms.getPublicKey({ KeyId: signing });
      const key = createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
      expect(verify('sha256', Message, key, Signature!)).toBe(true);
    });

    test('prints no secret', async () => {
      const { stdout, stderr } = await tryDocker('logs', container.getId());
      expect(stdout).toContain('listening on ');
      expect(stdout + stderr).not.toContain(container.getCredentials().secretAccessKey);
    });

    test('keeps keys and credentials over a restart, and does not seed twice', async () => {
      const { CiphertextBlob } = await kms.encrypt({ KeyId: symmetric, Plaintext: Message });
      const { KeyMetadata } = await kms.createKey({});
      await container.restart();
      const after = clientOf(container);
      expect(await after.decrypt({ CiphertextBlob })).toMatchObject({ Plaintext: Message });
      expect(await after.describeKey({ KeyId: KeyMetadata!.KeyId })).toEqual(expect.anything());
      const { stdout } = await tryDocker('logs', container.getId());
      expect(stdout.match(/^made the key [0-9a-f]{8}-/gm)).toHaveLength(seed.Keys.length);
    });

    test('finishes what is under way when it is stopped', async () => {
      const service = { url: container.getEndpoint(), credentials: container.getCredentials() };
      const encryption = await beginEncryption(service, symmetric, Message);
      try {
        const stopped = container.stop({ timeout: 20_000, remove: false, removeVolumes: false });
        expect(await encryption.endWhenStopping()).toMatchObject({ status: 200 });
        await stopped;
        const { stdout } = await tryDocker('inspect', '--format', '{{.State.ExitCode}}', container.getId());
        expect(stdout.trim()).toBe('0');
      } finally {
        await tryDocker('rm', '--force', '--volumes', container.getId());
      }
    });
  });

  test('two at the same time share nothing', async () => {
    const [one, other] = (await Promise.all([
      start(new HsmKmsContainer(image).withSeed(seed).withWorkers(1)),
      start(
        new HsmKmsContainer(image)
          .withSeed(seed)
          .withRegion('eu-central-1')
          .withAccountId('123456789012')
          .withWorkers(2),
      ),
    ])) as [StartedHsmKmsContainer, StartedHsmKmsContainer];
    expect(one.getCredentials()).not.toEqual(other.getCredentials());
    const [kms, otherKms] = [clientOf(one), clientOf(other)];
    const { CiphertextBlob } = await kms.encrypt({ KeyId: symmetric, Plaintext: Message });
    const { KeyMetadata } = await otherKms.describeKey({ KeyId: 'alias/app' });
    expect(KeyMetadata!.Arn).toBe(`arn:aws:kms:eu-central-1:123456789012:key/${symmetric}`);
    expect(await refusalName(otherKms.decrypt({ CiphertextBlob }))).toMatch(
      /^(InvalidCiphertext|AccessDenied)Exception$/,
    );
    await kms.deleteAlias({ AliasName: 'alias/app' });
    expect((await otherKms.listAliases({ KeyId: symmetric })).Aliases).toHaveLength(2);
  });

  test('a seed that does not fit ends the start with its sentence, and leaves no container', async () => {
    const name = `hsm-kms-test-bad-seed-${process.pid}-${Date.now()}`;
    const bad = new HsmKmsContainer(image).withName(name).withSeed({ Keys: [{ KeyId: symmetric, KeySpec: 'AES' }] });
    const { message } = await bad.start().then(
      () => new Error('it started'),
      (error: Error) => error,
    );
    expect(message).toMatch(
      /^hsm-kms does not serve in its container: it ended with exit code 1\. The end of its log:\n/,
    );
    expect(message).toMatch(/^hsm-kms: \/etc\/hsm-kms\/seed\.yaml: Keys\[0\]\.KeySpec: .*Value 'AES' at 'keySpec'/m);
    expect((await tryDocker('inspect', name)).code).toBe(1);
  });

  test('an image is built from a checkout, and stays', async () => {
    const name = `hsm-kms-test-checkout:${process.pid}-${Date.now()}`;
    const checkout = mkdtempSync(join(directory, 'checkout-'));
    writeFileSync(join(checkout, 'Dockerfile'), `FROM ${image}\nLABEL checkout=${name}\n`);
    try {
      const container = await start((await HsmKmsContainer.fromCheckout(checkout, name)).withWorkers(1));
      expect(container.getLabels()).toMatchObject({ checkout: name });
      expect((await clientOf(container).listKeys({})).Keys).toEqual([]);
      await container.stop();
      expect((await tryDocker('image', 'inspect', name)).code).toBe(0);
    } finally {
      await tryDocker('rmi', name);
    }
  });

  test('an image that is not there is named, with what to do', async () => {
    const missing = new HsmKmsContainer('hsm-kms-that-nobody-built:1');
    await expect(missing.start()).rejects.toThrow(
      /^The image hsm-kms-that-nobody-built:1 is not here and cannot be pulled \(.+\)\. Build it in a checkout/s,
    );
  });

  test('a service that is not ready in time is told with its log', async () => {
    const { message } = (await neverReady) as Error;
    expect(message).toMatch(
      /^hsm-kms does not serve in its container: it runs and is not ready\. The end of its log:\n.*listening on http/s,
    );
  });
});
