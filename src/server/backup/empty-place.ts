import { existsSync } from 'node:fs';
import type { Settings } from '../../config/settings.js';
import { dataDirectory, makePrivateDirectory, writePrivateFile } from '../data-directory.js';
import { claimDataDirectory, lockForInitialisation } from '../data-directory-use.js';
import { inspectDatabase } from '../store-of-settings.js';

/**
 * Does something while no service and no `init` is at work in a data directory.
 *
 * @throws Error in one sentence that says what to do
 */
export async function atRest<T>(settings: Settings, work: () => Promise<T>): Promise<T> {
  const directory = dataDirectory(settings);
  makePrivateDirectory(directory.path);
  const service = claimDataDirectory(directory);
  try {
    const init = lockForInitialisation(directory);
    try {
      return await work();
    } finally {
      init.release();
    }
  } finally {
    service?.release();
  }
}

/** @throws Error in one sentence that says what to do, for a database that holds anything */
export async function expectEmptyDatabase(settings: Settings): Promise<void> {
  const { isEmpty } = await inspectDatabase(settings);
  if (isEmpty) return;
  const { database } = dataDirectory(settings);
  throw new Error(
    settings.databaseUrl === undefined
      ? `The database ${database} holds something already: move it away with its -wal and -shm files, or set HSM_KMS_DATA_DIR to another directory.`
      : 'The database in PostgreSQL holds something already: make another with createdb --encoding=UTF8, and name that one instead.',
  );
}

/** The first administrator's access key is among the rows: its file is for people, and a sign that `init` has ended. */
export function keepCredentialsFile(settings: Settings): void {
  const { credentials } = dataDirectory(settings);
  if (existsSync(credentials)) return;
  writePrivateFile(credentials, '# The access keys are those of the database, which came from elsewhere.\n');
}
