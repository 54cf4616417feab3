import { expect, test } from '@jest/globals';
import { hasPassword, withoutPassword } from '../../src/config/database-url.js';
import { loadSettings } from '../../src/config/load-settings.js';
import { shownValue } from '../../src/config/settings.js';
import { openPostgres } from '../../src/store/postgres.js';

const secret = 'a-password-to-look-for';

test.each([
  `postgres://kms:${secret}@db.example:5432/kms`,
  `postgresql://kms@db.example/kms?sslmode=verify-full&password=${secret}`,
])('the password of a URL is not shown, and is refused on a command line: %#', (url) => {
  expect(hasPassword(url)).toBe(true);
  expect(withoutPassword(url)).not.toContain(secret);
  expect(shownValue('databaseUrl', url)).toBe(withoutPassword(url));
  expect(loadSettings({ environment: { DATABASE_URL: url } }).settings.databaseUrl).toBe(url);
  const onCommandLine = () => loadSettings({ flags: { databaseUrl: url } });
  expect(onCommandLine).toThrow(/--database-url: all users of the machine can read a command line/);
  expect(onCommandLine).not.toThrow(secret);
});

test('a URL without a password may be a flag', () => {
  const url = 'postgres://kms@db.example/kms';
  expect(loadSettings({ flags: { databaseUrl: url } }).settings.databaseUrl).toBe(url);
});

test.each([
  ['mysql://kms@db.example/kms', /DATABASE_URL: is not the URL of a PostgreSQL database, as in postgres:/],
  [`${secret} and no URL`, /DATABASE_URL: is not the URL of a PostgreSQL database/],
  ['postgres://kms@db.example', /DATABASE_URL: does not name the database/],
])('what is no URL of PostgreSQL is refused without being shown: %#', (url, sentence) => {
  const load = () => loadSettings({ environment: { DATABASE_URL: url } });
  expect(load).toThrow(sentence);
  expect(load).not.toThrow(secret);
});

const open = (query: string, host = 'db.example') =>
  openPostgres({ url: `postgres://kms:${secret}@${host}/kms${query}`, connections: 1 });

test.each(['prefer', 'allow', 'no-verify', 'nonsense'])('TLS that does not verify is refused: sslmode=%s', (mode) => {
  expect(() => open(`?sslmode=${mode}`)).toThrow(`DATABASE_URL asks for sslmode=${mode}: set it to verify-full`);
  expect(() => open(`?sslmode=${mode}`)).not.toThrow(secret);
});

test('parameters that would be overlooked are refused', () => {
  expect(() => open('?sslmode=disable&target_session_attrs=read-write')).toThrow(
    'DATABASE_URL has parameters that are not known (target_session_attrs): leave them out.',
  );
});

test.each(['', '?sslmode=require', '?sslmode=verify-ca', '?sslmode=verify-full', '?sslmode=disable'])(
  'a URL is taken: %s',
  async (query) => {
    await open(query).close();
    await open(query, '127.0.0.1').close();
  },
);
