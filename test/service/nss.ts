import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Sqlite from 'better-sqlite3';

/** Label that NSS gives the token of every database. */
const nssTokenLabel = 'NSS Certificate DB';
const pin = 'a PIN for tests';
/** Where Debian, Ubuntu and Fedora have NSS softokn. */
const modules = [
  'x86_64-linux-gnu',
  'aarch64-linux-gnu',
  'x86_64-linux-gnu/nss',
  'aarch64-linux-gnu/nss',
  '../lib64',
].map((each) => `/usr/lib/${each}/libsoftokn3.so`);

/** NSS softokn. @param root directory of another system, or ''. @throws Error that says how to install it */
function nssModule(root: string): string {
  const path = modules.map((each) => `${root}${each}`).find((each) => existsSync(each));
  if (path === undefined) throw new Error('NSS softokn is not installed: apt-get install libnss3 libnss3-tools');
  return path;
}

/** Runs certutil. */
export type Certutil = (...parameters: string[]) => void;
export const certutil: Certutil = (...parameters) => execFileSync('certutil', parameters, { stdio: 'pipe' });

/** Makes a database, unless there is one. @throws Error when certutil (Debian: libnss3-tools) does not */
export function makeNssDatabase(directory: string, run: Certutil): void {
  if (existsSync(directory)) return;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  writeFileSync(join(directory, 'pin'), pin, { mode: 0o600 });
  run('-N', '-d', `sql:${directory}`, '-f', join(directory, 'pin'));
}

/** How to get at a database. @param root directory of the system whose NSS does, or '' for this one */
export function nssAccess(directory: string, root: string) {
  return {
    module: nssModule(root),
    parameters: `configdir='sql:${directory}' certPrefix='' keyPrefix='' secmod='secmod.db' flags= `,
    label: nssTokenLabel,
    pinFile: join(directory, 'pin'),
  };
}

/** How many keys a database holds: public ones lie in cert9.db, the others in key4.db (NSS, lib/softoken/sdb.c). */
export function nssObjects(directory: string): number {
  const count = (file: string, table: string): number => {
    const database = new Sqlite(join(directory, file), { readonly: true, timeout: 10_000 });
    try {
      return database.prepare<unknown[], { n: number }>(`SELECT count(*) AS n FROM ${table}`).get()?.n ?? 0;
    } finally {
      database.close();
    }
  };
  return count('cert9.db', 'nssPublic') + count('key4.db', 'nssPrivate');
}
