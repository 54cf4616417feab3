import { closeSync, openSync } from 'node:fs';
import Sqlite from 'better-sqlite3';
import {
  CompiledQuery,
  type DatabaseConnection,
  type Dialect,
  type Driver,
  SqliteAdapter,
  SqliteDialect,
  SqliteDriver,
} from 'kysely';
import { applicationId, inspectSqlite } from './database-identity.js';
import { diskError } from './disk-trouble.js';

/** Transactions take the write lock at their start: one that reads first and writes later could not wait for it. */
class ImmediateTransactions extends SqliteDriver {
  constructor(private readonly database: Sqlite.Database) {
    super({ database });
  }

  override async beginTransaction(connection: DatabaseConnection): Promise<void> {
    await connection.executeQuery(CompiledQuery.raw('begin immediate'));
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
  constructor(private readonly database: Sqlite.Database) {
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
export function openSqlite(file: string): { dialect: Dialect; dataVersion: () => number } {
  const { isEmpty } = inspectSqlite(file);
  let database: Sqlite.Database;
  try {
    // SQLite gives its other files the mode of this one
    closeSync(openSync(file, 'a', 0o600));
    database = new Sqlite(file);
    database.pragma(`busy_timeout = ${busyMilliseconds}`);
    database.pragma('journal_mode = WAL');
    database.pragma('synchronous = FULL');
    database.pragma('foreign_keys = ON');
    if (isEmpty) database.pragma(`application_id = ${applicationId}`);
  } catch (error) {
    throw (
      diskError(error, `The database ${file} cannot be opened.`) ??
      new Error(`The database ${file} cannot be opened: ${(error as Error).message}`, { cause: error })
    );
  }
  const dataVersion = database.prepare('PRAGMA data_version').pluck();
  return { dialect: new ImmediateSqliteDialect(database), dataVersion: () => dataVersion.get() as number };
}
