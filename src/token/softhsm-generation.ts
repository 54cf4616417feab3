import { randomInt } from 'node:crypto';
import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';

/** Where SoftHSM2 looks for its configuration when the environment names none. */
const usualConfiguration = '/etc/softhsm/softhsm2.conf';
const generationBytes = 8;

/**
 * Makes every process read the directories of SoftHSM2's tokens anew.
 *
 * A SoftHSM2 token has a file `generation`, a number that grows with each object made or destroyed; a process lists the
 * token's directory again when it has changed. But a process that makes an object itself takes the new number as seen,
 * and with it the changes of others that it has not seen (Generation::commit of 2.6.1): to it their objects do not
 * exist, until yet another process changes something. So a number is written that no process has seen. It means nothing
 * else, which is why it may be written without SoftHSM2's lock.
 *
 * @returns false where that cannot be done: another object store, no permission
 */
export function relistSoftHsmObjects(): boolean {
  let written = false;
  try {
    const tokens = tokenDirectory(readFileSync(process.env.SOFTHSM2_CONF ?? usualConfiguration, 'utf8'));
    for (const token of tokens === undefined ? [] : readdirSync(tokens)) {
      written = writeNewGeneration(join(tokens as string, token, 'generation')) || written;
    }
  } catch {
    // no configuration, or no directory: what is missing stays missing
  }
  return written;
}

/** directories.tokendir of softhsm2.conf. */
export function tokenDirectory(configuration: string): string | undefined {
  return /^\s*directories\.tokendir\s*=\s*(.*?)\s*$/m.exec(configuration)?.[1];
}

function writeNewGeneration(file: string): boolean {
  let descriptor: number;
  try {
    descriptor = openSync(file, 'r+');
  } catch {
    return false;
  }
  try {
    const generation = Buffer.alloc(generationBytes);
    if (readSync(descriptor, generation, 0, generationBytes, 0) < generationBytes) return false;
    // a leap: the next number may be taken by a process that changes the token at this moment
    generation.writeBigUInt64BE(generation.readBigUInt64BE() + BigInt(randomInt(2, 2 ** 31)));
    return writeSync(descriptor, generation, 0, generationBytes, 0) === generationBytes;
  } finally {
    closeSync(descriptor);
  }
}
