import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const jest = fileURLToPath(new URL('../node_modules/.bin/jest', import.meta.url));
const counter = fileURLToPath(new URL('count-tests.mjs', import.meta.url));

/** @typedef {{ passed: number, failed: number, skipped: number, failures: string[] }} Counts */

/**
 * Runs jest once for each list of parameters, one after the other, and ends with what failed and the line
 * `N passed, N failed, N skipped`. Sets the exit code.
 *
 * @param {readonly string[][]} runs
 * @param {{ notBegun?: number, environment?: NodeJS.ProcessEnv }} [options] notBegun: suites that cannot be had, which
 *   count as skipped
 */
export async function runJests(runs, { notBegun = 0, environment = {} } = {}) {
  let running;
  let isInterrupted = false;
  for (const signal of ['SIGINT', 'SIGTERM'])
    process.on(signal, () => {
      isInterrupted = true;
      running?.kill(signal);
    });
  const total = { passed: 0, failed: 0, skipped: notBegun, failures: [] };
  for (const [index, parameters] of runs.entries()) {
    if (isInterrupted) break;
    if (runs.length > 1) console.log(`Part ${index + 1} of ${runs.length}`);
    running = startJest(parameters, environment);
    const { passed, failed, skipped, failures } = await countsOf(running, parameters);
    total.passed += passed;
    total.failed += failed;
    total.skipped += skipped;
    total.failures.push(...failures);
  }
  for (const failure of total.failures) console.log(`FAILED ${failure}`);
  console.log(`\n${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
  process.exitCode = total.failed > 0 || isInterrupted ? 1 : 0;
}

function startJest(parameters, environment) {
  // the parameters first: --reporters takes every word after it
  return spawn(jest, [...parameters, '--reporters=default', `--reporters=${counter}`], {
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
    env: { ...process.env, NODE_OPTIONS: '--experimental-vm-modules', ...environment },
  });
}

/** @returns {Promise<Counts>} what a jest has counted; a failure more when it ended badly and counted none */
async function countsOf(running, parameters) {
  let counts = { passed: 0, failed: 0, skipped: 0, failures: [] };
  running.on('message', (message) => {
    counts = message;
  });
  const [code] = await once(running, 'exit');
  if (code === 0 || counts.failed > 0) return counts;
  return { ...counts, failed: 1, failures: [`jest ${parameters.join(' ')} (exit code ${code})`] };
}
