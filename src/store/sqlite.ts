import { closeSync, openSync } from 'node:fs';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
  type TransactionSettings,
} from 'kysely';
import type { Changes, Database } from './database.js';
import { applicationId, inspectSqlite } from './database-identity.js';
import { diskError } from './disk-trouble.js';
import { type RevisionRow, SeenRevisions } from './seen-revisions.js';
import { SqliteConnection, type Statement } from './sqlite-connection.js';

/**
 * Transactions that write take the write lock at their start: one that reads first and writes later could not wait for
 * it. Those that read see one state of the database, and lock nobody out.
 */
class ImmediateTransactions extends SqliteDriver {
  constructor(private readonly database: SqliteConnection) {
    super({ database });
  }

  override async beginTransaction(connection: DatabaseConnection, settings?: TransactionSettings): Promise<void> {
    const begin = settings?.accessMode === 'read only' ? 'begin deferred' : 'begin immediate';
    await connection.executeQuery(CompiledQuery.raw(begin));
  }

  /** After some errors, such as a full disk, SQLite has done it itself; what it would say then hides the error. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    if (this.database.inTransaction) await super.rollbackTransaction(connection);
  }
}

/** Migrations run in a transaction: whole or not at all, and in one process while others wait. */
class TransactionalMigrations extends SqliteAdapter {
  override get supportsTransactionalDdl(): boolean {
    return true;
  }
}

class ImmediateSqliteDialect extends SqliteDialect implements Dialect {
  constructor(private readonly database: SqliteConnection) {
    super({ database });
  }

  override createDriver(): Driver {
    return new ImmediateTransactions(this.database);
  }

  override createAdapter(): SqliteAdapter {
    return new TransactionalMigrations();
  }
}

/** How long a writer waits for another process's transaction, in milliseconds. */
const busyMilliseconds = 10_000;

/**
 * Opens a SQLite database file as this service needs it: write-ahead log, every commit on disk before it is answered,
 * foreign keys enforced.
 *
 * @throws DatabaseRefusedError before anything is written; Error that names the file
 */
export function openSqlite(file: string): Database {
  const { isEmpty } = inspectSqlite(file);
  let database: SqliteConnection;
  let watcher: SqliteConnection;
  try {
    // SQLite gives its other files the mode of this one
    closeSync(openSync(file, 'a', 0o600));
    database = new SqliteConnection(file);
    database.exec(`PRAGMA busy_timeout = ${busyMilliseconds}`);
    database.exec('PRAGMA journal_mode = WAL');
    database.exec('PRAGMA synchronous = FULL');
    database.exec('PRAGMA foreign_keys = ON');
    if (isEmpty) database.exec(`PRAGMA application_id = ${applicationId}`);
    watcher = new SqliteConnection(file, { readonly: true });
  } catch (error) {
    throw (
      diskError(error, `The database ${file} cannot be opened.`) ??
      new Error(`The database ${file} cannot be opened: ${(error as Error).message}`, { cause: error })
    );
  }
  return {
    kind: 'SQLite',
    dialect: new ImmediateSqliteDialect(database),
    inspect: async () => inspectSqlite(file),
    time: async () => Date.now(),
    changes: new SqliteChanges(watcher),
    close: async () => {
      watcher.close();
    },
  };
}

/**
 * The store's revision, as a connection sees it that never writes: data_version changes for it with every commit, also
 * those of this process (SQLite, PRAGMA data_version), and only then the row is read. Some 2 microseconds.
 */
class SqliteChanges implements Changes {
  private readonly dataVersion: Statement;
  private row: Statement | undefined;
  private lastVersion: unknown;
  private readonly seen = new SeenRevisions();

  constructor(private readonly watcher: SqliteConnection) {
    this.dataVersion = watcher.prepare('PRAGMA data_version').pluck();
  }

  revision(): number | undefined {
    const version = this.dataVersion.get();
    if (version !== this.lastVersion || this.seen.revision === undefined) {
      // the version first: what is committed between the two is seen again the next time
      this.lastVersion = version;
      this.seen.read(this.readRow());
    }
    return this.seen.revision;
  }

  private readRow(): RevisionRow | undefined {
    try {
      this.row ??= this.watcher.prepare('select revision, seal from store_revision');
      return this.row.get() as RevisionRow | undefined;
    } catch {
      // before the migrations there is no such table, and nothing to remember
      return undefined;
    }
  }
}
