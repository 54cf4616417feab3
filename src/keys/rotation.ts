import type { RotationType } from '@aws-sdk/client-kms';
import type { ChangedRecord } from '../store/seal/change.js';
import { discardMaterial, generateMaterial, selfTestKey } from './key-generation.js';
import { type KeyMaterial, type KeyRecord, withCurrent } from './key-record.js';
import { isSurelyUncommitted, type KeyRepository, materialRow, StaleKeyError } from './key-repository.js';
import type { SupportedUsage } from './key-specs.js';
import type { KeyToken } from './key-tokens.js';

/** How a key comes to its next material. */
export interface Rotation {
  readonly type: RotationType;
  readonly at: Date;
  /** The automatic rotation as it is to be afterwards. */
  readonly schedule: KeyRecord['rotation'];
}

/**
 * Rotates a key to material that the token generates: made, read back, used once, then current in one transaction, in
 * which the material before it becomes one that only decrypts. A process that dies before that leaves an orphan in the
 * token, and the key as it was.
 *
 * @throws StaleKeyError when the key has changed meanwhile; TokenError, SelfTestError. The new objects are destroyed,
 * unless a commit that was not confirmed may need them.
 */
export async function rotateToNewMaterial(
  keys: KeyRepository,
  { token, capabilities }: KeyToken,
  key: KeyRecord,
  { type, at, schedule }: Rotation,
): Promise<void> {
  const generated = await generateMaterial(token, capabilities, key.spec, key.usage as SupportedUsage, key.id);
  const material: KeyMaterial = { ...generated, rotatedAt: at, rotationType: type };
  let isCommitting = false;
  try {
    await selfTestKey(token, capabilities, withCurrent(key, material));
    isCommitting = true;
    await keys.change(key, { currentMaterialId: material.id, rotation: schedule }, async (record) => {
      await retireCurrent(record);
      await record.put('key_materials', materialRow(key.id, material));
    });
  } catch (error) {
    if (!isCommitting || isSurelyUncommitted(error)) discardMaterial(token, material);
    throw error;
  }
}

/**
 * Rotates a key to the imported material that waits for it. It is used once before, so that material which the token
 * does not show never becomes current.
 *
 * @throws StaleKeyError when the key or its material has changed meanwhile; TokenError, ObjectMissingError
 */
export async function rotateToImportedMaterial(
  keys: KeyRepository,
  { token, capabilities }: KeyToken,
  key: KeyRecord,
  pending: KeyMaterial,
  at: Date,
): Promise<void> {
  await selfTestKey(token, capabilities, withCurrent(key, pending));
  await keys.change(key, { currentMaterialId: pending.id }, async (record) => {
    await retireCurrent(record);
    const row = record.part('key_materials').find(({ id }) => id === pending.id);
    if (row?.state !== 'PENDING_ROTATION' || row.present !== 1) {
      throw new StaleKeyError(`material ${pending.id} is not pending rotation any more`);
    }
    await record.put('key_materials', {
      ...row,
      state: 'CURRENT',
      rotated_at: at.getTime(),
      rotation_type: 'ON_DEMAND',
    });
  });
}

/** The material that was current decrypts only. */
async function retireCurrent(record: ChangedRecord<'keys'>): Promise<void> {
  for (const row of record.part('key_materials')) {
    if (row.state === 'CURRENT') await record.put('key_materials', { ...row, state: 'NON_CURRENT' });
  }
}
