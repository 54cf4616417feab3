import { KmsError } from '../contract/kms-error.js';
import { RevisionCache } from '../store/revision-cache.js';
import type { Store } from '../store/store.js';
import { aliasArn, type Home } from './key-reference.js';

/** An alias: a name for one key, unique in the account and Region. */
export interface AliasRecord {
  /** With its prefix: alias/... */
  readonly name: string;
  readonly arn: string;
  readonly keyId: string;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

const cachedAliases = 20_000;

/** The aliases in the store. */
export class AliasRepository {
  private readonly cache: RevisionCache<AliasRecord>;

  /** @param aliasesPerKey quota; AWS has 50 */
  constructor(
    private readonly store: Store,
    private readonly home: Home,
    private readonly aliasesPerKey: number,
  ) {
    this.cache = new RevisionCache(store, cachedAliases, 'aliases', { of: 'aliases' });
  }

  find(name: string): AliasRecord | undefined | Promise<AliasRecord | undefined> {
    return this.cache.get(name, () => this.load(name));
  }

  /** Aliases in the order of their names, from the one after `after`; of one key only when `keyId` is given. */
  async list(after: string, limit: number, keyId?: string): Promise<AliasRecord[]> {
    let query = this.store.db.selectFrom('aliases').selectAll().where('name', '>', after);
    if (keyId !== undefined) query = query.where('key_id', '=', keyId);
    const page = query.orderBy('name').limit(limit);
    const rows = await this.store.records().list('aliases', () => page.execute());
    return rows.map((row) => this.recordOf(row));
  }

  /** @throws KmsError AlreadyExistsException, LimitExceededException */
  async create(name: string, keyId: string, at: Date): Promise<void> {
    await this.store.change(async (change) => {
      const existing = await change.db.selectFrom('aliases').select('name').where('name', '=', name).executeTakeFirst();
      if (existing) {
        throw new KmsError(
          'AlreadyExistsException',
          `An alias with the name ${aliasArn(this.home, name)} already exists`,
        );
      }
      const { count } = await change.db
        .selectFrom('aliases')
        .select((row) => row.fn.countAll<number>().as('count'))
        .where('key_id', '=', keyId)
        .executeTakeFirstOrThrow();
      if (Number(count) >= this.aliasesPerKey) {
        throw new KmsError(
          'LimitExceededException',
          `The key has ${this.aliasesPerKey} aliases already, which is the limit`,
        );
      }
      const time = at.getTime();
      await change.insert('aliases', { name, key_id: keyId, created_at: time, updated_at: time });
    });
  }

  /** Points an alias to another key. */
  async update(name: string, keyId: string, at: Date): Promise<void> {
    await this.store.change(async (change) => {
      const alias = await change.find('aliases', name);
      await alias?.set({ key_id: keyId, updated_at: at.getTime() });
    });
  }

  async delete(name: string): Promise<void> {
    await this.store.change((change) => change.delete('aliases', name));
  }

  private async load(name: string): Promise<AliasRecord | undefined> {
    const found = await this.store.records().find('aliases', name);
    return found && this.recordOf(found.row);
  }

  private recordOf(row: { name: string; key_id: string; created_at: number; updated_at: number }): AliasRecord {
    return {
      name: row.name,
      arn: aliasArn(this.home, row.name),
      keyId: row.key_id,
      createdAt: new Date(row.created_at),
      updatedAt: new Date(row.updated_at),
    };
  }
}
