import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { Settings } from '../config/settings.js';
import { expectWholeSqlite, inspectSqlite } from '../store/database-identity.js';
import { type DataDirectory, dataDirectory } from './data-directory.js';
import { type ExclusiveLock, takeExclusiveLock } from './exclusive-lock.js';

/** A service that is being replaced may need a moment to end, in milliseconds. */
const endOfAnotherService = 1_000;
/** Longer than an `init` takes, in milliseconds. */
const endOfAnotherInit = 60_000;

/**
 * Checks that a data directory, where it exists, is this user's own and can be written to. What root would make in the
 * directory of the service's user, the service could not use.
 *
 * @throws Error in one sentence that says what to do
 */
export function checkDataDirectory({ path }: DataDirectory): void {
  if (!existsSync(path)) return;
  const user = process.geteuid?.();
  const { uid: owner } = statSync(path);
  if (user !== undefined && owner !== user) {
    throw new Error(
      `The data directory ${path} belongs to ${nameOf(owner)}, and hsm-kms runs as ${nameOf(user)}: run it as ${nameOf(owner)}, give it the directory (chown -R ${user} ${path}), or set HSM_KMS_DATA_DIR to another directory.`,
    );
  }
  try {
    accessSync(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new Error(
      `The data directory ${path} cannot be written to (${code}): make it writable, or set HSM_KMS_DATA_DIR to another directory.`,
      { cause: error },
    );
  }
}

function nameOf(uid: number): string {
  return uid === 0 ? 'root' : `user ${uid}`;
}

/**
 * Looks at the database before anybody serves from it, and changes nothing: whose it is, and whether it is whole.
 *
 * @throws Error in one sentence that says what to do
 */
export function checkDatabase(settings: Pick<Settings, 'dataDir' | 'databaseUrl'>): void {
  const directory = dataDirectory(settings);
  checkDataDirectory(directory);
  if (settings.databaseUrl !== undefined) return;
  const { database, credentials } = directory;
  // who opens it says what is missing
  if (![database, credentials].every(existsSync)) return;
  if (inspectSqlite(database).isEmpty) {
    throw new Error(
      `The database ${database} is empty: put it back from your back-up; where there never was another, type hsm-kms init.`,
    );
  }
  expectWholeSqlite(database);
}

/**
 * Makes this process the only service over a data directory for as long as it lives, and checks the directory: SQLite's
 * database and its caches are for one service. Where the directory does not exist there is nothing to keep apart.
 *
 * @throws Error in one sentence that says what to do
 */
export function claimDataDirectory(directory: DataDirectory): ExclusiveLock | undefined {
  if (!existsSync(directory.path)) return undefined;
  checkDataDirectory(directory);
  const lock = takeExclusiveLock(join(directory.path, 'service.lock'), endOfAnotherService);
  if (lock === undefined) {
    throw new Error(
      `Another hsm-kms serves from the data directory ${directory.path}: stop that one, or set HSM_KMS_DATA_DIR to another directory.`,
    );
  }
  return lock;
}

/** Lets one process at a time initialise a data directory. @throws Error in one sentence that says what to do */
export function lockForInitialisation(directory: DataDirectory): ExclusiveLock {
  const lock = takeExclusiveLock(join(directory.path, 'init.lock'), endOfAnotherInit);
  if (lock === undefined) {
    throw new Error(
      `Another hsm-kms init has been at work in ${directory.path} for a minute: wait for it or end it, and try again.`,
    );
  }
  return lock;
}
