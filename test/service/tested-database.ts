import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MessageChannel, receiveMessageOnPort, Worker } from 'node:worker_threads';
import { afterAll, describe, test } from '@jest/globals';
import Sqlite from 'better-sqlite3';

type Value = string | number | null;

/** Longest that one statement of a test may take, in milliseconds. */
const queryMilliseconds = 30_000;

/** A database that the tests run over: HSM_KMS_TEST_DATABASE names it. */
interface TestedDatabase {
  readonly title: string;
  /** Makes it for a data directory, where it is missing. */
  readonly make: (dataDir: string) => void;
  /** Copies what of it is not in the data directory, where nobody uses it. */
  readonly copy: (original: string, copy: string) => void;
  /** What tells the service of it, by environment variable. */
  readonly settings: (dataDir: string) => Readonly<Record<string, string>>;
  /** Where a store of a data directory is, for Store.open. */
  readonly location: (dataDir: string) => string | { url: string; connections: number };
  /** Its bytes as they lie on the disk, as far as secrets could be among them. */
  readonly content: (dataDir: string) => Buffer;
  /** A statement with ? for values, as it has it. */
  readonly placed: (statement: string) => string;
  /** One statement as a transaction of its own, with ? for values. @returns the rows */
  readonly query: <Row>(dataDir: string, statement: string, values: readonly Value[]) => Row[];
}

const raise = 'update store_revision set revision = revision + 1';
const isReading = (statement: string) => /^\s*select\b/i.test(statement);

const sqlite: TestedDatabase = {
  title: 'SQLite',
  make: () => {},
  copy: () => {},
  settings: () => ({}),
  location: (dataDir) => join(dataDir, 'hsm-kms.db'),
  content(dataDir) {
    const files = ['', '-wal', '-shm'].map((end) => join(dataDir, `hsm-kms.db${end}`));
    return Buffer.concat(files.filter(existsSync).map((file) => readFileSync(file)));
  },
  placed: (statement) => statement,
  query<Row>(dataDir: string, statement: string, values: readonly Value[]) {
    const database = new Sqlite(join(dataDir, 'hsm-kms.db'), { timeout: 10_000 });
    try {
      const prepared = database.prepare<unknown[], Row>(statement);
      if (isReading(statement)) return prepared.all(...values);
      return database.transaction(() => {
        database.exec(raise);
        if (prepared.reader) return prepared.all(...values);
        prepared.run(...values);
        return [];
      })();
    } finally {
      database.close();
    }
  },
};

function urlOf(dataDir: string): URL {
  const server = process.env.HSM_KMS_TEST_POSTGRES;
  if (server === undefined) throw new Error('no PostgreSQL server: test/service/set-up.mjs starts one');
  const url = new URL(server);
  url.pathname = `/test_${createHash('sha256').update(dataDir).digest('hex').slice(0, 16)}`;
  return url;
}

/** Asks PostgreSQL while this thread waits. One for a suite, as it takes a while to start. */
let asker: Worker | undefined;

/** @param then a statement to follow, whose rows are not asked for */
function postgresQuery<Row>(url: string, statement: string, values: readonly Value[] = [], then?: string): Row[] {
  if (asker === undefined) {
    asker = new Worker(join(import.meta.dirname, 'postgres', 'query.mjs'), { env: { PATH: '' }, execArgv: [] });
    asker.unref();
  }
  const { port1: here, port2: there } = new MessageChannel();
  const answered = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  asker.postMessage({ url, statement, values, then, port: there, answered }, [there]);
  if (Atomics.wait(answered, 0, 0, queryMilliseconds) === 'timed-out')
    throw new Error(`PostgreSQL is silent: ${statement}`);
  const answer = receiveMessageOnPort(here) as { message: { rows: Row[]; error?: string } };
  here.close();
  if (answer.message.error !== undefined) throw new Error(`${statement}: ${answer.message.error}`);
  return answer.message.rows;
}

const postgres: TestedDatabase = {
  title: 'PostgreSQL',
  make(dataDir) {
    const name = urlOf(dataDir).pathname.slice(1);
    const server = process.env.HSM_KMS_TEST_POSTGRES as string;
    const found = postgresQuery(server, 'select 1 from pg_database where datname = $1', [name]);
    if (found.length === 0) postgresQuery(server, `create database ${name}`);
  },
  copy(original, copy) {
    const [from, to] = [original, copy].map((dataDir) => urlOf(dataDir).pathname.slice(1));
    postgresQuery(process.env.HSM_KMS_TEST_POSTGRES as string, `create database ${to} template ${from}`);
  },
  settings: (dataDir) => ({ DATABASE_URL: urlOf(dataDir).href }),
  location: (dataDir) => ({ url: urlOf(dataDir).href, connections: 4 }),
  content(dataDir) {
    const url = urlOf(dataDir).href;
    const tables = postgresQuery<{ name: string }>(
      url,
      "select tablename as name from pg_tables where schemaname = 'public'",
    );
    const rows = tables.flatMap(({ name }) =>
      postgresQuery<{ row: string }>(url, `select t::text as row from ${name} t`),
    );
    const text = rows.map(({ row }) => row).join('\n');
    const binaries = text.match(/(?<=\\x)[0-9a-f]+/g) ?? [];
    return Buffer.concat([Buffer.from(text), ...binaries.map((hex) => Buffer.from(hex, 'hex'))]);
  },
  placed(statement) {
    let place = 0;
    return statement.replaceAll('?', () => `$${++place}`);
  },
  query<Row>(dataDir: string, statement: string, values: readonly Value[]) {
    const numbered = this.placed(statement);
    const url = urlOf(dataDir).href;
    if (isReading(statement)) return postgresQuery<Row>(url, numbered, values);
    const announced = `with raised as (${raise} returning revision)
      select pg_notify('hsm_kms_store_revision', revision::text) from raised`;
    return postgresQuery<Row>(url, numbered, values, announced);
  },
};

const databases: Readonly<Record<string, TestedDatabase>> = { sqlite, postgres };
const name = process.env.HSM_KMS_TEST_DATABASE ?? 'sqlite';
const chosen = databases[name];
if (chosen === undefined) {
  throw new Error(`HSM_KMS_TEST_DATABASE=${name}: there are ${Object.keys(databases).join(', ')}`);
}

export const testedDatabase = chosen;
if (chosen === postgres) afterAll(() => endAsker());

async function endAsker(): Promise<void> {
  const ended = asker;
  asker = undefined;
  await ended?.terminate();
}

/** Tests of what only one of the databases is or has. */
export const testOfSqlite = chosen === sqlite ? test : test.skip;
export const describeOfSqlite = chosen === sqlite ? describe : describe.skip;
