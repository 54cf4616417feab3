import { execFileSync } from 'node:child_process';
import { availableParallelism, cpus, loadavg, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('..', import.meta.url));

/** What a reader must know of the machine to compare figures. Nothing in it names a host or a person. */
export function machineFacts() {
  const version = outputOf('softhsm2-util', ['--version']);
  return {
    processor: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    system: `${process.platform} ${process.arch}`,
    node: process.version,
    token: `SoftHSM ${version ?? 'of unknown version'}`,
  };
}

/** Which source was measured. */
export function gitFacts() {
  return {
    revision: outputOf('git', ['rev-parse', '--short', 'HEAD']) ?? 'unknown',
    /** Files that a commit does not have yet, of what is measured. */
    changed: outputOf('git', ['status', '--porcelain', '--', 'src', 'bench/*.mjs', 'package-lock.json']) !== '',
  };
}

/** Load averages over 1, 5 and 15 minutes. */
export function loadAverage() {
  return loadavg().map((value) => Number(value.toFixed(2)));
}

/** @param {string} program @param {string[]} args */
function outputOf(program, args) {
  try {
    return execFileSync(program, args, {
      encoding: 'utf8',
      cwd: repository,
      stdio: ['ignore', 'pipe', 'ignore'],
    }).trim();
  } catch {
    return undefined;
  }
}
