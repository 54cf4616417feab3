import { setTimeout as wait } from 'node:timers/promises';
import { CompiledQuery, Kysely, type Migration, Migrator, type Selectable, type Transaction } from 'kysely';
import { ChangeLog, type KnownChanges, logChange } from './change-log.js';
import type { Database } from './database.js';
import { isTransient } from './database-errors.js';
import type { DatabaseState } from './database-identity.js';
import { migrations } from './migrations/index.js';
import { openPostgres, type PostgresLocation } from './postgres.js';
import type { Schema, StoreRevisionTable } from './schema.js';
import type { Change } from './seal/change.js';
import { Records } from './seal/records.js';
import type { Seals } from './seal/seals.js';
import { beginChange, examineSeals, hasNoRecords, type StoreExamination, sealAll } from './seal/whole-store.js';
import { openSqlite } from './sqlite.js';
import { type CacheUses, meterQuery, type StoreMeter } from './store-meter.js';

/** How often a transaction is made anew after failures that left nothing behind. */
const attempts = 6;
/** What the first of them waits for, in milliseconds; each further one twice as long. */
const firstPause = 20;

/** How a store is found before its records are sealed. */
export interface SealState {
  readonly isSealed: boolean;
  /** It has none of the records that are sealed. */
  readonly isEmpty: boolean;
}

/** What was done in a transaction that raises the revision. */
interface Revised<T> {
  readonly result: T;
  readonly committed: () => void;
  /** Names of the records that were changed; undefined when it may be any. */
  readonly touched?: ReadonlySet<string> | undefined;
  /** Where it is not the next. */
  readonly revision?: number;
}

/** The metadata of keys and identities. Key material is in the token, never here. */
export class Store {
  readonly db: Kysely<Schema>;
  /** Who counts the queries. */
  meter: StoreMeter | undefined;
  /** Of the caches over this store, by their names. */
  readonly cacheUses = new Map<string, CacheUses>();
  /** Who makes and checks the seals of records; without, nothing can be changed, and what is read is not checked. */
  seals: Seals | undefined;
  private readonly log: ChangeLog;
  /** The revision, as long as this turn of the event loop lasts. */
  private seen: { readonly revision: number | undefined } | undefined;

  constructor(private readonly database: Database) {
    this.db = new Kysely<Schema>({
      dialect: database.dialect,
      log: (event) => this.meter && meterQuery(this.meter, event),
    });
    this.log = new ChangeLog(this.db);
  }

  /**
   * @param where a SQLite database's file, made when absent, or PostgreSQL
   * @throws DatabaseRefusedError; Error that says what is wrong
   */
  static open(where: string | PostgresLocation): Store {
    return new Store(typeof where === 'string' ? openSqlite(where) : openPostgres(where));
  }

  get kind(): Database['kind'] {
    return this.database.kind;
  }

  /** Whose database it is, and how old; nothing is changed. @throws DatabaseRefusedError when it is not this program's */
  inspect(): Promise<DatabaseState> {
    return this.database.inspect(this.db);
  }

  /** Brings the schema up to date. @throws Error that says what failed, also for a database of a newer version */
  async migrate(): Promise<void> {
    await this.inspect();
    const error = await this.migrateBy(migrations);
    if (error)
      throw new Error(`The database cannot be brought up to date: ${(error as Error).message}`, { cause: error });
  }

  /**
   * Fills an empty database with content of this schema or of an older one, in one transaction: whole or not at all.
   *
   * @param migration the last one that the content knows
   * @param content writes it, on the schema of that migration; what came later is then made of it
   * @param finish on the schema of this program
   * @throws what these throw
   */
  async fill(
    migration: string,
    content: (transaction: Kysely<unknown>) => Promise<void>,
    finish: (transaction: Kysely<Schema>) => Promise<void>,
  ): Promise<void> {
    const last = Object.keys(migrations).at(-1);
    const filling = Object.entries(migrations).map(([name, { up }]) => [
      name,
      {
        async up(transaction: Kysely<unknown>) {
          await up(transaction);
          if (name === migration) await content(transaction);
          if (name === last) await finish(transaction as Kysely<Schema>);
        },
      },
    ]);
    const error = await this.migrateBy(Object.fromEntries(filling));
    if (error) throw error;
  }

  /** All that are not made yet, in one transaction. @returns why nothing was changed */
  private migrateBy(migrations: Record<string, Migration>): Promise<unknown> {
    // Kysely looks at all tables before it takes a lock, which PostgreSQL refuses while another process changes them
    return this.exclusively('migrations', async () => {
      const own = this.database.migrations?.();
      const db = own ? new Kysely<unknown>(own) : this.db;
      const migrator = new Migrator({ db, provider: { getMigrations: async () => migrations } });
      const { error } = await migrator.migrateToLatest();
      if (own) await db.destroy();
      return error;
    });
  }

  /** Records as they are at this moment of the store. @param db what `read` gave, or each query by itself */
  records(db: Kysely<Schema> = this.db): Records {
    return new Records(db, this.seals);
  }

  /**
   * One transaction, after which no process believes any more what it has in memory of the records that were changed.
   * Changes are made one after another, whichever process makes them: each sees all that those before it did.
   *
   * @param work is made again after a failure that left nothing behind: it has no effect but on the change
   * @throws BrokenSealError when a record, or the store as a whole, was changed by somebody else; the token's errors
   */
  change<T>(work: (change: Change) => Promise<T>): Promise<T> {
    return this.revise(async (transaction, revised) => {
      const change = await beginChange(transaction, this.expectSeals(), revised);
      const result = await work(change);
      return { result, committed: await change.finish(), touched: change.touched() };
    });
  }

  /**
   * Seals every record as it is, whoever wrote it.
   *
   * @param decide asked when nobody else changes anything: whether the records have seals, and whether there are any
   * @param skipped so many revisions are passed over: where later ones than the store's may be known somewhere
   * @returns how many were sealed
   */
  sealAll(decide: (state: SealState) => Promise<boolean>, skipped = 0): Promise<number> {
    return this.revise(async (transaction, { revision: next, seal }) => {
      const revision = next + skipped;
      const doIt = await decide({ isSealed: seal !== null, isEmpty: await hasNoRecords(transaction) });
      if (!doIt) return { result: 0, committed: () => {}, touched: new Set<string>() };
      if (skipped > 0) await transaction.updateTable('store_revision').set({ revision }).execute();
      const { records, committed } = await sealAll(transaction, this.expectSeals(), revision);
      return { result: records, committed, revision };
    });
  }

  /**
   * What was changed after one revision, up to another: the records, and those that they belong to.
   *
   * @param from as `revision` gives them; undefined to ask about the other only
   */
  changesBetween(from: number | undefined, to: number): Promise<KnownChanges> {
    return this.log.between(from, to, this.seals);
  }

  /**
   * Makes a change of nothing where the last one is not written down, as after an upgrade or a restoration: until there
   * is one, nothing is kept in memory.
   */
  async writeDownLast(): Promise<void> {
    const { isReal } = await this.log.between(undefined, await this.lastRevision(), this.seals);
    if (!isReal) await this.change(async () => {});
  }

  /** The number of the last change: from 1, in whichever database. */
  async lastRevision(): Promise<number> {
    const { revision } = await this.db.selectFrom('store_revision').select('revision').executeTakeFirstOrThrow();
    return revision;
  }

  /** Whether its records were ever sealed. */
  async isSealed(): Promise<boolean> {
    const row = await this.db.selectFrom('store_revision').select('seal').executeTakeFirst();
    return row !== undefined && row.seal !== null;
  }

  /** Checks every record. @throws the token's errors */
  examineSeals(): Promise<StoreExamination> {
    return this.read((db) => examineSeals(db, this.expectSeals()));
  }

  private expectSeals(): Seals {
    if (this.seals === undefined) throw new Error('Nothing of the store is changed without the token, which seals it.');
    return this.seals;
  }

  /** A transaction that raises the revision, and then tells the others. */
  private async revise<T>(
    work: (transaction: Transaction<Schema>, revised: Selectable<StoreRevisionTable>) => Promise<Revised<T>>,
  ): Promise<T> {
    let revision = 0;
    try {
      const { result, committed } = await this.inTransaction(async (transaction) => {
        // first of all: its lock is what makes the others wait
        const revised = await transaction
          .updateTable('store_revision')
          .set((row) => ({ revision: row('revision', '+', 1) }))
          .returningAll()
          .executeTakeFirstOrThrow();
        revision = revised.revision;
        const done = await work(transaction, revised);
        revision = done.revision ?? revision;
        await logChange(transaction, this.expectSeals(), revision, done.touched);
        const announcement = this.database.changes.announce?.(revision);
        if (announcement) {
          await transaction.executeQuery(CompiledQuery.raw(announcement.sql, [...announcement.parameters]));
        }
        return done;
      });
      committed();
      await this.database.changes.committed?.(revision);
      return result;
    } catch (error) {
      // why it failed may be what others have changed: who reads again must see that
      if (revision > 0) this.database.changes.saw?.(revision - 1);
      throw error;
    } finally {
      // who reads on in this turn sees what was changed in it
      this.seen = undefined;
    }
  }

  /** One transaction on what no process keeps in memory: counts, leases, last uses. @param work as in `change` */
  record<T>(work: (transaction: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.inTransaction(work);
  }

  /** Reads in several queries what belongs together: all see the store as it is at one moment. */
  read<T>(work: (transaction: Transaction<Schema>) => Promise<T>): Promise<T> {
    return this.db.transaction().setIsolationLevel('repeatable read').setAccessMode('read only').execute(work);
  }

  /** Does what several nodes must not do at the same time; it ends with the process. */
  exclusively<T>(task: string, work: () => Promise<T>): Promise<T> {
    return this.database.exclusively?.(task, work) ?? work();
  }

  /** How many connections other processes have to the store; 0 where files of one machine tell who works with it. */
  async otherConnections(): Promise<number> {
    return (await this.database.otherConnections?.(this.db as Kysely<unknown>)) ?? 0;
  }

  /** The time by which all processes of the store go, in milliseconds since the epoch: clocks of nodes differ. */
  time(): Promise<number> {
    return this.database.time(this.db as Kysely<unknown>);
  }

  /**
   * A number that differs from the previous one when anything was changed, by this process or by another: what tells
   * whether something in memory is still true. Undefined while that cannot be known.
   */
  revision(): number | undefined {
    return this.database.changes.revision();
  }

  /**
   * The same as it was first seen in this turn of the event loop, for next to nothing: what a cache compares before it
   * answers. A request that was sent after another process's change had been answered is read in a later turn.
   */
  revisionOfTurn(): number | undefined {
    if (this.seen === undefined) {
      this.seen = { revision: this.revision() };
      setImmediate(() => {
        this.seen = undefined;
      });
    }
    return this.seen.revision;
  }

  /** Once it is asked to commit, nobody knows whether a transaction that fails has happened: it is not made again. */
  private async inTransaction<T>(work: (transaction: Transaction<Schema>) => Promise<T>): Promise<T> {
    for (let attempt = 1; ; attempt++) {
      let isCommitting = false;
      try {
        return await this.db.transaction().execute(async (transaction) => {
          const result = await work(transaction);
          isCommitting = true;
          return result;
        });
      } catch (error) {
        if (isCommitting || attempt === attempts || !isTransient(error)) throw error;
      }
      await wait(firstPause * 2 ** (attempt - 1) * (0.5 + Math.random()));
    }
  }

  async close(): Promise<void> {
    await this.database.close();
    await this.db.destroy();
  }
}
