import type { Store } from '../../store/store.js';

/** Key material as the store has it. */
export interface StoredMaterial {
  readonly id: string;
  readonly keyId: string;
  readonly isPair: boolean;
  readonly present: boolean;
  readonly isImported: boolean;
  /** True where it is in the service's own token, false where in that of a custom key store. */
  readonly isOwn: boolean;
  /** Milliseconds since the epoch. */
  readonly deletionAt: number | undefined;
  readonly expiresAt: number | undefined;
}

export interface StoredKeys {
  /** By KeyMaterialId. */
  readonly materials: ReadonlyMap<string, StoredMaterial>;
  /** CKA_IDs of import wrapping keys, in hexadecimal digits. */
  readonly wrappingKeys: ReadonlySet<string>;
  /** Ids of materials that are no CKA_ID. */
  readonly unreadable: readonly string[];
  /** Ids of keys that should have key material, and have none. */
  readonly incomplete: readonly string[];
}

const idPattern = /^[0-9a-f]{64}$/;
const instant = (value: number | null) => (value === null ? undefined : Number(value));

/** What the store says of objects in tokens. */
export async function storedKeys({ db }: Store): Promise<StoredKeys> {
  const incomplete = await db
    .selectFrom('keys')
    .leftJoin('key_materials', 'key_materials.id', 'keys.current_material_id')
    .select('keys.id as id')
    .where('keys.origin', '!=', 'EXTERNAL')
    .where('key_materials.id', 'is', null)
    .execute();
  const rows = await db
    .selectFrom('key_materials')
    .innerJoin('keys', 'keys.id', 'key_materials.key_id')
    .select(['key_materials.id as id', 'key_id', 'present', 'expires_at'])
    .select(['origin', 'custom_key_store_id', 'deletion_at'])
    .select((row) => row('public_key', 'is not', null).as('is_pair'))
    .execute();
  const wrappingKeys = await db.selectFrom('import_wrapping_keys').select('id').execute();
  const materials = new Map(
    rows.map((row) => [
      row.id,
      {
        id: row.id,
        keyId: row.key_id,
        isPair: Boolean(row.is_pair),
        present: row.present === 1,
        isImported: row.origin === 'EXTERNAL',
        isOwn: row.custom_key_store_id === null,
        deletionAt: instant(row.deletion_at),
        expiresAt: instant(row.expires_at),
      },
    ]),
  );
  return {
    materials,
    wrappingKeys: new Set(wrappingKeys.map(({ id }) => id)),
    unreadable: [...materials.keys()].filter((id) => !idPattern.test(id)),
    incomplete: incomplete.map(({ id }) => id),
  };
}
