import { readdirSync, readFileSync } from 'node:fs';

/**
 * CPU time that the threads of a process have used, user and system. Linux only. A thread that ended is not counted: what
 * is measured here keeps its threads.
 *
 * @param {number} pid
 * @returns {number} microseconds, to the nanosecond: /proc/PID/stat counts in steps of 10 ms, of which a short measurement
 *   has too few
 */
export function cpuMicroseconds(pid) {
  let nanoseconds = 0;
  for (const thread of readdirSync(`/proc/${pid}/task`))
    nanoseconds += runTime(`/proc/${pid}/task/${thread}/schedstat`);
  return nanoseconds / 1000;
}

/** @param {string} file schedstat of a thread: time on a processor in nanoseconds comes first (Linux, sched-stats) */
function runTime(file) {
  try {
    return Number.parseInt(readFileSync(file, 'latin1'), 10);
  } catch (error) {
    // it ended since its name was read: before the file was opened, or after
    if (/^(ENOENT|ESRCH)$/.test(/** @type {NodeJS.ErrnoException} */ (error).code ?? '')) return 0;
    throw error;
  }
}

/**
 * Memory of a process that is in RAM.
 *
 * @param {number} pid
 * @returns {number} MiB
 */
export function residentMiB(pid) {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024;
}

/**
 * Processes that a process has started.
 *
 * @param {number} pid
 * @returns {number[]}
 */
export function childrenOf(pid) {
  const text = readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').trim();
  return text === '' ? [] : text.split(' ').map(Number);
}
