import type { KeySpec, KeyState, KeyUsageType, OriginType } from '@aws-sdk/client-kms';
import type { Kysely, Selectable } from 'kysely';
import { namedPrincipalsFrom, namedPrincipalsText } from '../authorization/named-principals.js';
import { KmsError } from '../contract/kms-error.js';
import { diskError } from '../store/disk-trouble.js';
import { RevisionCache } from '../store/revision-cache.js';
import type { CustomKeyStoresTable, KeyMaterialsTable, KeysTable, Schema } from '../store/schema.js';
import type { Change, ChangedRecord } from '../store/seal/change.js';
import { SharedTexts } from '../store/shared-texts.js';
import type { Store } from '../store/store.js';
import type { KeyMaterial, KeyPolicy, KeyRecord } from './key-record.js';
import { type Home, keyArn } from './key-reference.js';
import { MaterialObjects } from './material-objects.js';
import { putTags } from './tags.js';

/** Somebody else changed the key since it was read: read it again and decide again. */
export class StaleKeyError extends Error {
  override readonly name = 'StaleKeyError';
}

/**
 * Whether a change that failed so has certainly not been made, nor will be. A database whose connection broke, or that
 * did not answer in time, may be committing it at this very moment, though a reader does not see it yet; so the token's
 * objects that belong to the change must stay.
 */
export function isSurelyUncommitted(error: unknown): boolean {
  if (error instanceof KmsError || error instanceof StaleKeyError) return true;
  return diskError(error, '')?.isSurelyUnwritten ?? false;
}

/** What may change in a key's own row. */
export interface KeyChanges {
  readonly state?: KeyState;
  readonly description?: string;
  readonly deletionAt?: Date | undefined;
  readonly pendingWindowDays?: number | undefined;
  readonly policy?: KeyPolicy;
  readonly rotation?: KeyRecord['rotation'];
  readonly currentMaterialId?: string | undefined;
}

export type NewKey = Omit<KeyRecord, 'arn' | 'aliases' | 'version'>;

const cachedKeys = 20_000;

/** The keys in the store. */
export class KeyRepository {
  private readonly cache: RevisionCache<KeyRecord>;
  private readonly policyTexts = new SharedTexts();

  /** @param keysPerAccount quota; AWS has 100,000 */
  constructor(
    private readonly store: Store,
    readonly home: Home,
    private readonly keysPerAccount: number,
  ) {
    this.cache = new RevisionCache(store, cachedKeys, 'keys', { of: 'keys', on: ['custom_key_stores'] });
  }

  /** The key, from memory as long as nothing of it has changed. */
  find(id: string): KeyRecord | undefined | Promise<KeyRecord | undefined> {
    return this.cache.get(id, () => this.store.read((db) => this.load(db, id)));
  }

  /** Ids in their order, from the one after `after`. */
  async listIds(after: string, limit: number): Promise<string[]> {
    const rows = await this.store.db
      .selectFrom('keys')
      .select('id')
      .where('id', '>', after)
      .orderBy('id')
      .limit(limit)
      .execute();
    return rows.map((row) => row.id);
  }

  /**
   * Commits a new key, and what belongs to it, both or none: from here on it exists.
   *
   * @throws KmsError LimitExceededException; AlreadyExistsException for an id that two seed at the same time
   */
  async insert(key: NewKey, alongside?: (change: Change) => Promise<unknown>): Promise<void> {
    await this.store.change(async (change) => {
      await this.checkQuota(change.db);
      await expectNew(change.db, key.id);
      await alongside?.(change);
      const record = await change.insert('keys', {
        id: key.id,
        spec: key.spec,
        usage: key.usage,
        origin: key.origin,
        state: key.state,
        description: key.description,
        policy: key.policy.text,
        policy_principals: namedPrincipalsText(key.policy.principals),
        created_at: key.createdAt.getTime(),
        deletion_at: null,
        pending_window_days: null,
        multi_region: key.multiRegion ? 1 : 0,
        current_material_id: key.currentMaterial?.id ?? null,
        custom_key_store_id: key.customKeyStoreId ?? null,
        rotation_period_days: key.rotation?.periodDays ?? null,
        next_rotation_at: key.rotation?.nextAt.getTime() ?? null,
        version: 1,
      });
      for (const material of key.materials.values()) await record.put('key_materials', materialRow(key.id, material));
      await putTags(record, key.tags);
    });
  }

  /**
   * Changes a key that has not changed since it was read, and what belongs to it, both or none.
   *
   * @throws StaleKeyError when it has changed
   */
  async change(
    key: KeyRecord,
    changes: KeyChanges,
    alongside?: (record: ChangedRecord<'keys'>, change: Change) => Promise<unknown>,
  ): Promise<void> {
    await this.store.change(async (change) => {
      const record = await change.find('keys', key.id);
      if (record?.row.version !== key.version) throw new StaleKeyError(`key ${key.id} has changed`);
      await record.set({
        version: key.version + 1,
        ...(changes.state !== undefined && { state: changes.state }),
        ...(changes.description !== undefined && { description: changes.description }),
        ...('deletionAt' in changes && { deletion_at: changes.deletionAt?.getTime() ?? null }),
        ...('pendingWindowDays' in changes && { pending_window_days: changes.pendingWindowDays ?? null }),
        ...(changes.policy !== undefined && {
          policy: changes.policy.text,
          policy_principals: namedPrincipalsText(changes.policy.principals),
        }),
        ...('rotation' in changes && {
          rotation_period_days: changes.rotation?.periodDays ?? null,
          next_rotation_at: changes.rotation?.nextAt.getTime() ?? null,
        }),
        ...('currentMaterialId' in changes && { current_material_id: changes.currentMaterialId ?? null }),
      });
      await alongside?.(record, change);
    });
  }

  /** Ids of keys with something due, in one state or whatever their state, the longest due first. */
  async listDue(column: 'deletion_at' | 'next_rotation_at', now: Date, state?: KeyState): Promise<string[]> {
    let query = this.store.db.selectFrom('keys').select('id').where(column, '<=', now.getTime());
    if (state !== undefined) query = query.where('state', '=', state);
    const rows = await query.orderBy(column).execute();
    return rows.map((row) => row.id);
  }

  /** Deletes a key with its materials, aliases, tags and grants. */
  async delete(id: string): Promise<void> {
    await this.store.change((change) => change.delete('keys', id));
  }

  /** To be asked before the token makes a key, too. @throws KmsError LimitExceededException when there are enough keys */
  async checkQuota(db: Kysely<Schema> = this.store.db): Promise<void> {
    const { count } = await db
      .selectFrom('keys')
      .select((row) => row.fn.countAll<number>().as('count'))
      .executeTakeFirstOrThrow();
    if (Number(count) >= this.keysPerAccount) {
      throw new KmsError(
        'LimitExceededException',
        `The account has ${this.keysPerAccount} keys already, which is the limit.`,
      );
    }
  }

  private async load(db: Kysely<Schema>, id: string): Promise<KeyRecord | undefined> {
    const records = this.store.records(db);
    const found = await records.find('keys', id);
    if (found === undefined) return undefined;
    const { row, parts } = found;
    const ofKey = db.selectFrom('aliases').selectAll().where('key_id', '=', id).orderBy('name');
    const aliases = await records.list('aliases', () => ofKey.execute());
    const keyStore =
      row.custom_key_store_id === null ? undefined : await records.find('custom_key_stores', row.custom_key_store_id);
    const materials = [...parts.key_materials].sort(
      (one, other) => one.created_at - other.created_at || byId(one, other),
    );
    const tags = [...parts.tags].sort((one, other) => (one.tag_key < other.tag_key ? -1 : 1));
    return recordOf(row, this.home, keyStore?.row, {
      policy: { text: this.policyTexts.of(row.policy), principals: namedPrincipalsFrom(row.policy_principals) },
      materials: new Map(materials.map((material) => [material.id, materialOf(material, row.version)])),
      tags: new Map(tags.map((tag) => [tag.tag_key, tag.tag_value])),
      aliases: aliases.map((alias) => alias.name),
    });
  }
}

/** @throws KmsError AlreadyExistsException */
async function expectNew(db: Kysely<Schema>, id: string): Promise<void> {
  const existing = await db.selectFrom('keys').select('id').where('id', '=', id).executeTakeFirst();
  if (existing) throw new KmsError('AlreadyExistsException', `The key ${id} already exists`);
}

/** What a key shares with the custom key store that holds it. */
type KeyStoreOfKey = Pick<Selectable<CustomKeyStoresTable>, 'cluster_id' | 'connection_state'>;

/** A key whose custom key store is not connected is Unavailable, unless it waits for its deletion. */
function stateOf({ state }: Selectable<KeysTable>, keyStore: KeyStoreOfKey | undefined): KeyState {
  const isReachable = keyStore === undefined || keyStore.connection_state === 'CONNECTED';
  return isReachable || state === 'PendingDeletion' ? (state as KeyState) : 'Unavailable';
}

function recordOf(
  row: Selectable<KeysTable>,
  home: Home,
  keyStore: KeyStoreOfKey | undefined,
  parts: Pick<KeyRecord, 'policy' | 'materials' | 'tags' | 'aliases'>,
): KeyRecord {
  return {
    id: row.id,
    arn: keyArn(home, row.id),
    spec: row.spec as KeySpec,
    usage: row.usage as KeyUsageType,
    origin: row.origin as OriginType,
    state: stateOf(row, keyStore),
    description: row.description,
    createdAt: new Date(row.created_at),
    deletionAt: row.deletion_at === null ? undefined : new Date(row.deletion_at),
    pendingWindowDays: row.pending_window_days ?? undefined,
    multiRegion: row.multi_region === 1,
    currentMaterial: parts.materials.get(row.current_material_id ?? ''),
    customKeyStoreId: row.custom_key_store_id ?? undefined,
    cloudHsmClusterId: keyStore?.cluster_id,
    rotation:
      row.rotation_period_days === null || row.next_rotation_at === null
        ? undefined
        : { periodDays: row.rotation_period_days, nextAt: new Date(row.next_rotation_at) },
    version: row.version,
    ...parts,
  };
}

function byId(one: { readonly id: string }, other: { readonly id: string }): number {
  return one.id < other.id ? -1 : 1;
}

function materialOf(row: Selectable<KeyMaterialsTable>, version: number): KeyMaterial {
  return {
    id: row.id,
    objects: new MaterialObjects(Buffer.from(row.id, 'hex'), version),
    publicKey: row.public_key ?? undefined,
    createdAt: new Date(row.created_at),
    state: row.state as KeyMaterial['state'],
    present: row.present === 1,
    description: row.description ?? undefined,
    expiresAt: row.expires_at === null ? undefined : new Date(row.expires_at),
    rotatedAt: row.rotated_at === null ? undefined : new Date(row.rotated_at),
    rotationType: (row.rotation_type ?? undefined) as KeyMaterial['rotationType'],
  };
}

/** The row of a key's material. */
export function materialRow(
  keyId: string,
  material: KeyMaterial,
): Omit<Selectable<KeyMaterialsTable>, 'encryptions_reserved'> {
  return {
    id: material.id,
    key_id: keyId,
    public_key: material.publicKey ?? null,
    created_at: material.createdAt.getTime(),
    state: material.state ?? 'CURRENT',
    present: material.present ? 1 : 0,
    description: material.description ?? null,
    expires_at: material.expiresAt?.getTime() ?? null,
    rotated_at: material.rotatedAt?.getTime() ?? null,
    rotation_type: material.rotationType ?? null,
  };
}
