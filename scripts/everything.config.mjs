/**
 * What npm test runs, in parts that each have some of everything (run-tests.mjs): all tests over SoftHSM2 and SQLite,
 * those that another database can change over PostgreSQL, and those that another token can change over NSS softokn, of
 * this system and of a newer Debian.
 */
import { resolve } from 'node:path';
import config from '../jest.config.js';
import { whyNoPostgres } from '../test/service/postgres/server.mjs';
import { whyNoSid } from '../test/service/sid/set-up.mjs';

/** Suites in which the token does the work. */
const overNss = [
  ...['create-key', 'encryption-symmetric', 'encryption-rsa', 'data-keys', 'signing', 'macs'],
  ...[
    'key-agreement',
    'rotation',
    'import',
    'keys-cannot-leave',
    'persistence',
    'workers',
    'evidence',
    'certificates',
    'audit-secrets',
  ],
];
/** Suites that meet what a newer NSS has and an older has not. */
const overNewerNss = ['create-key', 'signing', 'ml-dsa', 'import-in-token', 'keys-cannot-leave'];

/** Suites in which the store does the work. */
const overPostgres = [
  ...['aliases', 'create-key', 'grants', 'grants-ending', 'tags', 'rotation', 'rotation-schedule', 'import-lifecycle'],
  ...['identity', 'custom-key-stores', 'last-usage', 'paging', 'secrets', 'workers', 'quotas', 'jwks', 'seals'],
];

const softHsmAndSqlite = { HSM_KMS_TEST_TOKEN: 'softhsm', HSM_KMS_TEST_DATABASE: 'sqlite' };
const endToEnd = (names) => names.map((name) => `<rootDir>/test/e2e/${name}.test.ts`);
const parts = [
  { over: 'SoftHSM2', tested: softHsmAndSqlite, suites: config.testMatch },
  {
    over: 'PostgreSQL',
    tested: { ...softHsmAndSqlite, HSM_KMS_TEST_DATABASE: 'postgres' },
    suites: ['<rootDir>/test/store/**/*.test.ts', ...endToEnd(overPostgres)],
    whyNot: whyNoPostgres(),
  },
  { over: "this system's NSS", tested: { ...softHsmAndSqlite, HSM_KMS_TEST_TOKEN: 'nss' }, suites: endToEnd(overNss) },
  {
    over: 'NSS of Debian sid',
    tested: { ...softHsmAndSqlite, HSM_KMS_TEST_TOKEN: 'nss-sid' },
    suites: endToEnd(overNewerNss),
    whyNot: whyNoSid(),
  },
];

/** What cannot be had here, and why. */
export const skippedParts = parts.filter(({ whyNot }) => whyNot);

const rootDir = resolve(import.meta.dirname, '..');
const { maxWorkers, testTimeout, ...project } = config;
export default {
  rootDir,
  maxWorkers,
  testTimeout,
  testSequencer: '<rootDir>/scripts/longest-first.mjs',
  projects: parts
    .filter(({ whyNot }) => !whyNot)
    .map(({ over, tested, suites }) => ({
      ...project,
      rootDir,
      displayName: over,
      testMatch: suites,
      globals: { tested },
      setupFiles: ['<rootDir>/test/service/tested.mjs'],
    })),
};
