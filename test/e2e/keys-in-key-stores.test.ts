import { readdirSync, readFileSync, renameSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { CreateKeyRequest, KeyMetadata, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from '../service/database.js';
import { keyLabels, makeToken, ownKeyLabels } from '../service/further-token.js';
import { metricsOnce } from '../service/metrics.js';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';
import { patience, until, within } from '../service/within.js';

const pin = 'pin-of-the-store';
const clusterId = 'cluster-aaaaaaaaaaa';
const Plaintext = Buffer.from('a secret');
/** More than one each, whichever worker a connection goes to. */
const connections = 6;

let service: Service;
let CustomKeyStoreId: string;

beforeAll(async () => {
  service = await Service.start({
    workers: 2,
    flags: [
      ...['--key-stores', JSON.stringify([{ clusterId, tokenLabel: 'further token' }])],
      ...['--schedule-milliseconds', '200'],
    ],
  });
  await makeToken(service.dataDir, 'further token', pin);
  // SoftHSM2 looks for tokens when it is initialised
  await service.restart();
  const created = await service.kms.createCustomKeyStore({
    CustomKeyStoreName: 'store',
    CloudHsmClusterId: clusterId,
    TrustAnchorCertificate: trustAnchorCertificate,
    KeyStorePassword: pin,
  });
  CustomKeyStoreId = created.CustomKeyStoreId as string;
  await connect();
});
afterAll(() => service?.end());

const connect = () => service.kms.connectCustomKeyStore({ CustomKeyStoreId });
const disconnect = () => service.kms.disconnectCustomKeyStore({ CustomKeyStoreId });
const keysInStore = async () => (await keyLabels(service.dataDir, 'further token', pin)).sort();

const newKey = (input: CreateKeyRequest = {}) => service.newKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId, ...input });

/** Where SoftHSM2 has the token of this label. */
function tokenDirectory(dataDir: string, label: string): string {
  const tokens = join(dataDir, 'tokens');
  const file = readdirSync(tokens, { recursive: true, encoding: 'utf8' }).find(
    (each) => each.endsWith('token.object') && readFileSync(join(tokens, each)).includes(label),
  );
  return join(tokens, dirname(file as string));
}

async function metadata(KeyId: string): Promise<KeyMetadata> {
  return (await service.kms.describeKey({ KeyId })).KeyMetadata as KeyMetadata;
}

/** The same call over several new connections, which the supervisor deals out to the workers in turn. */
async function onAllWorkers<T>(call: (kms: KMS) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  for (let each = 0; each < connections; each++) results.push(await call(service.newClient()));
  return results;
}

describe('a key in a custom key store', () => {
  test('tells where it is, and its object is in that token and not in the own one', async () => {
    const { KeyId } = await newKey();
    const own = await service.newKey();
    expect(await metadata(KeyId)).toMatchObject({
      KeyState: 'Enabled',
      Origin: 'AWS_CLOUDHSM',
      CustomKeyStoreId,
      CloudHsmClusterId: clusterId,
      KeySpec: 'SYMMETRIC_DEFAULT',
      EncryptionAlgorithms: ['SYMMETRIC_DEFAULT'],
      MultiRegion: false,
    });
    expect((await metadata(KeyId)).CurrentKeyMaterialId).toBeUndefined();
    expect((await metadata(own.KeyId)).CustomKeyStoreId).toBeUndefined();

    expect(await keysInStore()).toContain(KeyId);
    expect(await keysInStore()).not.toContain(own.KeyId);
    expect(await ownKeyLabels(service.dataDir)).toContain(own.KeyId);
    expect(await ownKeyLabels(service.dataDir)).not.toContain(KeyId);
  });

  test('encrypts, decrypts, makes data keys, and re-encrypts from and to the own token, on all workers', async () => {
    const { KeyId, Arn } = await newKey();
    const own = await service.newKey();
    const EncryptionContext = { purpose: 'test' };
    await onAllWorkers(async (kms) => {
      const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext, EncryptionContext });
      const opened = await service.kms.decrypt({ CiphertextBlob, EncryptionContext });
      expect(opened.KeyId).toBe(Arn);
      expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
    });

    const dataKey = await service.kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
    const { CiphertextBlob } = await service.kms.reEncrypt({
      CiphertextBlob: dataKey.CiphertextBlob,
      DestinationKeyId: own.KeyId,
    });
    const moved = await service.kms.decrypt({ CiphertextBlob, KeyId: own.KeyId });
    expect(moved.Plaintext).toEqual(dataKey.Plaintext);
    const back = await service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId });
    expect((await service.kms.decrypt({ CiphertextBlob: back.CiphertextBlob })).KeyId).toBe(Arn);
  });

  test.each<[string, CreateKeyRequest, string]>([
    ['an RSA key', { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' }, 'UnsupportedOperationException'],
    ['an HMAC key', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }, 'UnsupportedOperationException'],
    ['a multi-Region key', { MultiRegion: true }, 'UnsupportedOperationException'],
    ['Origin AWS_KMS', { Origin: 'AWS_KMS' }, 'ValidationException'],
    ['Origin EXTERNAL', { Origin: 'EXTERNAL' }, 'ValidationException'],
    ['Origin EXTERNAL_KEY_STORE', { Origin: 'EXTERNAL_KEY_STORE' }, 'UnsupportedOperationException'],
    ['an external key', { XksKeyId: 'key' }, 'UnsupportedOperationException'],
  ])('cannot be: %s', async (_what, input, name) => {
    const before = await keysInStore();
    expect(await refusalName(newKey(input))).toBe(name);
    expect(await keysInStore()).toEqual(before);
  });

  test('needs a store', async () => {
    expect(await refusalName(service.newKey({ Origin: 'AWS_CLOUDHSM' }))).toBe('ValidationException');
  });

  test.each<[string, (kms: KMS, KeyId: string) => Promise<unknown>]>([
    ['EnableKeyRotation', (kms, KeyId) => kms.enableKeyRotation({ KeyId })],
    ['RotateKeyOnDemand', (kms, KeyId) => kms.rotateKeyOnDemand({ KeyId })],
    ['GenerateDataKeyPair', (kms, KeyId) => kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })],
  ])('%s is not for it', async (_operation, call) => {
    const { KeyId } = await newKey();
    expect(await refusalName(call(service.kms, KeyId))).toBe('UnsupportedOperationException');
  });
});

test('GenerateRandom takes the bytes from the store', async () => {
  const answers = await onAllWorkers((kms) => kms.generateRandom({ NumberOfBytes: 32, CustomKeyStoreId }));
  const different = new Set(answers.map((answer) => Buffer.from(answer.Plaintext ?? []).toString('hex')));
  expect(different.size).toBe(connections);
  expect([...different].every((text) => text.length === 64)).toBe(true);
});

describe('while the store is disconnected', () => {
  test('its keys are Unavailable on all workers, and everything else goes on', async () => {
    const { KeyId, Arn } = await newKey();
    const own = await service.newKey();
    const [{ CiphertextBlob } = {}] = await onAllWorkers((kms) => kms.encrypt({ KeyId, Plaintext }));
    await disconnect();
    await onAllWorkers(async (kms) => {
      expect((await kms.describeKey({ KeyId })).KeyMetadata).toMatchObject({ KeyState: 'Unavailable', Enabled: false });
      const calls: Promise<unknown>[] = [
        kms.encrypt({ KeyId, Plaintext }),
        kms.decrypt({ CiphertextBlob }),
        kms.generateDataKey({ KeyId, KeySpec: 'AES_256' }),
        kms.reEncrypt({ CiphertextBlob, DestinationKeyId: own.KeyId }),
      ];
      for (const call of calls) {
        expect(await refusal(call)).toEqual({ name: 'KMSInvalidStateException', message: `${Arn} is unavailable.` });
      }
      await kms.encrypt({ KeyId: own.KeyId, Plaintext });
    });
    await connect();
    await onAllWorkers(async (kms) => {
      expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext ?? [])).toEqual(Plaintext);
    });
  });

  test('disabling, describing, tagging and an alias work; the state shows when it is connected again', async () => {
    const { KeyId } = await newKey();
    await disconnect();
    await service.kms.disableKey({ KeyId });
    await service.kms.updateKeyDescription({ KeyId, Description: 'changed' });
    await service.kms.createAlias({ AliasName: 'alias/in-store', TargetKeyId: KeyId });
    expect((await metadata(KeyId)).KeyState).toBe('Unavailable');
    await connect();
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Disabled', Description: 'changed' });
    await service.kms.enableKey({ KeyId });
    await service.kms.encrypt({ KeyId: 'alias/in-store', Plaintext });
  });

  test('a deletion can be scheduled and cancelled', async () => {
    const { KeyId } = await newKey();
    await disconnect();
    await service.kms.scheduleKeyDeletion({ KeyId });
    expect((await metadata(KeyId)).KeyState).toBe('PendingDeletion');
    await service.kms.cancelKeyDeletion({ KeyId });
    expect((await metadata(KeyId)).KeyState).toBe('Unavailable');
    await connect();
    expect((await metadata(KeyId)).KeyState).toBe('Disabled');
  });

  test('no process is logged in to its token', async () => {
    const { KeyId } = await newKey();
    await onAllWorkers((kms) => kms.encrypt({ KeyId, Plaintext }));
    const logged = (what: string) => service.stderr.split(`the token of a custom key store is ${what}`).length - 1;
    const before = { open: logged('open'), closed: logged('closed') };
    await disconnect();
    await until('both have closed it', () => logged('closed') >= before.closed + 2);
    await connect();
    await onAllWorkers((kms) => kms.encrypt({ KeyId, Plaintext }));
    await until('both have opened it', () => logged('open') >= before.open + 2);
  });
});

test('while its token is gone its keys cannot be used, but the own ones can; afterwards nobody has to connect again', async () => {
  const { KeyId } = await newKey();
  const own = await service.newKey();
  await onAllWorkers((kms) => kms.encrypt({ KeyId, Plaintext }));
  const directory = tokenDirectory(service.dataDir, 'further token');
  renameSync(directory, `${directory}.away`);
  try {
    await onAllWorkers(async (kms) => {
      const refused = await refusalName(kms.encrypt({ KeyId, Plaintext }));
      expect(['KeyUnavailableException', 'KMSInvalidStateException']).toContain(refused);
      await kms.encrypt({ KeyId: own.KeyId, Plaintext });
    });
    // soon, as each worker tries again
    await within(patience, () =>
      onAllWorkers(async (kms) => {
        expect(await refusal(kms.encrypt({ KeyId, Plaintext }))).toEqual({
          name: 'KMSInvalidStateException',
          message: expect.stringContaining('CLUSTER_NOT_FOUND'),
        });
        expect(await refusalName(newKey())).toBe('CustomKeyStoreInvalidStateException');
        await kms.encrypt({ KeyId: own.KeyId, Plaintext });
      }).then(() => {}),
    );
    expect((await fetch(`${service.url}/readyz`)).status).toBe(200);
  } finally {
    renameSync(`${directory}.away`, directory);
  }
  // SoftHSM2 does not look again for a token that it has once missed
  await service.restart();
  await onAllWorkers((kms) => kms.encrypt({ KeyId, Plaintext }));
});

test('a stop, a kill of the service and a kill of a worker need nobody to connect again', async () => {
  const { KeyId } = await newKey();
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext });
  const expectDecrypted = () =>
    onAllWorkers(async (kms) =>
      expect(Buffer.from((await kms.decrypt({ CiphertextBlob })).Plaintext ?? [])).toEqual(Plaintext),
    );
  await service.restart();
  await expectDecrypted();
  await service.kill();
  await service.serve();
  await expectDecrypted();
  process.kill(service.workers[0] as number, 'SIGKILL');
  await metricsOnce(
    service,
    (metrics) =>
      metrics.sum('hsm_kms_worker_replacements_total') === 1 &&
      metrics.sum('hsm_kms_workers', { state: 'ready' }) === 2,
  );
  await expectDecrypted();
});

test('many keys made while the store is disconnected: each is told of and there, or refused', async () => {
  const attempts = Array.from({ length: 20 }, () =>
    newKey().then(
      ({ KeyId }) => KeyId,
      (error: Error) => error.name,
    ),
  );
  await wait(20);
  await disconnect();
  const outcomes = await Promise.all(attempts);
  await connect();
  const made = outcomes.filter((outcome) => !outcome.endsWith('Exception'));
  expect(await keysInStore()).toEqual(expect.arrayContaining(made));
  for (const KeyId of made) await service.kms.encrypt({ KeyId, Plaintext });
  const refused = new Set(outcomes.filter((outcome) => outcome.endsWith('Exception')));
  for (const name of refused) {
    expect(['CustomKeyStoreInvalidStateException', 'KMSInvalidStateException']).toContain(name);
  }
});

test('a due deletion waits for the connection, then destroys the object; a store without keys can be deleted', async () => {
  const { KeyId } = await newKey();
  const own = await service.newKey();
  const ids = sql<{ id: string }>(service, 'select id from keys where custom_key_store_id is not null');
  for (const { id } of ids) {
    if ((await metadata(id)).KeyState !== 'PendingDeletion') await service.kms.scheduleKeyDeletion({ KeyId: id });
  }
  await disconnect();
  expect(await refusalName(service.kms.deleteCustomKeyStore({ CustomKeyStoreId }))).toBe(
    'CustomKeyStoreHasCMKsException',
  );
  await service.kms.scheduleKeyDeletion({ KeyId: own.KeyId });
  sql(service, 'update keys set deletion_at = ? where deletion_at is not null', Date.now() - 1_000);
  const gone = async (id: string) => (await refusal(metadata(id)).catch(() => undefined))?.name === 'NotFoundException';
  await until('the own key is deleted', () => gone(own.KeyId));
  expect((await metadata(KeyId)).KeyState).toBe('PendingDeletion');
  expect(await keysInStore()).toContain(KeyId);

  await connect();
  await until('those of the store are', async () => (await Promise.all(ids.map(({ id }) => gone(id)))).every(Boolean));
  expect(await refusalName(metadata(KeyId))).toBe('NotFoundException');
  const left = await keysInStore();
  expect(ids.filter(({ id }) => left.includes(id))).toEqual([]);
  await disconnect();
  await service.kms.deleteCustomKeyStore({ CustomKeyStoreId });
  expect((await service.kms.describeCustomKeyStores({})).CustomKeyStores).toEqual([]);
});
