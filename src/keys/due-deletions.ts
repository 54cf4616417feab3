import { destroyMaterial } from './key-generation.js';
import type { KeyRepository } from './key-repository.js';
import type { KeyTokens } from './key-tokens.js';

/**
 * Deletes the keys whose waiting period is over: first their objects in the token, then their rows. A process that dies
 * in between leaves a key that is still due, as nobody can cancel its deletion any more.
 *
 * @returns the ids of the keys that were deleted
 * @throws TokenError; the keys that are left stay due
 */
export async function deleteDueKeys(keys: KeyRepository, tokens: KeyTokens, now: Date): Promise<string[]> {
  const deleted: string[] = [];
  for (const id of await keys.listDue('deletion_at', now)) {
    const key = await keys.find(id);
    if (key?.state !== 'PendingDeletion') continue;
    const { token } = await tokens.of(key);
    for (const material of key.materials.values()) destroyMaterial(token, material);
    await keys.delete(id);
    deleted.push(id);
  }
  return deleted;
}
