import { setTimeout as wait } from 'node:timers/promises';
import { type DatabaseConnection, Kysely, PostgresDialect, PostgresDriver, sql } from 'kysely';
import pg from 'pg';
import type { Database } from './database.js';
import { inspectPostgres } from './database-identity.js';
import { applicationName, postgresAccess } from './postgres-access.js';
import { PostgresChanges } from './postgres-changes.js';
import { PostgresColumnTypes } from './postgres-column-types.js';
import { PostgresConnections } from './postgres-connections.js';

/** How to reach a PostgreSQL database. */
export interface PostgresLocation {
  /** postgres://user:password@host:port/database?sslmode=... */
  readonly url: string;
  /** File of the password, read at each connection, where it is not in the URL. */
  readonly passwordFile?: string | undefined;
  /** How many connections a process makes at the most, but for one more on which it hears of changes. */
  readonly connections: number;
}

/** Within which the database answers, in milliseconds; a node that is cut off must not keep others waiting for longer. */
const timeouts = {
  connectionTimeoutMillis: 2_000,
  query_timeout: 6_000,
  statement_timeout: 5_000,
  lock_timeout: 4_000,
  idle_in_transaction_session_timeout: 3_000,
} as const;

/** How often a lock is asked for that somebody else has, in milliseconds. */
const lockPause = 200;

class PostgresStoreDriver extends PostgresDriver {
  /** A connection that is gone rolls back by itself: what is to be told is why. */
  override async rollbackTransaction(connection: DatabaseConnection): Promise<void> {
    try {
      await super.rollbackTransaction(connection);
    } catch {
      // the pool gives up the connection
    }
  }
}

class PostgresStoreDialect extends PostgresDialect {
  constructor(private readonly pool: PostgresConnections) {
    super({ pool });
  }

  override createDriver(): PostgresDriver {
    return new PostgresStoreDriver({ pool: this.pool });
  }
}

/** Numbers in the store are instants, counts and truths: all of them whole, and far below 2^53. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === pg.types.builtins.INT8
      ? Number
      : pg.types.getTypeParser(oid, format)) as pg.CustomTypesConfig['getTypeParser'],
};

/** A store in PostgreSQL. Nothing is connected yet. @throws Error that says what is wrong with the URL */
export function openPostgres(location: PostgresLocation): Database {
  const config = { ...postgresAccess(location.url, location.passwordFile), types };
  const changes = new PostgresChanges(() => new pg.Client({ ...config, ...timeouts }));
  const pool = new PostgresConnections({ ...config, ...timeouts, max: location.connections });
  return {
    kind: 'PostgreSQL',
    dialect: new PostgresStoreDialect(pool),
    inspect: inspectPostgres,
    // an index on a large table takes its time
    migrations: () => ({
      dialect: new PostgresStoreDialect(new PostgresConnections({ ...config, max: 2 })),
      plugins: [new PostgresColumnTypes()],
    }),
    time: async (db) => {
      const { rows } = await sql<{
        now: number;
      }>`select (extract(epoch from clock_timestamp()) * 1000)::bigint as now`.execute(db);
      return rows[0]?.now ?? Date.now();
    },
    async exclusively(task, work) {
      // the work may need all that the store may make
      const connections = new PostgresConnections({ ...config, ...timeouts, max: 1 });
      const own = new Kysely<unknown>({ dialect: new PostgresStoreDialect(connections) });
      try {
        return await own.connection().execute((connection) => holdingLock(connection, task, work));
      } finally {
        await own.destroy();
      }
    },
    otherConnections: async (db) => {
      const { rows } = await sql<{ connections: number }>`
        select count(*) as connections from pg_stat_activity
        where datname = current_database() and application_name = ${applicationName} and pid <> pg_backend_pid()
      `.execute(db);
      return rows[0]?.connections ?? 0;
    },
    changes,
    close: () => changes.close(),
  };
}

/** An advisory lock is its connection's: it ends with the process that holds it. */
async function holdingLock<T>(connection: Kysely<unknown>, task: string, work: () => Promise<T>): Promise<T> {
  for (;;) {
    const query = sql<{ held: boolean }>`select pg_try_advisory_lock(hashtext(${`hsm-kms ${task}`})) as held`;
    const { rows } = await query.execute(connection);
    if (rows[0]?.held) break;
    await wait(lockPause);
  }
  try {
    return await work();
  } finally {
    await sql`select pg_advisory_unlock(hashtext(${`hsm-kms ${task}`}))`.execute(connection);
  }
}
