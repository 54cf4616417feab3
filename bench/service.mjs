import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childrenOf } from './process-cpu.mjs';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const startMilliseconds = 120_000;

/**
 * The built service, running on a data directory of its own.
 *
 * @typedef {object} Service
 * @property {number} workers
 * @property {string} dataDirectory
 * @property {string} endpoint
 * @property {number[]} pids supervisor and workers
 * @property {number} startSeconds how long it took until it listened
 * @property {{ accessKeyId: string, secretAccessKey: string }} credentials
 * @property {() => Promise<void>} restart ends it and starts it on the same data and the same port
 * @property {() => Promise<void>} stop ends it and removes its data
 */

/**
 * @param {number} workers
 * @param {NodeJS.ProcessEnv} [environment] more settings
 * @returns {Promise<Service>}
 */
export async function startService(workers, environment = {}) {
  const home = mkdtempSync(join(tmpdir(), 'hsm-kms-bench-'));
  const dataDirectory = join(home, 'data');
  /** @type {Supervisor | undefined} */
  let supervisor;
  const end = async () => {
    if (supervisor && supervisor.exitCode === null && supervisor.signalCode === null) {
      supervisor.kill('SIGTERM');
      await once(supervisor, 'exit');
    }
  };
  const stop = async () => {
    await end();
    rmSync(home, { recursive: true, force: true });
  };
  const start = async (/** @type {string} */ port) => {
    const startedAt = performance.now();
    supervisor = spawn(
      process.execPath,
      [program, 'serve', '--data-dir', dataDirectory, '--port', port, '--workers', String(workers)],
      { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, ...environment } },
    );
    const endpoint = await addressOf(supervisor);
    const pid = /** @type {number} */ (supervisor.pid);
    const startSeconds = (performance.now() - startedAt) / 1000;
    return { endpoint, pids: [pid, ...childrenOf(pid)], startSeconds };
  };
  try {
    execFileSync(process.execPath, [program, 'init', '--data-dir', dataDirectory], { stdio: ['ignore', 'ignore', 2] });
    const started = await start('0');
    /** @type {Service} */
    const service = {
      workers,
      dataDirectory,
      ...started,
      credentials: readCredentials(join(dataDirectory, 'credentials')),
      stop,
      async restart() {
        await end();
        Object.assign(service, await start(new URL(started.endpoint).port));
      },
    };
    return service;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** @typedef {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} Supervisor */

/** @param {Supervisor} supervisor */
function addressOf(supervisor) {
  return new Promise((/** @type {(endpoint: string) => void} */ resolve, reject) => {
    let output = '';
    const timer = setTimeout(() => reject(new Error('the service did not start in time')), startMilliseconds);
    supervisor.stdout.on('data', (chunk) => {
      output += chunk;
      const address = /listening on (http:\S+)/.exec(output)?.[1];
      if (address === undefined) return;
      clearTimeout(timer);
      resolve(address);
    });
    supervisor.once('exit', (code) => {
      clearTimeout(timer);
      reject(new Error(`the service ended with ${code} before it was ready`));
    });
  });
}

/** @param {string} file an AWS shared-credentials file */
function readCredentials(file) {
  const text = readFileSync(file, 'utf8');
  const value = (/** @type {string} */ name) => new RegExp(`^${name} *= *(.+)$`, 'm').exec(text)?.[1]?.trim() ?? '';
  return { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') };
}
