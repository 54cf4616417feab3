import { createHmac, randomBytes } from 'node:crypto';
import type { KeyMetadata, KeySpec, KeyUsageType, RotationsListEntry } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importInto, newPair, type Parameters, pkcs8, wrap } from '../service/byok.js';
import { sql, tokenObjects } from '../service/database.js';
import { ownKeyLabels } from '../service/further-token.js';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--schedule-milliseconds', '100'] });
});
afterAll(() => service?.end());

const newKey = (KeySpec: KeySpec = 'SYMMETRIC_DEFAULT', KeyUsage: KeyUsageType = 'ENCRYPT_DECRYPT') =>
  service.newKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' });
const describeKey = async (KeyId: string) => (await service.kms.describeKey({ KeyId })).KeyMetadata as KeyMetadata;
const stateOf = async (KeyId: string) => (await describeKey(KeyId)).KeyState;
const materialsOf = async (KeyId: string) =>
  (await service.kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' }))
    .Rotations as RotationsListEntry[];
const Plaintext = Buffer.from('something');
const encrypt = async (KeyId: string) => (await service.kms.encrypt({ KeyId, Plaintext })).CiphertextBlob!;
const opens = async (CiphertextBlob: Uint8Array) => {
  const opened = await service.kms.decrypt({ CiphertextBlob });
  expect(Buffer.from(opened.Plaintext!)).toEqual(Plaintext);
  return opened.KeyMaterialId;
};
const incorrect = { name: 'IncorrectKeyMaterialException', message: '' };

/** Waits for a scheduled task. */
const eventually = (holds: () => Promise<boolean> | boolean) => until('a scheduled task', holds);
const expire = (materialId: string) =>
  sql(service, 'update key_materials set expires_at = ? where id = ?', Date.now() - 1, materialId);

test('a key without material waits for it', async () => {
  const { KeyId, Arn } = await newKey();
  const metadata = await describeKey(KeyId);
  expect(metadata).toMatchObject({ KeyState: 'PendingImport', Enabled: false, Origin: 'EXTERNAL' });
  for (const name of ['CurrentKeyMaterialId', 'ExpirationModel', 'ValidTo'] as const)
    expect(metadata[name]).toBeUndefined();
  const pending = { name: 'KMSInvalidStateException', message: `${Arn} is pending import.` };
  expect(await refusal(encrypt(KeyId))).toEqual(pending);
  expect(await refusal(service.kms.disableKey({ KeyId }))).toEqual(pending);
  expect(await refusal(service.kms.rotateKeyOnDemand({ KeyId }))).toEqual(pending);
  const { $metadata: _, ...answer } = await service.kms.deleteImportedKeyMaterial({ KeyId });
  expect(answer).toEqual({ KeyId: Arn });
});

test('an asymmetric key without material has no public key yet', async () => {
  const { KeyId } = await newKey('ECC_NIST_P256', 'SIGN_VERIFY');
  expect(await refusalName(service.kms.getPublicKey({ KeyId }))).toBe('KMSInvalidStateException');
});

test('material that is deleted is gone from the token, and only the same comes back', async () => {
  const { KeyId, Arn } = await newKey();
  const before = tokenObjects(service);
  const material = randomBytes(32);
  const { KeyMaterialId } = await importInto(service, KeyId, material);
  await eventually(() => tokenObjects(service) === before + 1);
  const blob = await encrypt(KeyId);

  const { $metadata: _, ...deleted } = await service.kms.deleteImportedKeyMaterial({ KeyId });
  expect(deleted).toEqual({ KeyId: Arn, KeyMaterialId });
  expect(tokenObjects(service)).toBe(before);
  const metadata = await describeKey(KeyId);
  expect(metadata).toMatchObject({ KeyState: 'PendingImport', Enabled: false, CurrentKeyMaterialId: KeyMaterialId });
  expect(metadata.ExpirationModel).toBeUndefined();
  expect(await refusalName(opens(blob))).toBe('KMSInvalidStateException');

  expect(await refusal(importInto(service, KeyId, randomBytes(32)))).toEqual(incorrect);
  expect(await refusal(importInto(service, KeyId, material, { ImportType: 'NEW_KEY_MATERIAL' }))).toEqual(incorrect);
  const again = await importInto(service, KeyId, material, { KeyMaterialId: KeyMaterialId! });
  expect(again.KeyMaterialId).toBe(KeyMaterialId);
  expect(await stateOf(KeyId)).toBe('Enabled');
  await opens(blob);
});

test.each([
  ['RSA_2048', 'SIGN_VERIFY'],
  ['ECC_NIST_P256', 'SIGN_VERIFY'],
  ['HMAC_256', 'GENERATE_VERIFY_MAC'],
] as [KeySpec, KeyUsageType][])('a key %s takes only its own material again', async (spec, usage) => {
  const { KeyId } = await newKey(spec, usage);
  const before = tokenObjects(service);
  const make = () => (spec === 'HMAC_256' ? randomBytes(32) : pkcs8(newPair(spec).privateKey));
  const algorithm = spec === 'RSA_2048' ? 'RSA_AES_KEY_WRAP_SHA_256' : 'RSAES_OAEP_SHA_256';
  const material = make();
  await importInto(service, KeyId, material, { algorithm });
  expect(await refusal(importInto(service, KeyId, make(), { algorithm }))).toEqual(incorrect);
  expect(await stateOf(KeyId)).toBe('Enabled');
  const deleted = await service.kms.deleteImportedKeyMaterial({ KeyId });
  expect(deleted.KeyMaterialId).toBeUndefined();
  expect(await refusal(importInto(service, KeyId, make(), { algorithm }))).toEqual(incorrect);
  await importInto(service, KeyId, material, { algorithm });
  expect(await stateOf(KeyId)).toBe('Enabled');
  const materials = sql<{ id: string }>(service, 'select id from key_materials where key_id = ?', KeyId);
  expect(materials).toEqual([{ id: expect.stringMatching(/^[0-9a-f]{64}$/) }]);
  sql(service, 'update import_wrapping_keys set expires_at = ? where key_id = ?', Date.now() - 1, KeyId);
  await eventually(() => tokenObjects(service) === before + (spec === 'HMAC_256' ? 1 : 2));
});

test('material expires, and comes back with another end', async () => {
  const { KeyId } = await newKey();
  const material = randomBytes(32);
  const ValidTo = new Date(Math.ceil(Date.now() / 1000) * 1000 + 86_400_000);
  const { KeyMaterialId } = await importInto(service, KeyId, material, { ValidTo });
  expect(await describeKey(KeyId)).toMatchObject({ ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo });
  const blob = await encrypt(KeyId);
  const held = tokenObjects(service);
  await service.kms.disableKey({ KeyId });
  await service.kms.enableKey({ KeyId });

  expire(KeyMaterialId!);
  await eventually(async () => (await stateOf(KeyId)) === 'PendingImport');
  expect(tokenObjects(service)).toBeLessThan(held);
  const expired = await describeKey(KeyId);
  expect(expired).toMatchObject({ Enabled: false, CurrentKeyMaterialId: KeyMaterialId });
  expect([expired.ExpirationModel, expired.ValidTo]).toEqual([undefined, undefined]);

  await importInto(service, KeyId, material);
  const restored = await describeKey(KeyId);
  expect(restored).toMatchObject({ KeyState: 'Enabled', ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' });
  expect(restored.ValidTo).toBeUndefined();
  await opens(blob);
});

test('a re-import changes the end, and leaves a disabled key disabled', async () => {
  const { KeyId } = await newKey();
  const material = randomBytes(32);
  await importInto(service, KeyId, material);
  await service.kms.disableKey({ KeyId });
  const ValidTo = new Date(Math.ceil(Date.now() / 1000) * 1000 + 3_600_000);
  await importInto(service, KeyId, material, { ValidTo });
  expect(await describeKey(KeyId)).toMatchObject({ KeyState: 'Disabled', ValidTo });
});

describe('several materials', () => {
  test('wait for their rotation, one at a time, and all have to be there', async () => {
    const { KeyId, Arn } = await newKey();
    const [first, second] = [randomBytes(32), randomBytes(32)];
    const one = await importInto(service, KeyId, first, { KeyMaterialDescription: 'the first' });
    const oldBlob = await encrypt(KeyId);
    expect(await refusal(importInto(service, KeyId, first, { ImportType: 'NEW_KEY_MATERIAL' }))).toEqual(incorrect);
    const two = await importInto(service, KeyId, second, { ImportType: 'NEW_KEY_MATERIAL' });
    expect(await describeKey(KeyId)).toMatchObject({ KeyState: 'Enabled', CurrentKeyMaterialId: one.KeyMaterialId });

    const third = await refusal(importInto(service, KeyId, randomBytes(32), { ImportType: 'NEW_KEY_MATERIAL' }));
    expect(third.name).toBe('KMSInvalidStateException');
    expect(third.message).toMatch(
      new RegExp(
        `^New key material \\(id: [0-9a-f]{64}\\) cannot be imported into KMS key ${Arn}, because another key material \\(id: ${two.KeyMaterialId}\\) is pending rotation\\.$`,
      ),
    );
    expect(await materialsOf(KeyId)).toMatchObject([
      {
        KeyMaterialId: one.KeyMaterialId,
        KeyMaterialState: 'CURRENT',
        KeyMaterialDescription: 'the first',
        ImportState: 'IMPORTED',
      },
      { KeyMaterialId: two.KeyMaterialId, KeyMaterialState: 'PENDING_ROTATION', ImportState: 'IMPORTED' },
    ]);

    await service.kms.rotateKeyOnDemand({ KeyId });
    expect((await describeKey(KeyId)).CurrentKeyMaterialId).toBe(two.KeyMaterialId);
    expect(await opens(oldBlob)).toBe(one.KeyMaterialId);
    const newBlob = await encrypt(KeyId);

    await service.kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: one.KeyMaterialId! });
    expect(await stateOf(KeyId)).toBe('PendingImport');
    expect(await refusal(importInto(service, KeyId, first, { KeyMaterialId: two.KeyMaterialId! }))).toEqual(incorrect);
    await service.kms.deleteImportedKeyMaterial({ KeyId });
    await importInto(service, KeyId, second);
    expect(await stateOf(KeyId)).toBe('PendingImport');
    await importInto(service, KeyId, first);
    expect(await stateOf(KeyId)).toBe('Enabled');
    expect((await materialsOf(KeyId))[0]).toMatchObject({
      KeyMaterialDescription: 'the first',
      KeyMaterialState: 'NON_CURRENT',
    });
    expect(await opens(oldBlob)).toBe(one.KeyMaterialId);
    expect(await opens(newBlob)).toBe(two.KeyMaterialId);
  });

  test('what waits for its rotation is forgotten when it is deleted or expires', async () => {
    const { KeyId } = await newKey();
    await importInto(service, KeyId, randomBytes(32));
    for (const remove of [
      async (KeyMaterialId: string) => void (await service.kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId })),
      async (id: string) => void expire(id),
    ]) {
      const { KeyMaterialId } = await importInto(service, KeyId, randomBytes(32), { ImportType: 'NEW_KEY_MATERIAL' });
      await remove(KeyMaterialId!);
      await eventually(async () => (await materialsOf(KeyId)).length === 1);
      expect(await stateOf(KeyId)).toBe('Enabled');
    }
    const absent = service.kms.deleteImportedKeyMaterial({ KeyId, KeyMaterialId: 'a'.repeat(64) });
    expect(await refusalName(absent)).toBe('NotFoundException');
  });
});

describe('wrapping keys', () => {
  test('are destroyed when they have expired', async () => {
    const { KeyId } = await newKey();
    const before = tokenObjects(service);
    await service.kms.getParametersForImport({
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      WrappingKeySpec: 'RSA_2048',
    });
    expect(tokenObjects(service)).toBe(before + 2);
    sql(service, 'update import_wrapping_keys set expires_at = ? where key_id = ?', Date.now() - 1, KeyId);
    const rows = () => sql(service, 'select id from import_wrapping_keys where key_id = ?', KeyId);
    await eventually(() => rows().length === 0);
    expect(tokenObjects(service)).toBe(before);
  });

  test('go with their key, as its material does', async () => {
    const before = tokenObjects(service);
    const { KeyId } = await newKey();
    await importInto(service, KeyId, randomBytes(32));
    await service.kms.getParametersForImport({
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_1',
      WrappingKeySpec: 'RSA_2048',
    });
    await service.kms.scheduleKeyDeletion({ KeyId });
    sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() - 1, KeyId);
    await eventually(
      async () => (await refusalName(service.kms.describeKey({ KeyId })).catch(() => '')) === 'NotFoundException',
    );
    expect(tokenObjects(service)).toBe(before);
    expect(sql(service, 'select id from import_wrapping_keys where key_id = ?', KeyId)).toEqual([]);
  });
});

test('a key that loses its material while it waits for deletion waits for it afterwards', async () => {
  const { KeyId } = await newKey();
  const material = randomBytes(32);
  await importInto(service, KeyId, material);
  await service.kms.scheduleKeyDeletion({ KeyId });
  await service.kms.deleteImportedKeyMaterial({ KeyId });
  expect(await stateOf(KeyId)).toBe('PendingDeletion');
  await service.kms.cancelKeyDeletion({ KeyId });
  expect(await stateOf(KeyId)).toBe('PendingImport');
  await importInto(service, KeyId, material);
  expect(await stateOf(KeyId)).toBe('Enabled');
});

test.each(Array.from({ length: 3 }, (_, index) => index))(
  'imports at the same time leave one material, in one object (%i)',
  async () => {
    const { KeyId } = await newKey('HMAC_256', 'GENERATE_VERIFY_MAC');
    const material = randomBytes(32);
    const sets = await Promise.all(
      Array.from({ length: 4 }, () =>
        service.kms.getParametersForImport({
          KeyId,
          WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
          WrappingKeySpec: 'RSA_2048',
        }),
      ),
    );
    const outcomes = await Promise.allSettled(
      sets.map((parameters) =>
        service.kms.importKeyMaterial({
          KeyId,
          ImportToken: parameters.ImportToken,
          EncryptedKeyMaterial: wrap(parameters as Parameters, 'RSAES_OAEP_SHA_256', material),
          ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
        }),
      ),
    );
    expect(outcomes.map(({ status }) => status)).toContain('fulfilled');
    await eventually(async () => (await ownKeyLabels(service.dataDir)).filter((label) => label === KeyId).length === 1);
    const Message = randomBytes(20);
    for (let round = 0; round < 6; round++) {
      const { Mac } = await service.newClient().generateMac({ KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' });
      expect(Buffer.from(Mac!)).toEqual(createHmac('sha256', material).update(Message).digest());
    }
  },
);

test('an object that a process left when it died is replaced', async () => {
  const { KeyId } = await newKey();
  const material = randomBytes(32);
  await importInto(service, KeyId, material);
  const held = tokenObjects(service);
  // as it is between the object and its row
  sql(service, "update keys set state = 'PendingImport', current_material_id = null where id = ?", KeyId);
  sql(service, 'delete from key_materials where key_id = ?', KeyId);
  await importInto(service, KeyId, material);
  await eventually(() => tokenObjects(service) === held);
  await opens(await encrypt(KeyId));
});

test('keys and ids survive a restart', async () => {
  const { KeyId } = await newKey();
  const material = randomBytes(32);
  const { KeyMaterialId } = await importInto(service, KeyId, material);
  const blob = await encrypt(KeyId);
  await service.restart();
  await opens(blob);
  expect((await importInto(service, KeyId, material)).KeyMaterialId).toBe(KeyMaterialId);
});
