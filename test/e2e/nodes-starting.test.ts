import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Kysely, Migrator } from 'kysely';
import { migrations } from '../../src/store/migrations/index.js';
import { openPostgres } from '../../src/store/postgres.js';
import { commandEvents } from '../service/audit.js';
import { Commons, describeNodes } from '../service/nodes.js';
import { environments, hsmKms, Service } from '../service/service.js';

const madeByInit = ['hsm-kms sealing key', 'hsm-kms key material id key', 'hsm-kms record sealing key'];

describeNodes('nodes that start', () => {
  let commons: Commons;
  let directory: string;
  beforeAll(async () => {
    commons = await Commons.make();
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-nodes-starting-'));
  });
  afterAll(async () => {
    await commons.end();
    rmSync(directory, { recursive: true });
  });

  /** A data directory of a node with this database. */
  function newNode(url: string, more: NodeJS.ProcessEnv = {}): string {
    const dataDir = mkdtempSync(join(directory, 'node-'));
    environments.set(dataDir, { ...commons.environment(url), ...more });
    return dataDir;
  }

  const init = (dataDir: string) => hsmKms('init', '--data-dir', dataDir);
  const databaseOf = (url: string) => new URL(url).pathname.slice(1);

  test('inits of three nodes at once make one administrator and one of each key of the service', async () => {
    const url = await commons.postgres.createDatabase();
    const dirs = [newNode(url), newNode(url), newNode(url, { HSM_KMS_DATABASE_CONNECTIONS: '1' })];
    const results = await Promise.all(dirs.map(init));
    expect(results.map(({ code, output }) => (code === 0 ? 0 : output))).toEqual([0, 0, 0]);
    const output = results.map((each) => each.output).join('');
    expect(output.match(/made the sealing key/g)).toHaveLength(1);
    expect(output.match(/made the administrator/g)).toHaveLength(1);
    expect(await commons.secretKeys()).toEqual([...madeByInit].sort());
    const principals = await commons.postgres.execute(databaseOf(url), 'select name from principals');
    expect(principals).toEqual([{ name: 'administrator' }]);
    // whose init made it has its credentials
    const withCredentials = dirs.filter((dir) => existsSync(join(dir, 'credentials')));
    expect(withCredentials).toHaveLength(1);
    // and again: nothing is made any more
    for (const dir of dirs) expect(await init(dir)).toEqual({ code: 0, output: '' });
  });

  /** A database as an older version of the service left it: without the newest migrations. */
  async function olderDatabase(): Promise<string> {
    const url = await commons.postgres.createDatabase();
    const database = openPostgres({ url, connections: 2 });
    const db = new Kysely<unknown>(database.migrations?.() ?? { dialect: database.dialect });
    const older = Object.fromEntries(Object.entries(migrations).slice(0, 1));
    const { error } = await new Migrator({ db, provider: { getMigrations: async () => older } }).migrateToLatest();
    await db.destroy();
    await database.close();
    expect(error).toBeUndefined();
    return url;
  }

  const migrationsOf = async (url: string) =>
    (await commons.postgres.execute(databaseOf(url), 'select name from kysely_migration order by name')).map(
      ({ name }) => name,
    );
  const allMigrations = Object.keys(migrations).sort();

  test('nodes that start at once on an older schema migrate it once, where that is automatic', async () => {
    const url = await olderDatabase();
    const automatic = { ...commons.environment(url), HSM_KMS_DATABASE_MIGRATION: 'automatic' };
    const nodes = await Promise.all([1, 2, 3].map(() => Service.start({ environment: automatic, initialise: false })));
    try {
      expect(await migrationsOf(url)).toEqual(allMigrations);
      for (const { url: node } of nodes) expect(await (await fetch(`${node}/readyz`)).text()).toBe('ready\n');
    } finally {
      await Promise.all(nodes.map((node) => node.end()));
    }
  });

  test('where it is explicit, a node refuses an older schema, and migrations at once are made once', async () => {
    const url = await olderDatabase();
    const dirs = [newNode(url), newNode(url)];
    const [dataDir = ''] = dirs;
    const { code, output } = await hsmKms('serve', '--data-dir', dataDir, '--port', '0', '--workers', '1');
    expect({ code, output }).toEqual({
      code: 1,
      output: expect.stringMatching(
        /^hsm-kms: The database is older than this program \(.+\)\. Type: hsm-kms migrate\n$/,
      ),
    });
    expect(await migrationsOf(url)).toEqual(allMigrations.slice(0, 1));

    const migrated = await Promise.all(dirs.map((dir) => hsmKms('migrate', '--data-dir', dir)));
    expect(migrated.map((each) => each.code)).toEqual([0, 0]);
    expect(await migrationsOf(url)).toEqual(allMigrations);
    const [event] = dirs.flatMap((dir) => commandEvents(dir, 'MigrateStore'));
    expect(event).toMatchObject({ requestParameters: { migrations: allMigrations.slice(1) } });
    const node = await Service.start({ environment: commons.environment(url), initialise: false });
    try {
      expect(await (await fetch(`${node.url}/readyz`)).text()).toBe('ready\n');
    } finally {
      await node.end();
    }
  });
});
