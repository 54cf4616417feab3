import type { KeyState } from '@aws-sdk/client-kms';
import type { Store } from '../../store/store.js';
import type { Token } from '../../token/token.js';
import { destroyMaterial } from '../key-generation.js';
import type { KeyMaterial, KeyRecord } from '../key-record.js';
import { type KeyRepository, materialRow, StaleKeyError } from '../key-repository.js';

/**
 * The state of a key by its materials: one that lacks any of those permanently associated with it waits for them. What
 * is pending rotation is not permanently associated yet.
 */
export function stateByMaterials(key: KeyRecord, materials: Iterable<KeyMaterial>): KeyState {
  let isComplete = true;
  for (const { state, present } of materials) if (state !== 'PENDING_ROTATION' && !present) isComplete = false;
  if (key.state === 'PendingDeletion' || key.state === 'PendingReplicaDeletion') return key.state;
  if (!isComplete) return 'PendingImport';
  return key.state === 'PendingImport' ? 'Enabled' : key.state;
}

/**
 * Deletes imported material: first the token's objects, then what the store says of it. A process that dies in between
 * leaves material that cannot be used, and a deletion that can be repeated. Material that was pending rotation is
 * forgotten; other material stays bound to its key, and only the same can be imported again.
 *
 * @throws StaleKeyError when the key has changed meanwhile; TokenError
 */
export async function removeMaterial(
  keys: KeyRepository,
  token: Token,
  key: KeyRecord,
  material: KeyMaterial,
): Promise<void> {
  destroyMaterial(token, material);
  const remaining = new Map(key.materials);
  if (material.state === 'PENDING_ROTATION') remaining.delete(material.id);
  else remaining.set(material.id, { ...material, present: false, expiresAt: undefined });
  await keys.change(key, { state: stateByMaterials(key, remaining.values()) }, async (record) => {
    const left = remaining.get(material.id);
    if (left) await record.put('key_materials', materialRow(key.id, left));
    else await record.remove('key_materials', { id: material.id });
  });
}

/** Imported material that has an end. */
export class MaterialExpiry {
  constructor(
    private readonly store: Store,
    private readonly keys: KeyRepository,
    private readonly token: Token,
  ) {}

  /** Ids of the keys with material that has expired and is still there. */
  async listDue(now: Date): Promise<string[]> {
    const rows = await this.store.db
      .selectFrom('key_materials')
      .select('key_id')
      .distinct()
      .where('expires_at', '<=', now.getTime())
      .where('present', '=', 1)
      .execute();
    return rows.map((row) => row.key_id);
  }

  /** Deletes what has expired. @returns ids of the materials. @throws TokenError; what is left stays due */
  async carryOut(now: Date, did: (keyId: string, materialId: string) => void = () => {}): Promise<string[]> {
    const expired: string[] = [];
    for (const keyId of await this.listDue(now)) {
      for (;;) {
        const key = await this.keys.find(keyId);
        const material = key && [...key.materials.values()].find((each) => hasExpired(each, now));
        if (key === undefined || material === undefined) break;
        try {
          await removeMaterial(this.keys, this.token, key, material);
          expired.push(material.id);
          did(keyId, material.id);
        } catch (error) {
          // somebody has changed the key: it may have been imported anew, so look again
          if (!(error instanceof StaleKeyError)) throw error;
        }
      }
    }
    return expired;
  }
}

function hasExpired({ present, expiresAt }: KeyMaterial, now: Date): boolean {
  return present && expiresAt !== undefined && expiresAt <= now;
}
