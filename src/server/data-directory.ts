import { chmodSync, existsSync, mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { Settings } from '../config/settings.js';

/** Where things lie in the data directory. */
export interface DataDirectory {
  readonly path: string;
  readonly database: string;
  /** An AWS shared-credentials file with the first administrator. */
  readonly credentials: string;
  /** The SoftHSM2 token that the service made for itself, used when no module is configured. */
  readonly softHsm: {
    readonly configuration: string;
    readonly tokens: string;
    readonly securityOfficerPin: string;
    readonly userPin: string;
  };
}

export function dataDirectory({ dataDir }: Pick<Settings, 'dataDir'>): DataDirectory {
  const path = resolve(dataDir);
  return {
    path,
    database: join(path, 'hsm-kms.db'),
    credentials: join(path, 'credentials'),
    softHsm: {
      configuration: join(path, 'softhsm2.conf'),
      tokens: join(path, 'tokens'),
      securityOfficerPin: join(path, 'token-so-pin'),
      userPin: join(path, 'token-user-pin'),
    },
  };
}

/** Where the audit log's files are. */
export function auditDirectory(settings: Pick<Settings, 'dataDir' | 'auditDirectory'>): string {
  return resolve(settings.auditDirectory ?? join(dataDirectory(settings).path, 'audit'));
}

/** A directory that only its owner enters. @throws Error that names it */
export function makePrivateDirectory(path: string): void {
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    chmodSync(path, 0o700);
  } catch (error) {
    throw new Error(
      `The directory ${path} cannot be made: ${(error as NodeJS.ErrnoException).code}. Make it yourself and give it to this user, or set HSM_KMS_DATA_DIR to another.`,
      { cause: error },
    );
  }
}

/** Writes a file that only its owner reads: whole or not at all. @throws Error that names it */
export function writePrivateFile(path: string, content: string): void {
  try {
    const unfinished = `${path}.new`;
    writeFileSync(unfinished, content, { mode: 0o600 });
    chmodSync(unfinished, 0o600);
    renameSync(unfinished, path);
  } catch (error) {
    throw new Error(`The file ${path} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

/**
 * Throws unless the directory has been initialised to its end: with a database in PostgreSQL, that knows it.
 *
 * @throws Error that says what to type
 */
export function expectInitialised(settings: Pick<Settings, 'dataDir' | 'databaseUrl'>): void {
  const { path, database, credentials } = dataDirectory(settings);
  const files = settings.databaseUrl === undefined ? [database, credentials] : [path];
  if (files.every(existsSync)) return;
  throw new Error(`The data directory ${path} is not initialised. Type: hsm-kms init`);
}
