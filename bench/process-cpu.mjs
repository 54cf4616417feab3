import { readFileSync } from 'node:fs';

/** USER_HZ, the unit of the times in /proc: 100 on every Linux that Node runs on. */
const ticksPerSecond = 100;

/**
 * CPU time that a process has used, user and system, all its threads, also those that ended. Linux only.
 *
 * @param {number} pid
 * @returns {number} microseconds, in steps of 10,000
 */
export function cpuMicroseconds(pid) {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  // proc(5): utime and stime are the fields 14 and 15; field 2, the name, may hold blanks and ends with the last ')'
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return ((Number(fields[11]) + Number(fields[12])) * 1_000_000) / ticksPerSecond;
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
