import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';

/** What a reader must know of the machine to compare figures. Nothing in it names a host or a person. */
export function machineFacts() {
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    softhsm: softHsmVersion(),
  };
}

/** Load averages over 1, 5 and 15 minutes. */
export function loadAverage() {
  return loadavg().map((value) => Number(value.toFixed(2)));
}

function softHsmVersion() {
  try {
    return execFileSync('softhsm2-util', ['--version'], { encoding: 'utf8' }).trim();
  } catch {
    return 'unknown';
  }
}
