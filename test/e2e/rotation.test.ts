import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2 });
});
afterAll(() => service.end());

const day = 24 * 60 * 60 * 1000;
const text = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString();
const encrypt = async (KeyId: string, plaintext: string) => {
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from(plaintext) });
  return CiphertextBlob as Uint8Array;
};
const currentMaterial = async (KeyId: string) =>
  (await service.kms.describeKey({ KeyId })).KeyMetadata?.CurrentKeyMaterialId as string;
const status = async (KeyId: string) => {
  const { $metadata: _, ...rest } = await service.kms.getKeyRotationStatus({ KeyId });
  return rest;
};
const rotations = async (KeyId: string) => (await service.kms.listKeyRotations({ KeyId })).Rotations ?? [];

/** The days between now and the next rotation, to within a minute. */
async function daysToNext(KeyId: string): Promise<number> {
  const { NextRotationDate } = await status(KeyId);
  return Math.round(((NextRotationDate as Date).getTime() - Date.now()) / (day / 1440)) / 1440;
}

describe('automatic rotation is a setting', () => {
  test('that is off at first', async () => {
    const { KeyId, Arn } = await service.newKey();
    expect(await status(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
  });

  test.each([
    [undefined, 365],
    [90, 90],
    [2560, 2560],
  ])('with a period of %p', async (RotationPeriodInDays, days) => {
    const { KeyId, Arn } = await service.newKey();
    await service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays });
    expect(await status(KeyId)).toEqual({
      KeyId: Arn,
      KeyRotationEnabled: true,
      RotationPeriodInDays: days,
      NextRotationDate: expect.any(Date),
    });
    expect(await daysToNext(KeyId)).toBe(days);
  });

  test.each([
    [89, 'greater than or equal to 90'],
    [2561, 'less than or equal to 2560'],
  ])('whose period is not %i', async (RotationPeriodInDays, constraint) => {
    const { KeyId } = await service.newKey();
    expect(await refusal(service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays }))).toEqual({
      name: 'ValidationException',
      message: `1 validation error detected: Value '${RotationPeriodInDays}' at 'rotationPeriodInDays' failed to satisfy constraint: Member must have value ${constraint}`,
    });
  });

  test('that is changed by enabling it with another period, and not by enabling it again', async () => {
    const { KeyId } = await service.newKey({ MultiRegion: true });
    await service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 100 });
    const first = await status(KeyId);
    await service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 100 });
    expect(await status(KeyId)).toEqual(first);
    await service.kms.enableKeyRotation({ KeyId });
    expect(await daysToNext(KeyId)).toBe(365);
  });

  test('that is switched off', async () => {
    const { KeyId, Arn } = await service.newKey();
    await service.kms.enableKeyRotation({ KeyId });
    await service.kms.disableKeyRotation({ KeyId });
    expect(await status(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
    await service.kms.disableKeyRotation({ KeyId });
  });

  test('that a disabled key keeps, and that a key pending deletion has again when it is not deleted', async () => {
    const { KeyId, Arn } = await service.newKey();
    await service.kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 123 });
    const set = await status(KeyId);
    await service.kms.disableKey({ KeyId });
    expect(await status(KeyId)).toEqual(set);
    await service.kms.scheduleKeyDeletion({ KeyId });
    expect(await status(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
    await service.kms.cancelKeyDeletion({ KeyId });
    expect(await status(KeyId)).toEqual(set);
  });
});

describe('keys that are not rotated', () => {
  const changes: ((kms: KMS, KeyId: string) => Promise<unknown>)[] = [
    (kms, KeyId) => kms.enableKeyRotation({ KeyId }),
    (kms, KeyId) => kms.disableKeyRotation({ KeyId }),
    (kms, KeyId) => kms.rotateKeyOnDemand({ KeyId }),
  ];
  const specs = [
    ['RSA_2048', 'ENCRYPT_DECRYPT'],
    ['ECC_NIST_P256', 'SIGN_VERIFY'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC'],
  ] as const;
  test.each(specs)('%s: all is refused but the question whether it is rotated', async (KeySpec, KeyUsage) => {
    const { KeyId, Arn } = await service.newKey({ KeySpec, KeyUsage });
    expect(await status(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
    for (const call of [...changes, (kms: KMS, id: string) => kms.listKeyRotations({ KeyId: id })]) {
      expect(await refusalName(call(service.kms, KeyId))).toBe('UnsupportedOperationException');
    }
    await service.kms.disableKey({ KeyId });
    expect(await refusal(service.kms.rotateKeyOnDemand({ KeyId }))).toEqual({
      name: 'DisabledException',
      message: `${Arn} is disabled.`,
    });
  });

  test('keys in the wrong state', async () => {
    const { KeyId, Arn } = await service.newKey();
    const { kms } = service;
    const refusals = () => Promise.all(changes.map((call) => refusal(call(kms, KeyId))));
    await kms.disableKey({ KeyId });
    for (const each of await refusals()) {
      expect(each).toEqual({ name: 'DisabledException', message: `${Arn} is disabled.` });
    }
    expect(await rotations(KeyId)).toEqual([]);
    await kms.scheduleKeyDeletion({ KeyId });
    for (const each of await refusals()) {
      expect(each).toEqual({ name: 'KMSInvalidStateException', message: `${Arn} is pending deletion.` });
    }
    expect(await rotations(KeyId)).toEqual([]);
  });

  test('aliases are not taken', async () => {
    const { KeyId } = await service.newKey();
    const AliasName = 'alias/rotated';
    await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
    expect(await refusalName(service.kms.rotateKeyOnDemand({ KeyId: AliasName }))).toBe('NotFoundException');
  });
});

describe('RotateKeyOnDemand', () => {
  test('makes new material, and leaves the old one for old ciphertexts, also after a restart', async () => {
    const { KeyId, Arn } = await service.newKey();
    const other = await service.newKey();
    const ciphertexts = new Map<string, Uint8Array>();
    for (const plaintext of ['first', 'second', 'third']) {
      if (ciphertexts.size > 0) expect((await service.kms.rotateKeyOnDemand({ KeyId })).KeyId).toBe(Arn);
      const material = await currentMaterial(KeyId);
      expect(material).toMatch(/^[0-9a-f]{64}$/);
      expect(ciphertexts.has(material)).toBe(false);
      ciphertexts.set(material, await encrypt(KeyId, plaintext));
      const { KeyMaterialId, CiphertextBlob } = await service.kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
      expect(KeyMaterialId).toBe(material);
      expect((await service.kms.decrypt({ CiphertextBlob })).KeyMaterialId).toBe(material);
    }
    const checkAll = async () => {
      const current = [...ciphertexts.keys()].at(-1);
      const plaintexts: string[] = [];
      for (const [material, CiphertextBlob] of ciphertexts) {
        const decrypted = await service.kms.decrypt({ CiphertextBlob });
        expect(decrypted.KeyMaterialId).toBe(material);
        plaintexts.push(text(decrypted.Plaintext));
        const moved = await service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId });
        expect(moved).toMatchObject({ SourceKeyMaterialId: material, DestinationKeyMaterialId: current });
        expect((await service.kms.decrypt(moved)).KeyMaterialId).toBe(current);
        const away = await service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: other.KeyId });
        expect(away.DestinationKeyMaterialId).toBe(await currentMaterial(other.KeyId));
      }
      expect(plaintexts).toEqual(['first', 'second', 'third']);
    };
    await checkAll();
    await service.restart();
    await checkAll();
  });

  test('leaves the date of the automatic rotation, and is refused shortly before it', async () => {
    const { KeyId } = await service.newKey();
    await service.kms.enableKeyRotation({ KeyId });
    const set = await status(KeyId);
    await service.kms.rotateKeyOnDemand({ KeyId });
    expect(await status(KeyId)).toEqual(set);

    const inMinutes = (minutes: number) =>
      sql(service, 'update keys set next_rotation_at = ? where id = ?', Date.now() + minutes * 60_000, KeyId);
    inMinutes(19);
    expect(await refusalName(service.kms.rotateKeyOnDemand({ KeyId }))).toBe('ConflictException');
    inMinutes(21);
    await service.kms.rotateKeyOnDemand({ KeyId });
    expect(await rotations(KeyId)).toHaveLength(2);
  });

  test('at most 25 times; the rotations are listed page by page', async () => {
    const { KeyId, Arn } = await service.newKey();
    const materials = [await currentMaterial(KeyId)];
    for (let each = 0; each < 25; each++) {
      await service.kms.rotateKeyOnDemand({ KeyId });
      materials.push(await currentMaterial(KeyId));
    }
    expect(await refusal(service.kms.rotateKeyOnDemand({ KeyId }))).toEqual({
      name: 'LimitExceededException',
      message: `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${Arn}`,
    });

    const listed = await rotations(KeyId);
    expect(listed.map(({ KeyMaterialId }) => KeyMaterialId)).toEqual(materials.slice(1));
    expect(listed.at(-1)).toEqual({
      KeyId,
      KeyMaterialId: materials.at(-1),
      KeyMaterialState: 'CURRENT',
      RotationDate: expect.any(Date),
      RotationType: 'ON_DEMAND',
    });
    expect(new Set(listed.slice(0, -1).map(({ KeyMaterialState }) => KeyMaterialState))).toEqual(
      new Set(['NON_CURRENT']),
    );

    const paged: unknown[] = [];
    let Marker: string | undefined;
    do {
      const input = { KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL', Limit: 7, Marker } as const;
      const page = await service.kms.listKeyRotations(input);
      expect(page.Truncated).toBe(page.NextMarker !== undefined);
      paged.push(...(page.Rotations ?? []));
      Marker = page.NextMarker;
    } while (Marker !== undefined);
    expect(paged).toEqual([{ KeyId, KeyMaterialId: materials[0], KeyMaterialState: 'NON_CURRENT' }, ...listed]);
    expect(await refusalName(service.kms.listKeyRotations({ KeyId, Marker: 'none' }))).toBe('InvalidMarkerException');
  });

  test('several at once: each either rotates or is told of the conflict, and nothing is left over', async () => {
    const { KeyId } = await service.newKey();
    const objects = tokenObjects(service);
    const clients = [1, 2, 3, 4, 5, 6, 7, 8].map(() => service.newClient());
    const outcomes = await Promise.all(
      clients.map((client) =>
        client.rotateKeyOnDemand({ KeyId }).then(
          () => 'rotated',
          (error: Error) => error.name,
        ),
      ),
    );
    const rotated = outcomes.filter((outcome) => outcome === 'rotated').length;
    expect(rotated).toBeGreaterThanOrEqual(1);
    expect(outcomes.filter((outcome) => outcome === 'ConflictException')).toHaveLength(outcomes.length - rotated);
    expect(await rotations(KeyId)).toHaveLength(rotated);
    expect(tokenObjects(service)).toBe(objects + rotated);
  });

  test('gives a key whose material has encrypted too often a fresh budget', async () => {
    const { KeyId } = await service.newKey();
    const before = await encrypt(KeyId, 'before');
    await service.restart();
    sql(service, 'update key_materials set encryptions_reserved = ? where key_id = ?', 2 ** 32, KeyId);
    expect(await refusalName(encrypt(KeyId, 'too often'))).toBe('LimitExceededException');
    await service.kms.rotateKeyOnDemand({ KeyId });
    const [decryptedBefore, decryptedAfter] = await Promise.all(
      [before, await encrypt(KeyId, 'after')].map((CiphertextBlob) => service.kms.decrypt({ CiphertextBlob })),
    );
    expect(text(decryptedBefore?.Plaintext)).toBe('before');
    expect(text(decryptedAfter?.Plaintext)).toBe('after');
  });
});

describe('keys with imported material', () => {
  /** A key as an import leaves it: one material in use, one that waits. */
  async function importedKey(): Promise<{ KeyId: string; Arn: string; first: string; pending: string }> {
    const key = await service.newKey();
    const first = await currentMaterial(key.KeyId);
    await service.kms.rotateKeyOnDemand(key);
    const pending = await currentMaterial(key.KeyId);
    sql(service, `update keys set origin = 'EXTERNAL', current_material_id = ? where id = ?`, first, key.KeyId);
    sql(service, `update key_materials set state = 'CURRENT' where id = ?`, first);
    sql(
      service,
      `update key_materials set state = 'PENDING_ROTATION', rotated_at = null, rotation_type = null,
       description = 'the next', expires_at = ? where id = ?`,
      Date.UTC(2100, 0, 1),
      pending,
    );
    return { ...key, first, pending };
  }

  test('are rotated to the material that waits, and not without', async () => {
    const { KeyId, Arn, first, pending } = await importedKey();
    const CiphertextBlob = await encrypt(KeyId, 'under the first');
    const all = async () =>
      (await service.kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' })).Rotations;
    const firstEntry = {
      KeyId,
      KeyMaterialId: first,
      KeyMaterialState: 'CURRENT',
      ImportState: 'IMPORTED',
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    };
    const pendingEntry = {
      KeyId,
      KeyMaterialId: pending,
      KeyMaterialDescription: 'the next',
      KeyMaterialState: 'PENDING_ROTATION',
      ImportState: 'IMPORTED',
      ExpirationModel: 'KEY_MATERIAL_EXPIRES',
      ValidTo: new Date(Date.UTC(2100, 0, 1)),
    };
    expect(await rotations(KeyId)).toEqual([]);
    expect(await all()).toEqual([firstEntry, pendingEntry]);

    const objects = tokenObjects(service);
    expect((await service.kms.rotateKeyOnDemand({ KeyId })).KeyId).toBe(Arn);
    expect(tokenObjects(service)).toBe(objects);
    expect(await currentMaterial(KeyId)).toBe(pending);
    expect(await all()).toEqual([
      { ...firstEntry, KeyMaterialState: 'NON_CURRENT' },
      { ...pendingEntry, KeyMaterialState: 'CURRENT', RotationDate: expect.any(Date), RotationType: 'ON_DEMAND' },
    ]);
    expect(text((await service.kms.decrypt({ CiphertextBlob })).Plaintext)).toBe('under the first');

    expect(await refusal(service.kms.rotateKeyOnDemand({ KeyId }))).toEqual({
      name: 'KMSInvalidStateException',
      message: `No available key material pending rotation for the key: ${Arn}.`,
    });
  });

  test('are not rotated automatically', async () => {
    const { KeyId, Arn } = await importedKey();
    expect(await refusalName(service.kms.enableKeyRotation({ KeyId }))).toBe('UnsupportedOperationException');
    expect(await refusalName(service.kms.disableKeyRotation({ KeyId }))).toBe('UnsupportedOperationException');
    expect(await status(KeyId)).toEqual({ KeyId: Arn, KeyRotationEnabled: false });
  });

  test('whose material was deleted say so', async () => {
    const { KeyId, Arn, first } = await importedKey();
    sql(service, 'update key_materials set present = 0 where id = ?', first);
    sql(service, `update keys set state = 'PendingImport' where id = ?`, KeyId);
    expect(await refusal(service.kms.rotateKeyOnDemand({ KeyId }))).toEqual({
      name: 'KMSInvalidStateException',
      message: `${Arn} is pending import.`,
    });
    expect(await refusalName(service.kms.enableKeyRotation({ KeyId }))).toBe('UnsupportedOperationException');
    const { Rotations } = await service.kms.listKeyRotations({ KeyId, IncludeKeyMaterial: 'ALL_KEY_MATERIAL' });
    expect(Rotations?.[0]).toEqual({
      KeyId,
      KeyMaterialId: first,
      KeyMaterialState: 'CURRENT',
      ImportState: 'PENDING_IMPORT',
    });
  });
});
