import type { ColumnType, Generated } from 'kysely';

/** Instants are stored as milliseconds since the epoch (UTC), truth values as 0 and 1: alike in SQLite and PostgreSQL. */
export type Instant = number;
type Truth = 0 | 1;

export interface KeysTable {
  /** Key id: a UUID, or mrk- and 32 hexadecimal digits. */
  id: string;
  spec: string;
  usage: string;
  origin: string;
  state: string;
  description: string;
  /** The key policy as it was sent: JSON. */
  policy: string;
  created_at: Instant;
  deletion_at: Instant | null;
  pending_window_days: number | null;
  multi_region: Truth;
  /** The material that new ciphertexts and signatures are made with. */
  current_material_id: string | null;
  /** Counts the changes of this row. */
  version: Generated<number>;
}

export interface KeyMaterialsTable {
  /** KeyMaterialId: 64 hexadecimal digits; its bytes are the CKA_ID of the token's objects. */
  id: string;
  key_id: string;
  /** DER SubjectPublicKeyInfo; null for a symmetric key. */
  public_key: Buffer | null;
  created_at: Instant;
}

export interface AliasesTable {
  /** With its prefix: alias/... */
  name: string;
  key_id: string;
  created_at: Instant;
  updated_at: Instant;
}

export interface TagsTable {
  key_id: string;
  tag_key: string;
  tag_value: string;
}

export interface PrincipalsTable {
  arn: string;
  /** The unique id that aws:userid shows: AIDA... */
  unique_id: string;
  administrator: Truth;
  created_at: Instant;
}

export interface AccessKeysTable {
  /** AKIA... */
  id: string;
  principal_arn: string;
  /** The secret access key, encrypted by the token's sealing key. */
  sealed_secret: Buffer;
  active: ColumnType<Truth, Truth, Truth>;
  created_at: Instant;
}

/** Facts about this store: which token and account it was made with. */
export interface StoreFactsTable {
  name: string;
  value: string;
}

export interface Schema {
  keys: KeysTable;
  key_materials: KeyMaterialsTable;
  aliases: AliasesTable;
  tags: TagsTable;
  principals: PrincipalsTable;
  access_keys: AccessKeysTable;
  store_facts: StoreFactsTable;
}
