import type { KeySpec, KeyState, KeyUsageType, OriginType } from '@aws-sdk/client-kms';
import type { Selectable } from 'kysely';
import { RevisionCache } from '../store/revision-cache.js';
import type { KeyMaterialsTable, KeysTable } from '../store/schema.js';
import type { Store } from '../store/store.js';
import type { KeyMaterial, KeyRecord } from './key-record.js';
import { type Home, keyArn } from './key-reference.js';

/** Somebody else changed the key since it was read: read it again and decide again. */
export class StaleKeyError extends Error {
  override readonly name = 'StaleKeyError';
}

/** What may change in a key's own row. */
export interface KeyChanges {
  readonly state?: KeyState;
  readonly description?: string;
  readonly deletionAt?: Date | undefined;
  readonly pendingWindowDays?: number | undefined;
}

export type NewKey = Omit<KeyRecord, 'arn' | 'aliases' | 'version'>;

const cachedKeys = 20_000;

/** The keys in the store. */
export class KeyRepository {
  private readonly cache: RevisionCache<KeyRecord>;

  constructor(
    private readonly store: Store,
    readonly home: Home,
  ) {
    this.cache = new RevisionCache(store, cachedKeys);
  }

  /** The key, from memory as long as nothing in the store has changed. */
  find(id: string): KeyRecord | undefined | Promise<KeyRecord | undefined> {
    return this.cache.get(id, (name) => this.load(name));
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

  /** Commits a new key: from here on it exists. */
  async insert(key: NewKey): Promise<void> {
    await this.store.change(async (transaction) => {
      await transaction
        .insertInto('keys')
        .values({
          id: key.id,
          spec: key.spec,
          usage: key.usage,
          origin: key.origin,
          state: key.state,
          description: key.description,
          policy: key.policy,
          created_at: key.createdAt.getTime(),
          deletion_at: null,
          pending_window_days: null,
          multi_region: key.multiRegion ? 1 : 0,
          current_material_id: key.currentMaterialId ?? null,
        })
        .execute();
      for (const material of key.materials.values()) {
        await transaction
          .insertInto('key_materials')
          .values({
            id: material.id,
            key_id: key.id,
            public_key: material.publicKey ?? null,
            created_at: material.createdAt.getTime(),
          })
          .execute();
      }
      for (const [tagKey, tagValue] of key.tags) {
        await transaction.insertInto('tags').values({ key_id: key.id, tag_key: tagKey, tag_value: tagValue }).execute();
      }
    });
  }

  /** Changes a key that has not changed since it was read. @throws StaleKeyError when it has */
  async change(key: KeyRecord, changes: KeyChanges): Promise<void> {
    await this.store.change(async (transaction) => {
      const { numUpdatedRows } = await transaction
        .updateTable('keys')
        .set((row) => ({
          version: row('version', '+', 1),
          ...(changes.state !== undefined && { state: changes.state }),
          ...(changes.description !== undefined && { description: changes.description }),
          ...('deletionAt' in changes && { deletion_at: changes.deletionAt?.getTime() ?? null }),
          ...('pendingWindowDays' in changes && { pending_window_days: changes.pendingWindowDays ?? null }),
        }))
        .where('id', '=', key.id)
        .where('version', '=', key.version)
        .executeTakeFirst();
      if (numUpdatedRows !== 1n) throw new StaleKeyError(`key ${key.id} has changed`);
    });
  }

  private async load(id: string): Promise<KeyRecord | undefined> {
    const { db } = this.store;
    const row = await db.selectFrom('keys').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) return undefined;
    const materials = await db
      .selectFrom('key_materials')
      .selectAll()
      .where('key_id', '=', id)
      .orderBy('created_at')
      .execute();
    const tags = await db.selectFrom('tags').selectAll().where('key_id', '=', id).orderBy('tag_key').execute();
    const aliases = await db.selectFrom('aliases').select('name').where('key_id', '=', id).orderBy('name').execute();
    return recordOf(row, this.home, {
      materials: new Map(materials.map((material) => [material.id, materialOf(material)])),
      tags: new Map(tags.map((tag) => [tag.tag_key, tag.tag_value])),
      aliases: aliases.map((alias) => alias.name),
    });
  }
}

function recordOf(
  row: Selectable<KeysTable>,
  home: Home,
  parts: Pick<KeyRecord, 'materials' | 'tags' | 'aliases'>,
): KeyRecord {
  return {
    id: row.id,
    arn: keyArn(home, row.id),
    spec: row.spec as KeySpec,
    usage: row.usage as KeyUsageType,
    origin: row.origin as OriginType,
    state: row.state as KeyState,
    description: row.description,
    policy: row.policy,
    createdAt: new Date(row.created_at),
    deletionAt: row.deletion_at === null ? undefined : new Date(row.deletion_at),
    pendingWindowDays: row.pending_window_days ?? undefined,
    multiRegion: row.multi_region === 1,
    currentMaterialId: row.current_material_id ?? undefined,
    version: row.version,
    ...parts,
  };
}

function materialOf(row: Selectable<KeyMaterialsTable>): KeyMaterial {
  return {
    id: row.id,
    ckaId: Buffer.from(row.id, 'hex'),
    publicKey: row.public_key ?? undefined,
    createdAt: new Date(row.created_at),
  };
}
