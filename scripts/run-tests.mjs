/**
 * npm test's run of jest: everything that can be had here (everything.config.mjs). With arguments, which go to jest, one
 * over the token that HSM_KMS_TEST_TOKEN names and the database that HSM_KMS_TEST_DATABASE names. The last line counts
 * the tests.
 */
import { spawn } from 'node:child_process';
import { skippedParts } from './everything.config.mjs';

const given = process.argv.slice(2);
const isEverything = given.length === 0;
if (isEverything)
  for (const { over, whyNot } of skippedParts) console.error(`SKIPPED, the tests over ${over}: ${whyNot}`);
// the arguments first: --reporters takes every word after it
const parameters = [
  ...(isEverything ? ['--config=scripts/everything.config.mjs'] : given),
  ...['--reporters=default', '--reporters=./scripts/count-tests.mjs'],
];
const child = spawn('node_modules/.bin/jest', parameters, {
  stdio: 'inherit',
  env: {
    ...process.env,
    NODE_OPTIONS: '--experimental-vm-modules',
    ...(isEverything && {
      HSM_KMS_TEST_EVERYTHING: 'yes',
      HSM_KMS_TEST_SKIPPED: String(skippedParts.reduce((sum, { suites }) => sum + suites.length, 0)),
    }),
  },
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => child.kill(signal));
child.once('exit', (code) => {
  process.exitCode = code ?? 1;
});
