import type { ColumnType, Generated } from 'kysely';

/** Instants are stored as milliseconds since the epoch (UTC), truth values as 0 and 1: alike in SQLite and PostgreSQL. */
export type Instant = number;
type Truth = 0 | 1;
/** What tells that the service has written a record and all that belongs to it; see seal/seals.ts. Null before the first. */
type Seal = ColumnType<Buffer | null, never, Buffer>;

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
  /** ARN -> unique id of the principals that the policy names, as they were when it was set: JSON; null for none. */
  policy_principals: string | null;
  created_at: Instant;
  deletion_at: Instant | null;
  pending_window_days: number | null;
  multi_region: Truth;
  /** The custom key store whose token holds the key; null for the service's own token. */
  custom_key_store_id: string | null;
  /** Automatic rotation: null while it is off. */
  rotation_period_days: number | null;
  next_rotation_at: Instant | null;
  /** The material that new ciphertexts and signatures are made with. */
  current_material_id: string | null;
  /** Counts the changes of this row. */
  version: Generated<number>;
  seal: Seal;
}

export interface KeyMaterialsTable {
  /** KeyMaterialId: 64 hexadecimal digits; its bytes are the CKA_ID of the token's objects. */
  id: string;
  key_id: string;
  /** DER SubjectPublicKeyInfo; null for a symmetric key. */
  public_key: Buffer | null;
  created_at: Instant;
  /** CURRENT, NON_CURRENT, or PENDING_ROTATION for imported material that waits for its rotation. */
  state: string;
  /** False while imported material is deleted or has expired: its object is not in the token. */
  present: Truth;
  /** Imported material only. */
  description: string | null;
  expires_at: Instant | null;
  /** When it became current by a rotation, and which: AUTOMATIC, ON_DEMAND; null for the first. */
  rotated_at: Instant | null;
  rotation_type: string | null;
  /** Encryptions with this material that processes have set aside for themselves: an upper bound of those made. */
  encryptions_reserved: Generated<number>;
}

/** RSA keys in the token that wait for key material to be imported under them. */
export interface ImportWrappingKeysTable {
  /** CKA_ID, 64 hexadecimal digits. */
  id: string;
  key_id: string;
  expires_at: Instant;
}

export interface GrantsTable {
  /** GrantId: 64 hexadecimal digits. */
  id: string;
  key_id: string;
  name: string;
  /** ARN, or the name of a service principal. */
  grantee: string;
  grantee_is_service: Truth;
  retiring: string | null;
  retiring_is_service: Truth;
  issuing_account: string;
  /** JSON array of grant operations, sorted. */
  operations: string;
  /** JSON object, or null. */
  constraints: string | null;
  /** ARN -> unique id of grantee and retiring principal, as they were when it was made: JSON; null for none. */
  principals: string | null;
  created_at: Instant;
  seal: Seal;
}

export interface CustomKeyStoresTable {
  /** cks- and 17 hexadecimal digits. */
  id: string;
  name: string;
  /** CloudHsmClusterId: names a token of the configuration. */
  cluster_id: string;
  trust_anchor_certificate: string;
  /** The token's user PIN, encrypted by the service's own token's sealing key. */
  sealed_password: Buffer;
  /** CONNECTED, DISCONNECTED, FAILED ... */
  connection_state: string;
  connection_error: string | null;
  /** Counts the connections: a process that holds the login of an earlier one logs in anew. */
  connection: Generated<number>;
  created_at: Instant;
  /** Counts the changes of this row. */
  version: Generated<number>;
  seal: Seal;
}

/** The last use of each key; written now and then, not at every request. */
export interface KeyUsesTable {
  key_id: string;
  operation: string;
  used_at: Instant;
  request_id: string;
}

/** Who does a scheduled task, until when. */
export interface LeasesTable {
  task: string;
  holder: string;
  expires_at: Instant;
}

/** One row, raised by every change that a process may have something of in memory. */
export interface StoreRevisionTable {
  revision: number;
  /** What tells which records there are; see seal/record-set.ts. Null before they were sealed. */
  record_set: Buffer | null;
  /** Of revision and record set. */
  seal: Buffer | null;
}

/** What each of the last changes was about; see change-log.ts. */
export interface StoreChangesTable {
  /** The store's, after the change. */
  revision: number;
  /** Names of the records that were changed, and of those that they belong to: JSON. */
  records: string;
  /** Of both. */
  seal: Buffer;
}

export interface AliasesTable {
  /** With its prefix: alias/... */
  name: string;
  key_id: string;
  created_at: Instant;
  updated_at: Instant;
  seal: Seal;
}

export interface TagsTable {
  key_id: string;
  tag_key: string;
  tag_value: string;
}

/** Users and roles. */
export interface PrincipalsTable {
  arn: string;
  /** The unique id that aws:userid shows: AIDA..., AROA... */
  unique_id: string;
  kind: 'user' | 'role';
  /** Begins and ends with a slash. */
  path: string;
  name: string;
  /** The name in lower case: names that differ in case only are one. */
  folded_name: string;
  created_at: Instant;
  /** Of a role only. */
  description: string | null;
  /** JSON; of a role only. */
  trust_policy: string | null;
  /** ARN -> unique id of the principals that the trust policy names, as they were when it was set: JSON; null for none. */
  trust_principals: string | null;
  /** Of a role only. */
  max_session_seconds: number | null;
  /** ARN of a managed policy. */
  permissions_boundary: string | null;
  seal: Seal;
}

export interface PrincipalTagsTable {
  principal_arn: string;
  tag_key: string;
  tag_value: string;
}

export interface InlinePoliciesTable {
  principal_arn: string;
  name: string;
  /** JSON, as it was given. */
  document: string;
}

/** The account's own managed policies; AWS's are in the program. */
export interface ManagedPoliciesTable {
  arn: string;
  /** ANPA... */
  unique_id: string;
  path: string;
  name: string;
  folded_name: string;
  description: string | null;
  /** JSON, as it was given: the latest version, the only one that is kept. */
  document: string;
  version: Generated<number>;
  created_at: Instant;
  updated_at: Instant;
  seal: Seal;
}

export interface AttachedPoliciesTable {
  principal_arn: string;
  /** One of the account's own, or one of AWS's. */
  policy_arn: string;
}

export interface AccessKeysTable {
  /** AKIA... */
  id: string;
  principal_arn: string;
  /** The secret access key, encrypted by the token's sealing key. */
  sealed_secret: Buffer;
  active: ColumnType<Truth, Truth, Truth>;
  created_at: Instant;
  /** Null while it was never used; written now and then, not at every request. */
  last_used_at: Instant | null;
  /** kms, sts */
  last_used_service: string | null;
  last_used_region: string | null;
  seal: Seal;
}

export interface Schema {
  keys: KeysTable;
  key_materials: KeyMaterialsTable;
  aliases: AliasesTable;
  tags: TagsTable;
  principals: PrincipalsTable;
  principal_tags: PrincipalTagsTable;
  inline_policies: InlinePoliciesTable;
  managed_policies: ManagedPoliciesTable;
  attached_policies: AttachedPoliciesTable;
  access_keys: AccessKeysTable;
  import_wrapping_keys: ImportWrappingKeysTable;
  grants: GrantsTable;
  custom_key_stores: CustomKeyStoresTable;
  key_uses: KeyUsesTable;
  leases: LeasesTable;
  store_revision: StoreRevisionTable;
  store_changes: StoreChangesTable;
}
