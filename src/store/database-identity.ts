import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { type Kysely, sql } from 'kysely';
import { diskError } from './disk-trouble.js';
import { migrations } from './migrations/index.js';
import type { Schema } from './schema.js';
import { SqliteConnection } from './sqlite-connection.js';

/** SQLite's application_id of this service's databases, "HKMS". Those that are older than it have 0. */
export const applicationId = 0x484b4d53;

const migrationTable = 'kysely_migration';
/** Names of the migrations of this program, in their order. */
export const knownMigrations: readonly string[] = Object.keys(migrations);
/** Longer than another process's transaction takes, in milliseconds. */
const busyMilliseconds = 10_000;

/** A database that this program must not touch; its message says what to do. */
export class DatabaseRefusedError extends Error {
  override readonly name = 'DatabaseRefusedError';
}

/** What tells whose a database is. */
interface DatabaseTraits {
  readonly tables: readonly string[];
  /** Names of the migrations that were done, in their order. */
  readonly migrations: readonly string[];
  /** SQLite's; 0 where nobody has set it. */
  readonly applicationId?: number;
}

/** What was seen of a database without changing it. */
export interface DatabaseState {
  /** There is none yet, or nothing in it. */
  readonly isEmpty: boolean;
  /** Migrations of this program that are not done yet. */
  readonly pending: readonly string[];
}

/** @throws DatabaseRefusedError for a database of another program, or of a newer version of this one */
function judge(place: string, { tables, migrations: done, applicationId: id = 0 }: DatabaseTraits): DatabaseState {
  const isMarked = id === applicationId;
  const isForeign = id !== 0 ? !isMarked : tables.length > 0 && !tables.includes(migrationTable);
  // another program that uses Kysely, as well
  const [first] = done;
  const [firstKnown] = knownMigrations;
  if (isForeign || (first !== undefined && first !== firstKnown)) {
    const some = tables.slice(0, 3).join(', ');
    throw new DatabaseRefusedError(
      `${place} belongs to another program${some && ` (it has the tables ${some})`}: move it away and put hsm-kms's own back, or give hsm-kms a place of its own.`,
    );
  }
  const unknown = done.filter((each) => !knownMigrations.includes(each));
  if (unknown.length > 0) {
    throw new DatabaseRefusedError(
      `${place} was made by a newer version of hsm-kms (it has the migration ${unknown.at(-1)}): use that version again, or put back the copy of the database from before the upgrade.`,
    );
  }
  return { isEmpty: done.length === 0, pending: knownMigrations.filter((each) => !done.includes(each)) };
}

/**
 * Looks at a SQLite file before anything is written: no byte of it changes, nor of what a crash has left beside it.
 *
 * @param file may be absent
 * @throws DatabaseRefusedError for a file that cannot be read, is no database, or is not this program's
 */
export function inspectSqlite(file: string): DatabaseState {
  const place = `The database ${file}`;
  if (!canBeRead(file)) return { isEmpty: true, pending: knownMigrations };
  return withSqlite(file, (database) => {
    const list = (statement: string) => database.column(statement) as string[];
    const tables = list(
      "select name from sqlite_master where type = 'table' and name not like 'sqlite\\_%' escape '\\'",
    );
    return judge(place, {
      tables,
      migrations: tables.includes(migrationTable) ? list(`select name from ${migrationTable} order by name`) : [],
      applicationId: database.value('PRAGMA application_id') as number,
    });
  });
}

/** How thorough SQLite looks: quick_check leaves out whether indices match their tables. */
export type Thoroughness = 'quick_check' | 'integrity_check';

/**
 * Reads a whole SQLite file and looks whether it is damaged: a second for a gigabyte with quick_check, twice that else.
 *
 * @throws DatabaseRefusedError
 */
export function expectWholeSqlite(file: string, thoroughness: Thoroughness = 'quick_check'): void {
  if (!canBeRead(file)) return;
  withSqlite(file, (database) => {
    const said = database.value(`PRAGMA ${thoroughness}(1)`);
    if (said !== 'ok') throw damaged(file, String(said));
  });
}

/** Rows that name rows of other tables which are not there, for people; the service never writes such. */
export function strayRowsOfSqlite(file: string): string[] {
  if (!canBeRead(file)) return [];
  const strays = withSqlite(file, (database) => database.rows('PRAGMA foreign_key_check'));
  return strays.map(({ table, rowid, parent }) => `${table}, row ${rowid}, names no row of ${parent}`);
}

/**
 * The same for a PostgreSQL schema: the first of the connection's search path.
 *
 * @throws DatabaseRefusedError
 */
export async function inspectPostgres(db: Kysely<Schema>): Promise<DatabaseState> {
  const facts = await sql<{ encoding: string; schema: string | null; database: string }>`
    select current_setting('server_encoding') as encoding, current_schema() as schema, current_database() as database
  `.execute(db);
  const { encoding, schema, database } = facts.rows[0] ?? { encoding: '', schema: null, database: '' };
  if (encoding !== 'UTF8') {
    throw new DatabaseRefusedError(
      `The database ${database} has the encoding ${encoding}, which cannot hold all descriptions and tags: make it with createdb --encoding=UTF8 --template=template0.`,
    );
  }
  if (schema === null) {
    throw new DatabaseRefusedError(
      `The database ${database} has no schema that its user finds: create one, or set the user's search_path (ALTER ROLE ... SET search_path).`,
    );
  }
  const place = `The schema ${schema} of the database ${database}`;
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = current_schema()::regnamespace and relkind in ('r', 'p') order by relname
  `.execute(db);
  const tables = rows.map(({ name }) => name);
  const done = tables.includes(migrationTable)
    ? (await sql<{ name: string }>`select name from ${sql.table(migrationTable)} order by name`.execute(db)).rows
    : [];
  return judge(place, { tables, migrations: done.map(({ name }) => name) });
}

/** @returns false for a file that is absent or empty. @throws DatabaseRefusedError for what cannot be a database */
function canBeRead(file: string): boolean {
  if (!existsSync(file)) return false;
  const facts = statSync(file);
  const place = `The database ${file}`;
  if (!facts.isFile()) throw new DatabaseRefusedError(`${place} is no file: move away what is there.`);
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new DatabaseRefusedError(
      code === 'EROFS'
        ? `${place} is on a file system that is mounted read-only: mount it so that it can be written to.`
        : `${place} cannot be read and written (${code}): give it to the user that hsm-kms runs as, with chown, and type chmod 0600 ${file}.`,
      { cause: error },
    );
  }
  return facts.size > 0;
}

/**
 * A connection that leaves the files as they are. What a crash has left in the write-ahead log stays there, as a
 * connection that may not write moves nothing to the database; where there is none, one that may write takes away at its
 * end what it has made for itself.
 */
function withSqlite<T>(file: string, work: (database: SqliteConnection) => T): T {
  const hasLog = (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0;
  let database: SqliteConnection | undefined;
  try {
    database = new SqliteConnection(file, { readonly: hasLog, fileMustExist: true, timeout: busyMilliseconds });
    return work(database);
  } catch (error) {
    const { code, message } = error as { code?: string; message: string };
    if (code === 'SQLITE_NOTADB') {
      throw new DatabaseRefusedError(
        `The database ${file} is no SQLite database: move it away and put the database back from your back-up.`,
        { cause: error },
      );
    }
    if (code?.startsWith('SQLITE_CORRUPT')) throw damaged(file, message, error);
    if (error instanceof DatabaseRefusedError) throw error;
    throw (
      diskError(error, `The database ${file} cannot be opened.`) ??
      new Error(`The database ${file} cannot be opened: ${message}`, { cause: error })
    );
  } finally {
    database?.close();
  }
}

function damaged(file: string, why: string, cause?: unknown): DatabaseRefusedError {
  return new DatabaseRefusedError(
    `The database ${file} is damaged (${why.replace(/\s+/g, ' ')}): put it back from your back-up, with no -wal and -shm file beside it.`,
    { cause },
  );
}
