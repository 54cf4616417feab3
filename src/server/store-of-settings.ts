import { setTimeout as wait } from 'node:timers/promises';
import type { Settings } from '../config/settings.js';
import { isLostConnection } from '../store/database-errors.js';
import { type DatabaseState, inspectSqlite } from '../store/database-identity.js';
import { DiskError, diskError } from '../store/disk-trouble.js';
import { Store } from '../store/store.js';
import { audited } from './audit/command-audit.js';
import { dataDirectory, expectInitialised } from './data-directory.js';

type DatabaseSettings = Pick<
  Settings,
  'dataDir' | 'databaseUrl' | 'databasePasswordFile' | 'databaseConnections' | 'databaseMigration'
>;

/** How often a database that is away is looked for, in milliseconds. */
const waitMilliseconds = 200;

/** The store that the settings name, in whatever state it is. @throws Error that says what to do */
export function storeOfSettings(settings: DatabaseSettings): Store {
  const { databaseUrl: url, databasePasswordFile: passwordFile, databaseConnections: connections } = settings;
  return Store.open(url === undefined ? dataDirectory(settings).database : { url, passwordFile, connections });
}

/** What the database is, before anything is written. @throws DatabaseRefusedError when it is not this program's */
export async function inspectDatabase(settings: DatabaseSettings): Promise<DatabaseState> {
  // opening it makes the file
  if (settings.databaseUrl === undefined) return inspectSqlite(dataDirectory(settings).database);
  const store = storeOfSettings(settings);
  try {
    return await store.inspect();
  } finally {
    await store.close();
  }
}

/**
 * Opens a store that was initialised, with the schema of this program.
 *
 * @throws Error in one sentence that says what to do
 */
export async function openStore(settings: DatabaseSettings): Promise<Store> {
  expectInitialised(settings);
  const store = storeOfSettings(settings);
  try {
    await bringUpToDate(settings, store);
  } catch (error) {
    await store.close();
    throw error;
  }
  return store;
}

/**
 * The same for a worker that takes the place of another: it waits for a database that is away, or on a disk that cannot be
 * written to.
 *
 * @param away told once
 */
export async function openStoreWhenPossible(settings: DatabaseSettings, away: (error: Error) => void): Promise<Store> {
  for (let isTold = false; ; isTold = true) {
    try {
      return await openStore(settings);
    } catch (error) {
      if (!mayComeBack(error)) throw error;
      if (!isTold) away(error as Error);
    }
    await wait(waitMilliseconds);
  }
}

/**
 * Makes the schema that this program needs, or says that it is for the operator to do: a newer schema shuts nodes of an
 * older version out when they start.
 *
 * @param mayBeEmpty true for the command that makes the first schema
 * @throws Error in one sentence that says what to do
 */
export async function bringUpToDate(settings: DatabaseSettings, store: Store, mayBeEmpty = false): Promise<void> {
  const migration = settings.databaseMigration ?? (store.kind === 'SQLite' ? 'automatic' : 'explicit');
  if (migration === 'automatic') return store.migrate();
  const { isEmpty, pending } = await store.inspect();
  if (isEmpty && mayBeEmpty) return store.migrate();
  if (isEmpty) throw new Error('The database is empty. Type: hsm-kms init');
  if (pending.length > 0) {
    throw new Error(`The database is older than this program (${pending.join(', ')}). Type: hsm-kms migrate`);
  }
}

/** @returns the names of the migrations that were made. @throws Error in one sentence that says what to do */
export async function migrateStore(settings: Settings): Promise<readonly string[]> {
  expectInitialised(settings);
  const store = storeOfSettings(settings);
  try {
    const { pending } = await store.inspect();
    const event = { source: 'hsm-kms', name: 'MigrateStore', parameters: { migrations: pending } } as const;
    if (pending.length > 0) await audited(settings, event, () => store.migrate());
    return pending;
  } finally {
    await store.close();
  }
}

function mayComeBack(error: unknown): boolean {
  const { cause } = error as Error;
  return (
    isLostConnection(error) || error instanceof DiskError || (cause !== undefined && diskError(cause, '') !== undefined)
  );
}
