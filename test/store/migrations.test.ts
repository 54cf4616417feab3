import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { Kysely, Migrator, sql } from 'kysely';
import { firstSchema } from '../../src/store/migrations/0001-first-schema.js';
import { openPostgres } from '../../src/store/postgres.js';
import { openSqlite } from '../../src/store/sqlite.js';
import { builtModules } from '../service/built-service.js';
import { TestStore } from '../service/store.js';
import { testedDatabase } from '../service/tested-database.js';

let opened: TestStore;
beforeEach(() => {
  opened = new TestStore();
});
afterEach(() => opened.end());

const account = 'arn:aws:iam::111122223333';

/** A database as the first version of the schema left it. */
async function firstVersion(): Promise<void> {
  const location = testedDatabase.location(opened.directory);
  const database = typeof location === 'string' ? openSqlite(location) : openPostgres(location);
  const db = new Kysely<unknown>(database.migrations?.() ?? { dialect: database.dialect });
  const provider = { getMigrations: async () => ({ '0001-first-schema': firstSchema }) };
  const { error } = await new Migrator({ db, provider }).migrateToLatest();
  expect(error).toBeUndefined();
  await sql`insert into principals values
    (${`${account}:user/administrator`}, 'AIDA1', 1, 1000), (${`${account}:user/some/where/other`}, 'AIDA2', 0, 2000)
  `.execute(db);
  await sql`insert into access_keys values
    ('AKIA1', ${`${account}:user/administrator`}, ${Buffer.from('sealed')}, 1, 3000),
    ('AKIA2', ${`${account}:user/some/where/other`}, ${Buffer.from('sealed, too')}, 1, 3000)
  `.execute(db);
  await db.destroy();
  await database.close();
}

test('identities of the first schema are kept; administrators have AdministratorAccess', async () => {
  await firstVersion();
  await opened.store.migrate();
  const { db } = opened.store;
  const principals = await db.selectFrom('principals').selectAll().orderBy('arn').execute();
  const common = {
    kind: 'user',
    description: null,
    trust_policy: null,
    permissions_boundary: null,
    max_session_seconds: null,
  };
  expect(principals).toMatchObject([
    {
      ...common,
      arn: `${account}:user/administrator`,
      unique_id: 'AIDA1',
      path: '/',
      name: 'administrator',
      folded_name: 'administrator',
      created_at: 1000,
    },
    {
      ...common,
      arn: `${account}:user/some/where/other`,
      unique_id: 'AIDA2',
      path: '/some/where/',
      name: 'other',
      folded_name: 'other',
      created_at: 2000,
    },
  ]);
  expect(await db.selectFrom('attached_policies').selectAll().execute()).toEqual([
    { principal_arn: `${account}:user/administrator`, policy_arn: 'arn:aws:iam::aws:policy/AdministratorAccess' },
  ]);
  const accessKeys = await db.selectFrom('access_keys').selectAll().orderBy('id').execute();
  const unused = {
    active: 1,
    created_at: 3000,
    seal: null,
    last_used_at: null,
    last_used_service: null,
    last_used_region: null,
  };
  expect(accessKeys).toEqual([
    { ...unused, id: 'AKIA1', principal_arn: `${account}:user/administrator`, sealed_secret: Buffer.from('sealed') },
    {
      ...unused,
      id: 'AKIA2',
      principal_arn: `${account}:user/some/where/other`,
      sealed_secret: Buffer.from('sealed, too'),
    },
  ]);
});

test("processes that bring the schema up to date at the same time do not get in each other's way", async () => {
  await firstVersion();
  const storeModule = pathToFileURL(join(builtModules, 'store/store.js')).href;
  const script = `const { Store } = await import(${JSON.stringify(storeModule)});
    const store = Store.open(${JSON.stringify(testedDatabase.location(opened.directory))});
    await store.migrate();
    await store.close();`;
  const processes = Array.from({ length: 4 }, () =>
    spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'ignore', 'pipe'] }),
  );
  const ends = processes.map(async (child) => {
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors += text;
    });
    const [code] = await once(child, 'close');
    return { code, errors };
  });
  expect(await Promise.all(ends)).toEqual(Array(4).fill({ code: 0, errors: '' }));
});

test('a migration that fails leaves nothing behind, and is done by the next attempt', async () => {
  await firstVersion();
  const { db } = opened.store;
  // in the way of the migration's last steps
  await sql`create table managed_policies (x text)`.execute(db);
  await expect(opened.store.migrate()).rejects.toThrow(/cannot be brought up to date: .*managed_policies/);
  const tables = await db.introspection.getTables();
  const columns = tables.find(({ name }) => name === 'principals')?.columns.map(({ name }) => name);
  expect(columns).toEqual(['arn', 'unique_id', 'administrator', 'created_at']);
  await sql`drop table managed_policies`.execute(db);
  await opened.store.migrate();
  expect(await db.selectFrom('attached_policies').selectAll().execute()).toHaveLength(1);
});
