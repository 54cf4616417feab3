import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';

/** @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** Ends all of them at once: what waits for their reports fails. */
export function killChildProcesses() {
  for (const child of running) child.kill('SIGKILL');
}

/**
 * A process that takes orders and answers each with a report or a failure, one at a time.
 *
 * @template O, R
 */
export class ChildProcess {
  /** @param {string} module beside this file @param {NodeJS.ProcessEnv} [environment] */
  constructor(module, environment = {}) {
    this.child = fork(fileURLToPath(new URL(module, import.meta.url)), [], {
      // Buffers arrive as Uint8Arrays and not as JSON
      serialization: 'advanced',
      env: { ...process.env, ...environment },
    });
    running.add(this.child);
    this.child.once('exit', () => running.delete(this.child));
  }

  /**
   * @param {O} order
   * @returns {Promise<R>}
   */
  ask(order) {
    return new Promise((resolve, reject) => {
      const settle = (/** @type {() => void} */ how) => {
        this.child.off('message', onMessage);
        this.child.off('exit', onExit);
        how();
      };
      const onMessage = (/** @type {{ report: R } | { failure: string }} */ answer) =>
        settle(() => ('failure' in answer ? reject(new Error(answer.failure)) : resolve(answer.report)));
      const onExit = (/** @type {number | null} */ code, /** @type {string | null} */ signal) =>
        settle(() => reject(new Error(`a process of the bench ended (${signal ?? code})`)));
      if (!this.child.connected) return reject(new Error('a process of the bench has ended'));
      this.child.on('message', onMessage);
      this.child.on('exit', onExit);
      this.child.send(/** @type {import('node:child_process').Serializable} */ (order));
    });
  }

  end() {
    if (this.child.connected) this.child.disconnect();
  }
}
