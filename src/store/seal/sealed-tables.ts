import type { Selectable } from 'kysely';
import type { Schema } from '../schema.js';

/** Tables whose rows are sealed, each with all that belongs to it. */
export type SealedTable =
  | 'custom_key_stores'
  | 'keys'
  | 'aliases'
  | 'principals'
  | 'managed_policies'
  | 'access_keys'
  | 'grants';

/** Tables whose rows belong to a sealed one, by the table of that. */
interface Parts {
  keys: 'key_materials' | 'tags';
  principals: 'principal_tags' | 'inline_policies' | 'attached_policies';
}
export type PartOf<T extends SealedTable> = T extends keyof Parts ? Parts[T] : never;
export type PartTable = Parts[keyof Parts];

export type RowOf<T extends keyof Schema> = Selectable<Schema[T]>;

/** A part: which column names the record, which tell its rows apart, and which are not sealed. */
export interface PartRule {
  readonly table: PartTable;
  readonly of: string;
  readonly keys: readonly string[];
  readonly unsealed: readonly string[];
}

/** How a record of a table is put together. */
export interface RecordRule {
  /** The primary key's column. */
  readonly id: string;
  /** Columns that are written now and then without a change: nothing is decided by them. */
  readonly unsealed: readonly string[];
  readonly parts: readonly PartRule[];
  /** Tables whose records are deleted with it, and the column by which they name it. */
  readonly owned: readonly { readonly table: SealedTable; readonly of: string }[];
}

const alone = { unsealed: [], parts: [], owned: [] };

/** What is sealed, and together with what: every row that bears on who may do what with which key material. */
export const sealedTables: Readonly<Record<SealedTable, RecordRule>> = {
  custom_key_stores: { ...alone, id: 'id' },
  keys: {
    id: 'id',
    unsealed: [],
    parts: [
      { table: 'key_materials', of: 'key_id', keys: ['id'], unsealed: ['encryptions_reserved'] },
      { table: 'tags', of: 'key_id', keys: ['tag_key'], unsealed: [] },
    ],
    owned: [
      { table: 'aliases', of: 'key_id' },
      { table: 'grants', of: 'key_id' },
    ],
  },
  aliases: { ...alone, id: 'name' },
  principals: {
    id: 'arn',
    unsealed: [],
    parts: [
      { table: 'principal_tags', of: 'principal_arn', keys: ['tag_key'], unsealed: [] },
      { table: 'inline_policies', of: 'principal_arn', keys: ['name'], unsealed: [] },
      { table: 'attached_policies', of: 'principal_arn', keys: ['policy_arn'], unsealed: [] },
    ],
    owned: [{ table: 'access_keys', of: 'principal_arn' }],
  },
  managed_policies: { ...alone, id: 'arn' },
  access_keys: { ...alone, id: 'id', unsealed: ['last_used_at', 'last_used_service', 'last_used_region'] },
  grants: { ...alone, id: 'id' },
};

export const sealedTableNames = Object.keys(sealedTables) as readonly SealedTable[];

/** By table, the one that its records belong to, and the column that names the record. */
export const ownerOf: Readonly<Partial<Record<SealedTable, { readonly table: SealedTable; readonly of: string }>>> =
  Object.fromEntries(
    sealedTableNames.flatMap((table) =>
      sealedTables[table].owned.map((owned) => [owned.table, { table, of: owned.of }]),
    ),
  );
