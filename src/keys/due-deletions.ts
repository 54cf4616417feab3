import { KmsError } from '../contract/kms-error.js';
import type { WrappingKeys } from './import/wrapping-keys.js';
import { destroyMaterial } from './key-generation.js';
import type { KeyRepository } from './key-repository.js';
import type { KeyTokens } from './key-tokens.js';

/**
 * Deletes the keys whose waiting period is over: first their objects in the token, then their rows. A process that dies
 * in between leaves a key that is still due, as nobody can cancel its deletion any more. A key whose custom key store
 * cannot be used stays due, and holds no other up.
 *
 * @param did is told the id of each key as soon as it is deleted
 * @returns the ids of the keys that were deleted
 * @throws AggregateError of TokenErrors; the keys that are left stay due
 */
export async function deleteDueKeys(
  keys: KeyRepository,
  tokens: KeyTokens,
  wrappingKeys: WrappingKeys,
  now: Date,
  did: (keyId: string) => void = () => {},
): Promise<string[]> {
  const deleted: string[] = [];
  const failures: unknown[] = [];
  for (const id of await keys.listDue('deletion_at', now)) {
    const key = await keys.find(id);
    if (key?.state !== 'PendingDeletion') continue;
    try {
      const { token } = await tokens.of(key);
      for (const material of key.materials.values()) destroyMaterial(token, material);
      for (const wrappingKey of await wrappingKeys.listOf(id)) await wrappingKeys.destroy(wrappingKey);
      await keys.delete(id);
      deleted.push(id);
      did(id);
    } catch (error) {
      if (!(error instanceof KmsError && error.name === 'KMSInvalidStateException')) failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} due keys cannot be deleted`);
  return deleted;
}
