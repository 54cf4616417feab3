/**
 * npm test's runs of jest: all tests over SoftHSM2 and SQLite, those over a SoftHSM2 that is made to fail, those that
 * another database can change over PostgreSQL, and those that another token can change over NSS softokn, of this system
 * and of a newer Debian. With arguments, which go to jest, one run, over the token that HSM_KMS_TEST_TOKEN names and the
 * database that HSM_KMS_TEST_DATABASE names. The last line counts the tests of all runs.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

/** Suites over what fails, one at a time: they look at how soon the service is back, and nodes at how soon they agree. */
const failing = [
  ...['token-absence', 'token-crashes', 'token-faults', 'token-faults-of-two', 'token-hangs'],
  ...['several-nodes', 'nodes-failures'],
];

const endToEnd = (names) => names.map((name) => `test/e2e/${name}.test.ts`);
const everything = [
  { over: 'SoftHSM2', token: 'softhsm', files: endToEnd(failing).map((file) => `--testPathIgnorePatterns=${file}`) },
  { over: 'what fails', token: 'softhsm', files: ['--runInBand', ...endToEnd(failing)] },
  {
    over: 'PostgreSQL',
    database: 'postgres',
    files: ['test/store', ...endToEnd(overPostgres)],
    whyNot: whyNoPostgres(),
  },
  { over: "this system's NSS", token: 'nss', files: endToEnd(overNss) },
  { over: 'NSS of Debian sid', token: 'nss-sid', files: endToEnd(overNewerNss), whyNot: whyNoSid() },
];

const given = process.argv.slice(2);
const runs = given.length > 0 ? [{ files: given }] : everything;
const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-tests-'));
const sum = { passed: 0, failed: 0, skipped: 0 };
let status = 0;
let isInterrupted = false;
for (const [place, run] of runs.entries()) {
  if (isInterrupted) break;
  if (run.whyNot) {
    console.error(`\nSKIPPED, the tests over ${run.over}: ${run.whyNot}\n`);
    sum.skipped += run.files.length;
    continue;
  }
  if (run.over) console.log(`\nTests over ${run.over}`);
  const counts = join(directory, String(place));
  status = Math.max(status, await jest(run, counts));
  if (!existsSync(counts)) continue;
  for (const [name, count] of Object.entries(JSON.parse(readFileSync(counts, 'utf8')))) sum[name] += count;
}
rmSync(directory, { recursive: true });
console.log(`\n${sum.passed} passed, ${sum.failed} failed, ${sum.skipped} skipped`);
process.exitCode = status;

/** @returns the exit code; 1 for one that a signal has ended */
function jest({ token, database, files }, counts) {
  // the arguments first: --reporters takes every word after it
  const parameters = [...files, '--reporters=default', '--reporters=./scripts/count-tests.mjs'];
  const child = spawn('node_modules/.bin/jest', parameters, {
    stdio: 'inherit',
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules',
      HSM_KMS_TEST_COUNTS: counts,
      ...(token && { HSM_KMS_TEST_TOKEN: token }),
      ...(database && { HSM_KMS_TEST_DATABASE: database }),
    },
  });
  const end = (signal) => {
    isInterrupted = true;
    child.kill(signal);
  };
  for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, end);
  return new Promise((done) => {
    child.once('exit', (code) => {
      for (const signal of ['SIGINT', 'SIGTERM']) process.off(signal, end);
      done(code ?? 1);
    });
  });
}
