import { closeSync, fstatSync, openSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { lineHash, parseCheckpointFileName, parseCheckpointLine } from '../../audit/format.js';

/** A checkpoint, as it stands in the audit log. */
interface FoundCheckpoint {
  readonly line: string;
  /** Of the line, in hexadecimal digits. */
  readonly sha256: string;
}

/** Longer than a checkpoint's line with the heads of many streams, in bytes. */
const tailBytes = 4 * 1024 * 1024;

/**
 * The newest checkpoint in an audit directory (docs/audit.md).
 *
 * @returns undefined where there is none
 */
export function newestCheckpoint(directory: string): FoundCheckpoint | undefined {
  for (const file of checkpointFiles(directory)) {
    // a line that a crash has cut off is none
    const line = lastLines(join(directory, file)).findLast((each) => parseCheckpointLine(each) !== undefined);
    if (line !== undefined) return { line, sha256: lineHash(line) };
  }
  return undefined;
}

/** The newest first. */
function checkpointFiles(directory: string): string[] {
  const number = (name: string) => parseCheckpointFileName(name) ?? 0;
  try {
    const names = readdirSync(directory).filter((name) => parseCheckpointFileName(name) !== undefined);
    return names.sort((one, other) => number(other) - number(one));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw new Error(`The audit directory ${directory} cannot be read: ${(error as Error).message}`, { cause: error });
  }
}

function lastLines(path: string): string[] {
  const file = openSync(path, 'r');
  try {
    const { size } = fstatSync(file);
    const tail = Buffer.alloc(Math.min(size, tailBytes));
    readSync(file, tail, 0, tail.length, size - tail.length);
    return tail.toString('utf8').split('\n').slice(0, -1);
  } finally {
    closeSync(file);
  }
}
