import type { RotationType } from '@aws-sdk/client-kms';
import { diskError } from '../store/disk-trouble.js';
import { destroyMaterial, generateMaterial, selfTestKey } from './key-generation.js';
import type { KeyMaterial, KeyRecord } from './key-record.js';
import { type KeyRepository, materialRow, StaleKeyError } from './key-repository.js';
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
 * @throws StaleKeyError when the key has changed meanwhile; TokenError, SelfTestError. The new objects are destroyed.
 */
export async function rotateToNewMaterial(
  keys: KeyRepository,
  { token, capabilities }: KeyToken,
  key: KeyRecord,
  { type, at, schedule }: Rotation,
): Promise<void> {
  const generated = await generateMaterial(token, capabilities, key.spec, key.usage as SupportedUsage, key.id);
  const material: KeyMaterial = { ...generated, rotatedAt: at, rotationType: type };
  try {
    await selfTestKey(token, capabilities, withCurrent(key, material));
    await keys.change(key, { currentMaterialId: material.id, rotation: schedule }, async (transaction) => {
      await transaction
        .updateTable('key_materials')
        .set({ state: 'NON_CURRENT' })
        .where('key_id', '=', key.id)
        .where('state', '=', 'CURRENT')
        .execute();
      await transaction.insertInto('key_materials').values(materialRow(key.id, material)).execute();
    });
  } catch (error) {
    const isOpen = diskError(error, '')?.isSurelyUnwritten === false;
    if (!isOpen && !(await mayHaveRow(keys, key.id, material.id))) destroyQuietly({ token, capabilities }, material);
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
  await keys.change(key, { currentMaterialId: pending.id }, async (transaction) => {
    await transaction
      .updateTable('key_materials')
      .set({ state: 'NON_CURRENT' })
      .where('key_id', '=', key.id)
      .where('state', '=', 'CURRENT')
      .execute();
    const { numUpdatedRows } = await transaction
      .updateTable('key_materials')
      .set({ state: 'CURRENT', rotated_at: at.getTime(), rotation_type: 'ON_DEMAND' })
      .where('id', '=', pending.id)
      .where('state', '=', 'PENDING_ROTATION')
      .where('present', '=', 1)
      .executeTakeFirst();
    if (numUpdatedRows !== 1n) throw new StaleKeyError(`material ${pending.id} is not pending rotation any more`);
  });
}

function withCurrent(key: KeyRecord, material: KeyMaterial): KeyRecord {
  return { ...key, currentMaterialId: material.id, materials: new Map(key.materials).set(material.id, material) };
}

/** Whether a material may be in use after a change that failed: its commit may have been carried out all the same. */
async function mayHaveRow(keys: KeyRepository, keyId: string, materialId: string): Promise<boolean> {
  try {
    return (await keys.find(keyId))?.materials.has(materialId) ?? false;
  } catch {
    // the store does not answer: better an orphan than a key without its material
    return true;
  }
}

/** The rotation has failed already, for a reason that is worth more than why its objects cannot be destroyed. */
function destroyQuietly({ token }: KeyToken, material: KeyMaterial): void {
  try {
    destroyMaterial(token, material);
  } catch {
    // an orphan: it has no row
  }
}
