import pg from 'pg';
import { DatabaseUnavailableError, isLostConnection } from './database-errors.js';
import { rowsFromPostgres, toPostgres } from './postgres-text.js';

/** How long somebody waits for a connection while the database restarts or fails over, in milliseconds. */
const patience = 5_000;
/** How long between two attempts, in milliseconds. */
const pause = 50;

/** A pool's client as Kysely uses it. */
interface Connection {
  query: pg.PoolClient['query'];
  release(): void;
}

/**
 * Connections to PostgreSQL for a store. A restart or a fail-over is waited for; a database that has been away for
 * longer is asked again by one at a time, and the others are refused at once. A connection that failed is not used
 * again: after a timeout its query may still be under way.
 */
export class PostgresConnections {
  private readonly pool: pg.Pool;
  /** When the attempts began to fail, as performance.now() has it. */
  private awaySince: number | undefined;
  private isAsking = false;

  constructor(config: pg.PoolConfig) {
    this.pool = new pg.Pool(config);
    // an idle connection that ends is replaced when one is needed
    this.pool.on('error', () => {});
    // one that ends in the middle of a transaction, between two queries, fails the next of them
    this.pool.on('connect', (client) => client.on('error', () => {}));
  }

  /** @throws DatabaseUnavailableError */
  async connect(): Promise<Connection> {
    const end = performance.now() + patience;
    for (;;) {
      if (this.isAway() && this.isAsking) throw new DatabaseUnavailableError('PostgreSQL does not answer');
      this.isAsking = true;
      try {
        const client = await this.pool.connect();
        this.awaySince = undefined;
        return discardedAfterFailure(client);
      } catch (error) {
        // a server that refuses is there
        if (!isLostConnection(error)) throw explained(error);
        this.awaySince ??= performance.now();
        if (this.isAway() || performance.now() + pause > end) {
          throw new DatabaseUnavailableError(`PostgreSQL does not answer: ${(error as Error).message}`, {
            cause: error,
          });
        }
      } finally {
        this.isAsking = false;
      }
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }

  async end(): Promise<void> {
    await this.pool.end();
  }

  private isAway(): boolean {
    return this.awaySince !== undefined && performance.now() - this.awaySince > patience;
  }
}

function discardedAfterFailure(client: pg.PoolClient): Connection {
  let failure: Error | undefined;
  const query = async (text: string, values: readonly unknown[]) => {
    try {
      const result = await client.query<Record<string, unknown>>(text, values.map(toPostgres));
      rowsFromPostgres(result.rows);
      return result;
    } catch (error) {
      if (isLostConnection(error)) failure = error as Error;
      throw error;
    }
  };
  return { query: query as unknown as pg.PoolClient['query'], release: () => client.release(failure) };
}

/** What an operator does about a refused connection, by SQLSTATE (PostgreSQL, appendix A). */
const remedies: Readonly<Record<string, string>> = {
  '3D000': 'make it, with createdb --encoding=UTF8, or name another in DATABASE_URL',
  '28P01': 'set the password in DATABASE_URL, or in the file of HSM_KMS_DATABASE_PASSWORD_FILE',
  '28000': "allow this user and machine in the server's pg_hba.conf, or name another user in DATABASE_URL",
  '42501': 'GRANT CONNECT ON DATABASE to the user of DATABASE_URL',
};

function explained(error: unknown): unknown {
  const { code, message } = error as { code?: string; message: string };
  const remedy = remedies[code ?? ''];
  return remedy === undefined ? error : new Error(`PostgreSQL says: ${message}. ${remedy}.`, { cause: error });
}
