import { Kysely, Migrator, type Transaction } from 'kysely';
import { migrations } from './migrations/index.js';
import type { Schema } from './schema.js';
import { openSqlite } from './sqlite.js';
import { type CacheUses, meterQuery, type StoreMeter } from './store-meter.js';

/** The metadata of keys and identities. Key material is in the token, never here. */
export class Store {
  /** Who counts the queries. */
  meter: StoreMeter | undefined;
  /** Of the caches over this store, by their names. */
  readonly cacheUses = new Map<string, CacheUses>();
  private ownChanges = 0;
  /** The database's number, as long as this turn of the event loop lasts. */
  private seenVersion: number | undefined;

  private constructor(
    readonly db: Kysely<Schema>,
    private readonly dataVersion: () => number,
  ) {}

  /** @param file the SQLite database; made when absent. @throws Error that names it */
  static open(file: string): Store {
    const { dialect, dataVersion } = openSqlite(file);
    const store: Store = new Store(
      new Kysely<Schema>({ dialect, log: (event) => store.meter && meterQuery(store.meter, event) }),
      dataVersion,
    );
    return store;
  }

  /** Brings the schema up to date. @throws Error that says what failed, also for a database of a newer version */
  async migrate(): Promise<void> {
    const migrator = new Migrator({ db: this.db, provider: { getMigrations: async () => migrations } });
    const { error } = await migrator.migrateToLatest();
    if (error)
      throw new Error(`The database cannot be brought up to date: ${(error as Error).message}`, { cause: error });
  }

  /** One transaction, after which every cache over this store is stale. */
  async change<T>(work: (transaction: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.db.transaction().execute(async (transaction) => {
      try {
        return await work(transaction);
      } finally {
        // while nobody reads: who reads between this transaction and another sees the number change with the data
        this.ownChanges += 1;
      }
    });
  }

  /**
   * A number that differs from the previous one when anything was written, by this process or by another: what tells
   * whether things that were read one after the other belong together. Costs some 2 microseconds.
   */
  revision(): number {
    return this.numberOf(this.dataVersion());
  }

  /**
   * The same as it was first seen in this turn of the event loop, for next to nothing: what a cache compares before it
   * answers. A request that was sent after another process's change had been answered is read in a later turn.
   */
  revisionOfTurn(): number {
    if (this.seenVersion === undefined) {
      this.seenVersion = this.dataVersion();
      setImmediate(() => {
        this.seenVersion = undefined;
      });
    }
    return this.numberOf(this.seenVersion);
  }

  /** data_version counts other connections' commits only (SQLite, PRAGMA data_version); both numbers only grow. */
  private numberOf(dataVersion: number): number {
    return dataVersion * 2 ** 26 + this.ownChanges;
  }

  async close(): Promise<void> {
    await this.db.destroy();
  }
}
