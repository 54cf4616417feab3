import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { PostgresLocation } from '../../src/store/postgres.js';
import { Store } from '../../src/store/store.js';
import { CertificateAuthority } from '../service/certificates.js';
import { TestPostgres } from '../service/postgres/server.mjs';

const password = 'a password to look for';
let directory: string;
let server: TestPostgres;
let database: string;
let ca: CertificateAuthority;
let passwordFile: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-access-'));
  passwordFile = join(directory, 'password');
  writeFileSync(passwordFile, `${password}\n`, { mode: 0o600 });
  ca = new CertificateAuthority(directory, 'ca');
  server = await TestPostgres.start();
  await server.execute('postgres', `create role kms login password '${password}'`);
  await server.execute('postgres', 'create role trusted login');
  database = new URL(await server.createDatabase()).pathname;
  await server.execute(database.slice(1), 'grant create on schema public to kms');
  await server.demandTls('kms', ca.issue('server', '/CN=db', { names: 'DNS:localhost' }));
});
afterAll(async () => {
  await server?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** What comes of opening a store and bringing it up to date. */
async function attempt(query: string, changes: Partial<PostgresLocation> = {}, user = 'kms', host = 'localhost') {
  const url = `postgres://${user}@${host}:${server.port}${database}?${query}`;
  const store = Store.open({ url, passwordFile, connections: 2, ...changes });
  try {
    await store.migrate();
    return 'done';
  } catch (error) {
    return (error as Error).message;
  } finally {
    await store.close();
  }
}

const verified = () => `sslmode=verify-full&sslrootcert=${ca.certificate}`;

test('over TLS, with a certificate that is verified, and the password of a file', async () => {
  expect(await attempt(verified())).toBe('done');
});

test('a certificate of another CA is refused', async () => {
  const other = new CertificateAuthority(directory, 'other');
  expect(await attempt(`sslmode=verify-full&sslrootcert=${other.certificate}`)).toMatch(/certificate|issuer/);
});

test('a certificate for another name is refused', async () => {
  expect(await attempt(verified(), {}, 'kms', '127.0.0.1')).toMatch(/IP: 127\.0\.0\.1 is not in the cert's list/);
});

test('without TLS the server refuses, and what to do is said', async () => {
  expect(await attempt('sslmode=disable')).toMatch(
    /^PostgreSQL says: pg_hba\.conf rejects.+allow this user and machine/,
  );
});

test('a wrong password is refused, with what to set, and is not shown', async () => {
  const wrong = join(directory, 'wrong');
  writeFileSync(wrong, 'another password');
  const said = await attempt(verified(), { passwordFile: wrong });
  expect(said).toMatch(
    /^PostgreSQL says: password authentication failed for user "kms"\. set the password in DATABASE_URL/,
  );
  expect(said).not.toContain('another password');
});

test('a password file that is not there is named', async () => {
  const absent = join(directory, 'absent');
  expect(await attempt(verified(), { passwordFile: absent })).toContain(
    `The file of the database's password, ${absent}, cannot be read`,
  );
});

test('a database that is not there is named, with what to type', async () => {
  const url = `postgres://hsm_kms@127.0.0.1:${server.port}/nowhere`;
  const store = Store.open({ url, connections: 1 });
  await expect(store.migrate()).rejects.toThrow(
    'PostgreSQL says: database "nowhere" does not exist. make it, with createdb --encoding=UTF8',
  );
  await store.close();
});
