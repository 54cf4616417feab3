import { readFileSync } from 'node:fs';
import type pg from 'pg';

/** What the server shows of our connections. */
export const applicationName = 'hsm-kms';

/** Query parameters of a URL that mean something here; the others of libpq are refused, not overlooked. */
const known = ['host', 'port', 'user', 'password', 'sslmode', 'sslrootcert', 'sslcert', 'sslkey'];

/** libpq's modes that encrypt for whoever answers are taken for the strict one, or refused. */
const verifies: Readonly<Record<string, boolean>> = {
  require: true,
  'verify-ca': true,
  'verify-full': true,
  disable: false,
};

/**
 * How node-postgres reaches a database: with TLS and a certificate that is verified, unless the database is on this
 * machine or the URL says sslmode=disable.
 *
 * @param url postgres://user:password@host:port/database?parameters (PostgreSQL, 34.1.1.2 Connection URIs)
 * @param passwordFile read at each connection
 * @throws Error in one sentence, without what may be a password
 */
export function postgresAccess(url: string, passwordFile: string | undefined): pg.ClientConfig {
  const { username, password, hostname, port, pathname, searchParams: query } = new URL(url);
  const unknown = [...query.keys()].filter((name) => !known.includes(name));
  if (unknown.length > 0) {
    throw new Error(`DATABASE_URL has parameters that are not known (${unknown.join(', ')}): leave them out.`);
  }
  const of = (name: string, part: string) => query.get(name) ?? (part === '' ? undefined : decodeURIComponent(part));
  const host = of('host', hostname.replace(/^\[(.+)\]$/, '$1'));
  const givenPassword = of('password', password);
  return {
    host,
    port: Number(of('port', port) ?? 5432),
    user: of('user', username),
    database: decodeURIComponent(pathname.slice(1)),
    password: passwordFile === undefined ? givenPassword : () => passwordFrom(passwordFile),
    ssl: tlsOf(host, query),
    application_name: applicationName,
    keepAlive: true,
  };
}

function tlsOf(host: string | undefined, query: URLSearchParams): pg.ClientConfig['ssl'] {
  const isLocal = host === undefined || host.startsWith('/') || ['localhost', '127.0.0.1', '::1'].includes(host);
  const mode = query.get('sslmode') ?? (isLocal ? 'disable' : 'verify-full');
  const isVerified = verifies[mode];
  if (isVerified === undefined) {
    throw new Error(
      `DATABASE_URL asks for sslmode=${mode}: set it to verify-full, with sslrootcert=FILE for a CA of your own, or to disable.`,
    );
  }
  if (!isVerified) return false;
  const pem = (name: string) => {
    const file = query.get(name);
    return file === null ? undefined : readAccessFile(`${name} of DATABASE_URL`, file);
  };
  return { ca: pem('sslrootcert'), cert: pem('sslcert'), key: pem('sslkey') };
}

function passwordFrom(file: string): string {
  return readAccessFile("the database's password", file).replace(/\r?\n$/, '');
}

function readAccessFile(what: string, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(`The file of ${what}, ${file}, cannot be read: ${(error as Error).message}`, { cause: error });
  }
}
