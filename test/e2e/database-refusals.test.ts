import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';
import { copyOfData } from '../service/copy-of-data.js';
import { directoryBytes, isOfEveryService } from '../service/directory-bytes.js';
import { hsmKms, Service } from '../service/service.js';
import { describeOfSqlite } from '../service/tested-database.js';
import { describeWith } from '../service/tested-token.js';

/** Stands still, and has a key. */
let original: Service;
let directory: string;
/** A copy of the original's data directory, to be spoilt. */
let dataDir: string;
let database: string;

beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-database-refusals-'));
  original = await Service.start();
  await original.newKey();
  await original.stop();
});
afterAll(async () => {
  await original?.end();
  rmSync(directory, { recursive: true, force: true });
});
beforeEach(() => {
  dataDir = mkdtempSync(join(directory, 'data-'));
  copyOfData(original.dataDir, dataDir);
  database = join(dataDir, 'hsm-kms.db');
});
afterEach(() => rmSync(dataDir, { recursive: true, force: true }));

/** Statements on the database, or on a new one in its place. */
function onDatabase(...statements: string[]): void {
  const opened = new Sqlite(database);
  for (const statement of statements) opened.exec(statement);
  opened.close();
}

function removeDatabase(): void {
  for (const ending of ['', '-wal', '-shm']) rmSync(database + ending, { force: true });
}

const commands = {
  serve: () => ['serve', '--data-dir', dataDir, '--port', '0', '--workers', '1'],
  init: () => ['init', '--data-dir', dataDir],
  identity: () => ['identity', 'list-users', '--data-dir', dataDir],
  'reset-key-policy': () => ['reset-key-policy', '--key', 'alias/any', '--data-dir', dataDir],
};
type CommandName = keyof typeof commands;

/** One sentence, the exit code, and not a byte of the data directory is another. */
async function expectRefusal(command: CommandName, sentence: RegExp, code = 1, isLeftOut?: (path: string) => boolean) {
  const before = directoryBytes(dataDir, isLeftOut);
  const ending = await hsmKms(...commands[command]());
  expect(ending.output.trimEnd().split('\n')).toEqual([expect.stringMatching(/^hsm-kms: [A-Z].+\.$/)]);
  expect(ending.output).toMatch(sentence);
  expect(ending.output).not.toMatch(/SQLITE_|undefined|\[object/);
  expect(ending.code).toBe(code);
  expect(directoryBytes(dataDir, isLeftOut)).toEqual(before);
}

/** A newer version's migration that only the write-ahead log knows, as after kill -9. */
function newerInTheLog(): void {
  const opened = new Sqlite(database);
  opened.exec("insert into kysely_migration values ('9999-in-the-log', '2030-01-01')");
  const files = ['', '-wal', '-shm'].map((ending) => [database + ending, readFileSync(database + ending)] as const);
  // which moves it to the database, so that the files are put back as they were before
  opened.close();
  for (const [file, content] of files) writeFileSync(file, content, { mode: 0o600 });
}

/** Zeros in the middle of the file. */
function damage(): void {
  onDatabase('pragma wal_checkpoint(truncate)');
  const bytes = readFileSync(database);
  bytes.fill(0, 4096 * 3, 4096 * 12);
  writeFileSync(database, bytes);
}

describeOfSqlite('a database', () => {
  const newer =
    /made by a newer version of hsm-kms \(it has the migration 9999-.+\): use that version again, or put back/;
  const foreign = /belongs to another program.+: move it away/;
  test.each<[string, () => void, RegExp, CommandName[]]>([
    [
      'of a newer version',
      () => onDatabase("insert into kysely_migration values ('9999-future', '2030-01-01')"),
      newer,
      ['serve', 'init', 'identity', 'reset-key-policy'],
    ],
    [
      'of a newer version that a crash left in the write-ahead log',
      newerInTheLog,
      newer,
      ['serve', 'init', 'identity'],
    ],
    [
      'of another program',
      () => {
        removeDatabase();
        onDatabase('create table recipes (name text)', "insert into recipes values ('bread')");
      },
      foreign,
      ['serve', 'init', 'identity'],
    ],
    [
      'of another program that marks its databases',
      () => onDatabase('pragma application_id = 252006674'),
      foreign,
      ['serve', 'init'],
    ],
    [
      'of another program that uses Kysely',
      () => {
        removeDatabase();
        onDatabase(
          'create table kysely_migration (name text primary key, timestamp text not null)',
          "insert into kysely_migration values ('0001-recipes', '2020-01-01')",
        );
      },
      foreign,
      ['serve', 'init'],
    ],
    [
      'that is a text',
      () => writeFileSync(database, 'Dear diary, '.repeat(1000)),
      /is no SQLite database: move it away and put the database back/,
      ['serve', 'init', 'identity'],
    ],
    [
      'that is a directory',
      () => {
        removeDatabase();
        mkdirSync(database);
      },
      /is no file: move away/,
      ['serve', 'init'],
    ],
    [
      'that was cut off',
      () => truncateSync(database, Math.floor(statSync(database).size / 2)),
      /is damaged \(.+\): put it back from your back-up/,
      ['serve', 'init', 'identity'],
    ],
    ['that is damaged in the middle', damage, /is damaged \(.+\): put it back from your back-up/, ['serve']],
    ['that is empty', () => truncateSync(database), /is empty: put it back from your back-up/, ['serve']],
  ])('%s is refused, and left as it is', async (_what, spoil, sentence, names) => {
    spoil();
    for (const name of names) await expectRefusal(name, sentence);
  });

  test.each<[string, () => void]>([
    ['that was lost', removeDatabase],
    ['that is empty', () => truncateSync(database)],
    ['that knows of no key and nobody', () => onDatabase('delete from keys', 'delete from access_keys')],
  ])('%s is not begun anew beside a token that has keys', async (_what, spoil) => {
    spoil();
    await expectRefusal(
      'init',
      /holds 1 KMS keys, and the database .+ knows of none: put the database back/,
      1,
      isOfEveryService,
    );
  });

  test('without the mark that newer ones have is opened; one that is made has it', async () => {
    const mark = 'select application_id from pragma_application_id';
    const marked = (file: string) => {
      const opened = new Sqlite(file, { readonly: true });
      const [id] = opened.prepare(mark).pluck().all();
      opened.close();
      return id;
    };
    expect(marked(database)).toBe(0x484b4d53);
    onDatabase('pragma application_id = 0');
    expect(await hsmKms('init', '--data-dir', dataDir)).toEqual({ code: 0, output: '' });
    expect(await hsmKms(...commands.identity())).toMatchObject({ code: 0 });
    expect(marked(database)).toBe(0);
  });
});

describeOfSqlite('with a database in its directory', () => {
  describeWith("the service's own SoftHSM2", 'a token', () => {
    /** A token of another data directory, with its PIN. */
    async function exchangeToken(): Promise<void> {
      const other = mkdtempSync(join(directory, 'other-'));
      expect((await hsmKms('init', '--data-dir', other)).code).toBe(0);
      rmSync(join(dataDir, 'tokens'), { recursive: true });
      for (const name of ['tokens', 'token-user-pin', 'token-so-pin']) {
        cpSync(join(other, name), join(dataDir, name), { recursive: true });
      }
    }
    const pinFile = () => join(dataDir, 'token-user-pin');

    test.each<[string, () => Promise<void> | void, RegExp, number, CommandName[]]>([
      [
        'of another data directory',
        exchangeToken,
        /is not the one that .+ was made with: it does not have its sealing key|is not the one that .+ was made with/,
        1,
        ['serve', 'init'],
      ],
      [
        'that refuses the PIN',
        () => writeFileSync(pinFile(), 'wrong-pin\n'),
        /refuses the login.+Check its PIN/,
        77,
        ['serve', 'init'],
      ],
      [
        'whose PIN was lost',
        () => rmSync(pinFile()),
        /PIN file .+ is missing, and nothing else opens the token/,
        1,
        ['init'],
      ],
      [
        'that another data directory has',
        () => writeFileSync(join(dataDir, 'softhsm2.conf'), readFileSync(join(original.dataDir, 'softhsm2.conf'))),
        /was moved or copied: .+ Type hsm-kms init/,
        1,
        ['serve'],
      ],
    ])('%s is refused, and nothing is changed', async (_what, spoil, sentence, code, names) => {
      await spoil();
      for (const name of names) await expectRefusal(name, sentence, code, isOfEveryService);
    });

    test('that moved with its data directory is found again after init', async () => {
      writeFileSync(join(dataDir, 'softhsm2.conf'), readFileSync(join(original.dataDir, 'softhsm2.conf')));
      expect(await hsmKms('init', '--data-dir', dataDir)).toEqual({ code: 0, output: '' });
      const { code, output } = await hsmKms('token', 'list', '--json', '--data-dir', dataDir);
      expect({ code, output }).toMatchObject({ code: 0 });
      expect(readFileSync(join(dataDir, 'softhsm2.conf'), 'utf8')).toContain(join(dataDir, 'tokens'));
    });
  });
});
