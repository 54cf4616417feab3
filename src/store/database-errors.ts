/** The database cannot be reached: nothing is known of the store, and nothing was changed unless a commit was under way. */
export class DatabaseUnavailableError extends Error {
  override readonly name = 'DatabaseUnavailableError';
}

/** SQLSTATE classes and codes after which the connection is of no use (PostgreSQL, appendix A). */
const lostConnection: readonly RegExp[] = [
  /^08/, // connection exception
  /^57P0[123]$/, // shut down, crashed, starting up
  /^25006$/, // read only: a primary that has become a standby
  /^53300$/, // too many connections
  /^25P0[34]$/, // a timeout ended the session
];

/** SQLSTATEs of transactions that may succeed when they are made again. */
const worthAnotherAttempt: readonly RegExp[] = [
  /^40001$/, // serialization failure
  /^40P01$/, // deadlock
  /^55P03$/, // lock not available in time
];

const socketErrors = [
  'ECONNREFUSED',
  'ECONNRESET',
  'EPIPE',
  'ETIMEDOUT',
  'ENOTFOUND',
  'EAI_AGAIN',
  'ENOENT',
  'EHOSTUNREACH',
];

/** What node-postgres says, without a code, of connections that end or do not answer. */
const saidOfConnections =
  /^(Connection terminated|timeout exceeded|Query read timeout|Client has encountered|Client was closed)/;

/** True when an error says that the connection to the database is gone or cannot be made. */
export function isLostConnection(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return true;
  const { code, message } = error as { code?: unknown; message?: unknown };
  if (typeof code === 'string') {
    return socketErrors.includes(code) || lostConnection.some((each) => each.test(code));
  }
  return typeof message === 'string' && saidOfConnections.test(message);
}

/** True when a transaction that failed before its commit may succeed when it is made again. */
export function isTransient(error: unknown): boolean {
  if (error instanceof DatabaseUnavailableError) return false;
  const { code } = error as { code?: unknown };
  return isLostConnection(error) || (typeof code === 'string' && worthAnotherAttempt.some((each) => each.test(code)));
}
