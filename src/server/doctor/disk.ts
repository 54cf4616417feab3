import { mkdtempSync, rmdirSync, statfsSync } from 'node:fs';
import { join } from 'node:path';
import { type Check, error, type Finding, ok, warning } from './finding.js';

const mebibyte = 1024 ** 2;
/** Less is soon used up, and with less nothing is sure, in bytes. */
const little = 1024 * mebibyte;
const tooLittle = 64 * mebibyte;
/** Files that a file system has left for SoftHSM2's objects. */
const fewFiles = 1_000;

export const disk: Check = {
  name: 'disk',
  examine(patient) {
    patient.expectDirectory();
    const { path } = patient.directory;
    const { bavail, bsize, ffree, files } = statfsSync(path);
    const free = bavail * bsize;
    const findings: Finding[] = [];
    const trouble = whyNotWritable(path);
    if (trouble !== undefined) {
      findings.push(error(`Nothing can be written to ${path}: ${trouble}.`, `findmnt --target ${path}; dmesg | tail`));
    }
    const size = `${Math.floor(free / mebibyte)} MiB`;
    const toDo = `du -xh "$(stat -c %m ${path})" | sort -h | tail`;
    if (free < tooLittle) findings.push(error(`${size} are free for ${path}: keys cannot be made soon.`, toDo));
    else if (free < little) findings.push(warning(`${size} are free for ${path}.`, toDo));
    // file systems without a fixed number of files tell 0
    if (files > 0 && ffree < fewFiles) {
      findings.push(warning(`${ffree} more files can be made for ${path}.`, `df -i ${path}`));
    }
    return findings.length > 0 ? findings : [ok(`${size} are free.`)];
  },
};

const troubles: Readonly<Record<string, string>> = {
  EROFS: 'its file system is read-only',
  ENOSPC: 'its disk is full',
  EDQUOT: "this user's quota is used up",
};

/** Tried by a directory that is made and removed: a file system that has failed still says that it may be written to. */
export function whyNotWritable(path: string): string | undefined {
  try {
    rmdirSync(mkdtempSync(join(path, '.doctor-')));
    return undefined;
  } catch (thrown) {
    const { code = '' } = thrown as NodeJS.ErrnoException;
    return troubles[code] ?? code;
  }
}
