import { existsSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { sleep } from './sleep.js';

/*
 * SoftHSM2 2.6.1 writes a token's token.object anew at every login, and not atomically: a process that is killed in
 * that moment leaves a file of 0 bytes (seen with kill -9). It holds the key that all other objects are encrypted by, so
 * the whole token would be lost. A copy beside it makes up for that.
 */
const tokenFile = 'token.object';
/** SoftHSM2 looks at names that end in .object only. */
const copyOfTokenFile = 'token.object.copy';
/** How often, and after which pause in milliseconds, a file is looked at again that another process may be writing. */
const looks = 10;
const pause = 20;

/**
 * What a killed login has left without its content.
 *
 * @param tokens directory of SoftHSM2's tokens
 * @returns the directories of the tokens
 */
export function damagedTokenFiles(tokens: string): string[] {
  return tokenDirectories(tokens).filter((directory) => {
    const whole = sizeOf(join(directory, copyOfTokenFile));
    const isDamaged = () => sizeOf(join(directory, tokenFile)) < whole;
    for (let look = 1; look < looks && isDamaged(); look++) sleep(pause);
    return isDamaged();
  });
}

/**
 * Puts that back. To be called before a login.
 *
 * @param tokens directory of SoftHSM2's tokens
 * @returns the directories of the tokens that were repaired
 */
export function restoreTokenFiles(tokens: string): string[] {
  const damaged = damagedTokenFiles(tokens);
  for (const directory of damaged) {
    replace(join(directory, tokenFile), readFileSync(join(directory, copyOfTokenFile)));
  }
  return damaged;
}

/**
 * Keeps a copy of each token's file. To be called after a login, which has shown that the file is whole.
 *
 * @param tokens directory of SoftHSM2's tokens
 */
export function keepTokenFiles(tokens: string): void {
  for (const directory of tokenDirectories(tokens)) {
    const content = settledContent(join(directory, tokenFile));
    const copy = join(directory, copyOfTokenFile);
    if (content.length < sizeOf(copy) || content.length === 0) continue;
    if (existsSync(copy) && readFileSync(copy).equals(content)) continue;
    try {
      replace(copy, content);
    } catch (error) {
      // the older copy opens the token as well
      if (sizeOf(copy) !== content.length) throw error;
    }
  }
}

/** The content of a file that no other process is writing, as two looks at it agree. */
function settledContent(file: string): Buffer {
  let content = readFileSync(file);
  for (let look = 1; look < looks; look++) {
    sleep(pause);
    const again = readFileSync(file);
    if (again.length > 0 && again.equals(content)) return content;
    content = again;
  }
  return Buffer.alloc(0);
}

function tokenDirectories(tokens: string): string[] {
  const names = existsSync(tokens) ? readdirSync(tokens) : [];
  return names
    .map((name) => join(tokens, name))
    .filter((directory) => existsSync(join(directory, tokenFile)) || existsSync(join(directory, copyOfTokenFile)));
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/** Whole or not at all; several workers may do it at once. */
function replace(file: string, content: Buffer): void {
  const unfinished = `${file}.${process.pid}.new`;
  try {
    writeFileSync(unfinished, content, { mode: 0o600, flush: true });
    renameSync(unfinished, file);
  } catch (error) {
    rmSync(unfinished, { force: true });
    throw error;
  }
}
