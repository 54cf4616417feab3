import { closeSync, openSync } from 'node:fs';
import { diskError } from '../store/disk-trouble.js';
import { SqliteConnection } from '../store/sqlite-connection.js';

/** A lock on a file, which the kernel ends with the process that has it, however that ends. */
export interface ExclusiveLock {
  release(): void;
}

/**
 * Takes the lock on a file: SQLite's own, which works wherever its databases do. Node has no other.
 *
 * @param file made when absent; nothing is written to it. This process must not open it otherwise
 * @param waitMilliseconds how long another process is waited for, in which this one does nothing else
 * @returns undefined when another process has the lock
 * @throws Error that names the file
 */
export function takeExclusiveLock(file: string, waitMilliseconds: number): ExclusiveLock | undefined {
  let database: SqliteConnection | undefined;
  try {
    closeSync(openSync(file, 'a', 0o600));
    database = new SqliteConnection(file, { timeout: waitMilliseconds });
    database.exec('BEGIN EXCLUSIVE');
    const held = database;
    return { release: () => held.close() };
  } catch (error) {
    database?.close();
    if ((error as { code?: unknown }).code === 'SQLITE_BUSY') return undefined;
    throw (
      diskError(error, `The lock ${file} cannot be taken.`) ??
      new Error(`The lock ${file} cannot be taken: ${(error as Error).message}`, { cause: error })
    );
  }
}
