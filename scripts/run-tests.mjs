/**
 * npm test's runs of jest: everything that can be had here (everything.config.mjs), in parts one after the other. With
 * arguments, which go to jest, one run over the token that HSM_KMS_TEST_TOKEN names and the database that
 * HSM_KMS_TEST_DATABASE names. The last line counts the tests.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { skippedParts } from './everything.config.mjs';

/** jest keeps the modules of all suites that a process has run: after a hundred, suites with many objects take thrice as long. */
const parts = 4;

const given = process.argv.slice(2);
const isEverything = given.length === 0;
if (isEverything)
  for (const { over, whyNot } of skippedParts) console.error(`SKIPPED, the tests over ${over}: ${whyNot}`);

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Counts */

const jest = fileURLToPath(new URL('../node_modules/.bin/jest', import.meta.url));
const counter = fileURLToPath(new URL('count-tests.mjs', import.meta.url));

let running;
let isInterrupted = false;
for (const signal of ['SIGINT', 'SIGTERM'])
  process.on(signal, () => {
    isInterrupted = true;
    running?.kill(signal);
  });

/** @returns {Promise<Counts>} what jest has counted; a failure more when it did not come to that */
async function runJest(parameters) {
  // the parameters first: --reporters takes every word after it
  running = spawn(jest, [...parameters, '--reporters=default', `--reporters=${counter}`], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: {
      ...process.env,
      NODE_OPTIONS: '--experimental-vm-modules',
      ...(isEverything && { HSM_KMS_TEST_EVERYTHING: 'yes' }),
    },
  });
  let counts;
  running.on('message', (message) => {
    counts = message;
  });
  const [code] = await once(running, 'exit');
  counts ??= { passed: 0, failed: 0, skipped: 0, failures: [] };
  if (code === 0 || counts.failed > 0) return counts;
  return { ...counts, failed: 1, failures: [`jest ${parameters.join(' ')} (exit code ${code})`] };
}

const runs = isEverything
  ? Array.from({ length: parts }, (_, part) => [
      '--config=scripts/everything.config.mjs',
      `--shard=${part + 1}/${parts}`,
    ])
  : [given];
const total = { passed: 0, failed: 0, skipped: 0, failures: [] };
// what cannot be had is as many suites that were not even begun
if (isEverything) total.skipped = skippedParts.reduce((sum, { suites }) => sum + suites.length, 0);
for (const [index, parameters] of runs.entries()) {
  if (isInterrupted) break;
  if (runs.length > 1) console.log(`Part ${index + 1} of ${runs.length}`);
  const { passed, failed, skipped, failures } = await runJest(parameters);
  total.passed += passed;
  total.failed += failed;
  total.skipped += skipped;
  total.failures.push(...failures);
}
for (const failure of total.failures) console.log(`FAILED ${failure}`);
console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exitCode = total.failed > 0 || isInterrupted ? 1 : 0;
