import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { migrations } from '../../src/store/migrations/index.js';
import { Store } from '../../src/store/store.js';
import { doctor } from '../service/doctor.js';
import { TestPostgres, whyNoPostgres } from '../service/postgres/server.mjs';
import { hsmKms } from '../service/service.js';

const why = whyNoPostgres();
if (why !== undefined) console.warn(`SKIPPED: ${why}`);

(why === undefined ? describe : describe.skip)('a schema in PostgreSQL', () => {
  let server: TestPostgres;
  let name: string;
  let url: string;
  let store: Store;
  let made = 0;
  beforeAll(async () => {
    server = await TestPostgres.start();
  });
  afterAll(() => server?.stop());
  beforeEach(async () => {
    name = `identity_${made++}`;
    url = await server.createDatabase(name);
  });
  afterEach(() => store?.close());

  function open(): Store {
    store = Store.open({ url, connections: 2 });
    return store;
  }
  const tables = () =>
    server.execute(name, "select relname from pg_class where relkind = 'r' and relnamespace = 'public'::regnamespace");

  test('that is empty waits for all migrations; one that has them waits for none', async () => {
    expect(await open().inspect()).toEqual({ isEmpty: true, pending: Object.keys(migrations) });
    await store.migrate();
    expect(await store.inspect()).toEqual({ isEmpty: false, pending: [] });
  });

  const kysely = 'create table kysely_migration (name text primary key, timestamp text not null)';
  test.each<[string, string[], RegExp]>([
    [
      'of another program',
      ['create table recipes (name text)'],
      /^The schema public of the database identity_\d+ belongs to another program \(it has the tables recipes\): /,
    ],
    [
      'of another program that uses Kysely',
      [kysely, "insert into kysely_migration values ('0001-recipes', '')"],
      /belongs to another program/,
    ],
    [
      'of a newer version',
      [kysely, "insert into kysely_migration values ('0001-first-schema', ''), ('9999-future', '')"],
      /was made by a newer version of hsm-kms \(it has the migration 9999-future\): use that version/,
    ],
    ['that nobody finds', ['drop schema public'], /has no schema that its user finds/],
  ])('%s is refused, and left as it is', async (_what, statements, sentence) => {
    for (const statement of statements) await server.execute(name, statement);
    await expect(open().inspect()).rejects.toThrow(sentence);
    const before = await tables().catch(() => []);
    await expect(store.migrate()).rejects.toThrow(sentence);
    expect(await tables().catch(() => [])).toEqual(before);
  });

  test('in a database that cannot hold all texts is refused', async () => {
    await server.execute('postgres', "create database ascii encoding 'SQL_ASCII' locale 'C' template template0");
    store = Store.open({ url: server.url('ascii'), connections: 2 });
    await expect(store.migrate()).rejects.toThrow(/^The database ascii has the encoding SQL_ASCII/);
  });

  test('of another program ends init and the doctor with a sentence, before a token is made', async () => {
    await server.execute(name, 'create table recipes (name text)');
    const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-identity-'));
    const dataDir = join(directory, 'data');
    try {
      const { code, output } = await hsmKms('init', '--data-dir', dataDir, '--database-url', url);
      expect({ code, output }).toEqual({
        code: 1,
        output: expect.stringMatching(/^hsm-kms: The schema public .+ belongs to another program.+\.\n$/),
      });
      expect(existsSync(join(dataDir, 'tokens'))).toBe(false);
      expect((await hsmKms('init', '--data-dir', dataDir, '--database-url', await server.createDatabase())).code).toBe(
        0,
      );
      const { code: verdict, bad } = await doctor(dataDir, ['--stopped', '--database-url', url]);
      expect(verdict).toBe(2);
      expect(bad[0]).toMatchObject({ check: 'database', what: expect.stringMatching('belongs to another program') });
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
