import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { childrenOf } from './process-cpu.mjs';

const program = fileURLToPath(new URL('../dist/cli/main.js', import.meta.url));
const startMilliseconds = 30_000;

/**
 * The built service, running on a fresh data directory.
 *
 * @typedef {object} Service
 * @property {string} dataDirectory
 * @property {string} endpoint
 * @property {number[]} pids supervisor and workers
 * @property {{ accessKeyId: string, secretAccessKey: string }} credentials
 * @property {() => Promise<void>} stop ends it and removes its data
 */

/**
 * @param {number} workers
 * @returns {Promise<Service>}
 */
export async function startService(workers) {
  const home = mkdtempSync(join(tmpdir(), 'hsm-kms-bench-'));
  const remove = () => rmSync(home, { recursive: true, force: true });
  const dataDirectory = join(home, 'data');
  try {
    execFileSync(process.execPath, [program, 'init', '--data-dir', dataDirectory], { stdio: ['ignore', 'ignore', 2] });
    const supervisor = spawn(
      process.execPath,
      [program, 'serve', '--data-dir', dataDirectory, '--port', '0', '--workers', String(workers)],
      { stdio: ['ignore', 'pipe', 'inherit'] },
    );
    const stop = async () => {
      if (supervisor.exitCode === null && supervisor.signalCode === null) {
        supervisor.kill('SIGTERM');
        await once(supervisor, 'exit');
      }
      remove();
    };
    try {
      const endpoint = await addressOf(supervisor);
      const pid = /** @type {number} */ (supervisor.pid);
      return {
        dataDirectory,
        endpoint,
        pids: [pid, ...childrenOf(pid)],
        credentials: readCredentials(join(dataDirectory, 'credentials')),
        stop,
      };
    } catch (error) {
      await stop();
      throw error;
    }
  } catch (error) {
    remove();
    throw error;
  }
}

/** @param {import('node:child_process').ChildProcessByStdio<null, import('node:stream').Readable, null>} supervisor */
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
