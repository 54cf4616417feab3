import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

/** How often the service looks for due work here, in milliseconds. */
const interval = 25;
const day = 24 * 60 * 60 * 1000;
const periodDays = 100;

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--schedule-milliseconds', String(interval)] });
});
afterAll(() => service.end());

/** A key with automatic rotation, and a ciphertext of it. */
async function rotatingKey(): Promise<{ KeyId: string; ciphertext: Uint8Array }> {
  const { KeyId } = await service.newKey();
  await service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays: periodDays });
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from(KeyId) });
  return { KeyId, ciphertext: CiphertextBlob as Uint8Array };
}

/** Moves the date of the next rotation of some keys: time passes. */
function nextRotation(keyIds: readonly string[], milliseconds: number): void {
  const places = keyIds.map(() => '?').join(', ');
  sql(service, `update keys set next_rotation_at = ? where id in (${places})`, Date.now() + milliseconds, ...keyIds);
}
const idsOf = (keys: readonly { KeyId: string }[]) => keys.map(({ KeyId }) => KeyId);

const rotationsOf = (KeyId: string) =>
  sql<{ rotation_type: string }>(
    service,
    'select rotation_type from key_materials where key_id = ? and rotated_at is not null',
    KeyId,
  ).map((row) => row.rotation_type);

/** How many of these keys have been rotated. */
function countRotated(keys: readonly { KeyId: string }[]): number {
  const rows = sql<{ key_id: string }>(service, 'select key_id from key_materials where rotated_at is not null');
  const rotated = new Set(rows.map((row) => row.key_id));
  return keys.filter(({ KeyId }) => rotated.has(KeyId)).length;
}

const manyRounds = () => sleep(12 * interval);
const nobodyHoldsALease = () => sql(service, 'delete from leases');

/** A key after any history: one current material, which is the newest, and nothing lost. */
async function expectSound(KeyId: string, ciphertext: Uint8Array): Promise<void> {
  const { KeyMetadata } = await service.kms.describeKey({ KeyId });
  const { Rotations = [] } = await service.kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' });
  const current = Rotations.filter(({ KeyMaterialState }) => KeyMaterialState === 'CURRENT');
  expect(current).toEqual([Rotations.at(-1)]);
  expect(KeyMetadata?.CurrentKeyMaterialId).toBe(current[0]?.KeyMaterialId);
  const old = await service.kms.decrypt({ CiphertextBlob: ciphertext });
  expect(Buffer.from(old.Plaintext ?? []).toString()).toBe(KeyId);
  expect(old.KeyMaterialId).toBe(Rotations[0]?.KeyMaterialId);
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('new') });
  const fresh = await service.kms.decrypt({ CiphertextBlob });
  expect(fresh.KeyMaterialId).toBe(KeyMetadata?.CurrentKeyMaterialId);
}

test('a key is rotated when it is due, and next a period later, though several periods were missed', async () => {
  const { KeyId, ciphertext } = await rotatingKey();
  nextRotation([KeyId], 60_000);
  await manyRounds();
  expect(rotationsOf(KeyId)).toEqual([]);

  nextRotation([KeyId], -5 * periodDays * day);
  await until('rotations', () => rotationsOf(KeyId).length > 0);
  await manyRounds();
  expect(rotationsOf(KeyId)).toEqual(['AUTOMATIC']);
  const { Rotations } = await service.kms.listKeyRotations({ KeyId });
  expect(Rotations).toMatchObject([{ KeyMaterialState: 'CURRENT', RotationType: 'AUTOMATIC' }]);
  const { NextRotationDate, ...status } = await service.kms.getKeyRotationStatus({ KeyId });
  expect(status).toMatchObject({ KeyRotationEnabled: true, RotationPeriodInDays: periodDays });
  const rotatedAt = Rotations?.[0]?.RotationDate as Date;
  expect(NextRotationDate).toEqual(new Date(rotatedAt.getTime() + periodDays * day));
  await expectSound(KeyId, ciphertext);

  // not counted as one of the 25 on demand, and not in their way
  await service.kms.rotateKeyOnDemand({ KeyId });
  expect(rotationsOf(KeyId).sort()).toEqual(['AUTOMATIC', 'ON_DEMAND']);
  await expectSound(KeyId, ciphertext);
});

test('a key that became due while the service was down is rotated once', async () => {
  const { KeyId, ciphertext } = await rotatingKey();
  await service.stop();
  nextRotation([KeyId], -3 * periodDays * day);
  nobodyHoldsALease();
  await service.serve();
  await until('rotations', () => rotationsOf(KeyId).length > 0);
  await manyRounds();
  expect(rotationsOf(KeyId)).toEqual(['AUTOMATIC']);
  await expectSound(KeyId, ciphertext);
});

test('a disabled key is rotated when it is enabled again, one pending deletion only after that too', async () => {
  const { KeyId, ciphertext } = await rotatingKey();
  await service.kms.disableKey({ KeyId });
  nextRotation([KeyId], -day);
  await manyRounds();
  await service.kms.scheduleKeyDeletion({ KeyId });
  await manyRounds();
  await service.kms.cancelKeyDeletion({ KeyId });
  await manyRounds();
  expect(rotationsOf(KeyId)).toEqual([]);
  expect((await service.kms.getKeyRotationStatus({ KeyId })).KeyRotationEnabled).toBe(true);
  await service.kms.enableKey({ KeyId });
  await until('rotations', () => rotationsOf(KeyId).length > 0);
  await expectSound(KeyId, ciphertext);
});

test('a key whose rotation was switched off is not rotated', async () => {
  const { KeyId } = await rotatingKey();
  await service.kms.disableKeyRotation({ KeyId });
  nobodyHoldsALease();
  await manyRounds();
  expect(rotationsOf(KeyId)).toEqual([]);
});

test('workers that rotate at the same time, without a lease between them, rotate each key once', async () => {
  const keys = await Promise.all(Array.from({ length: 16 }, rotatingKey));
  const objects = tokenObjects(service);
  nextRotation(idsOf(keys), -day);
  await until('rotations', () => {
    nobodyHoldsALease();
    return countRotated(keys) === keys.length;
  });
  await manyRounds();
  for (const { KeyId, ciphertext } of keys) {
    expect(rotationsOf(KeyId)).toEqual(['AUTOMATIC']);
    await expectSound(KeyId, ciphertext);
  }
  expect(tokenObjects(service)).toBe(objects + keys.length);
});

test('RotateKeyOnDemand in the middle of automatic rotations is refused or carried out, never half', async () => {
  const { KeyId, ciphertext } = await rotatingKey();
  const objects = tokenObjects(service);
  const outcomes: string[] = [];
  for (let each = 1; each <= 6; each++) {
    const under = Array.from({ length: 4 }, () => refusalName(service.kms.rotateKeyOnDemand({ KeyId })));
    nextRotation([KeyId], -1);
    outcomes.push(...(await Promise.all(under.map((outcome) => outcome.catch(() => 'rotated')))));
    await until('rotations', () => rotationsOf(KeyId).filter((type) => type === 'AUTOMATIC').length === each);
  }
  const rotated = outcomes.filter((outcome) => outcome === 'rotated').length;
  expect(new Set(outcomes)).toEqual(new Set(rotated ? ['rotated', 'ConflictException'] : ['ConflictException']));
  expect(rotationsOf(KeyId).filter((type) => type === 'ON_DEMAND')).toHaveLength(rotated);
  expect(tokenObjects(service)).toBe(objects + 6 + rotated);
  await expectSound(KeyId, ciphertext);
});

test('kill -9 in the middle: every key is rotated once, and none is lost', async () => {
  const keys = await Promise.all(Array.from({ length: 16 }, rotatingKey));
  const killWorkers = () => service.workers.map((worker) => process.kill(worker, 'SIGKILL'));
  await service.stop();
  nextRotation(idsOf(keys), -day);
  nobodyHoldsALease();
  await service.serve();

  await until('rotations', () => countRotated(keys) >= 1);
  killWorkers();
  // a lease outlives its holder by up to a minute: longer than this test
  nobodyHoldsALease();
  await until('rotations', () => countRotated(keys) >= 6);
  killWorkers();
  await service.kill();
  nobodyHoldsALease();
  await service.serve();

  await until('rotations', () => countRotated(keys) === keys.length);
  await manyRounds();
  for (const { KeyId, ciphertext } of keys) {
    expect(rotationsOf(KeyId)).toEqual(['AUTOMATIC']);
    await expectSound(KeyId, ciphertext);
  }
});
