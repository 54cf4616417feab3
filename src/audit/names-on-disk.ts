import { closeSync, fchownSync, fstatSync, fsyncSync, openSync, statSync } from 'node:fs';
import { join } from 'node:path';

/** Has the names of a directory's files on the disk: a new file can be missing after a loss of power otherwise. */
export function keepNames(directory: string): void {
  const handle = openSync(directory, 'r');
  try {
    fsyncSync(handle);
  } finally {
    closeSync(handle);
  }
}

/** What is written to a file that somebody has removed, or put another in the place of, is gone. @throws Error ESTALE */
export function expectInPlace(directory: string, name: string, file: number): void {
  const there = statSync(join(directory, name), { throwIfNoEntry: false });
  const { dev, ino } = fstatSync(file);
  if (there?.ino === ino && there.dev === dev) return;
  throw Object.assign(new Error(`${name} was removed or replaced while it was written`), { code: 'ESTALE' });
}

/** What root makes in the directory of the service's user, the service has to read. */
export function giveToOwner(directory: string, file: number): void {
  if (process.geteuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  fchownSync(file, uid, gid);
}
