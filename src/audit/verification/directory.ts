import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { checkpointFileName, parseCheckpointFileName, parseStreamFileName, type StreamKind } from '../format.js';

/** A stream, and the numbers of its files that are there. */
export interface StreamFiles {
  readonly stream: string;
  readonly kind: StreamKind | undefined;
  readonly numbers: readonly number[];
}

/** The files of an audit log, by their names. */
export interface LogFiles {
  readonly directory: string;
  /** Numbers of the files of checkpoints, in their order. */
  readonly checkpoints: readonly number[];
  /** In the order of their names: of their beginnings. */
  readonly streams: readonly StreamFiles[];
  /** What else lies there. */
  readonly strangers: readonly string[];
  /** Of all files of the log. */
  readonly bytes: number;
}

/** Lists a log's directory. @throws Error when there is none, or no log in it */
export function listLog(directory: string): LogFiles {
  const checkpoints: number[] = [];
  const streams = new Map<string, { stream: string; kind: StreamKind; numbers: number[] }>();
  const strangers: string[] = [];
  let bytes = 0;
  for (const name of namesIn(directory)) {
    const checkpoint = parseCheckpointFileName(name);
    const file = parseStreamFileName(name);
    // one that is being removed just now has no length
    const facts = statSync(join(directory, name), { throwIfNoEntry: false });
    if ((checkpoint === undefined && file === undefined) || facts?.isFile() === false) {
      strangers.push(name);
      continue;
    }
    bytes += facts?.size ?? 0;
    if (checkpoint !== undefined) checkpoints.push(checkpoint);
    if (file === undefined) continue;
    const { stream, kind, number } = file;
    const known = streams.get(stream) ?? { stream, kind, numbers: [] };
    known.numbers.push(number);
    streams.set(stream, known);
  }
  if (checkpoints.length === 0 && streams.size === 0) {
    throw new Error(`${directory} holds no audit log: name the directory of its files.`);
  }
  return { directory, checkpoints, streams: [...streams.values()], strangers, bytes };
}

function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch (error) {
    const why = (error as Error).message;
    throw new Error(`There is no audit log to read (${why}): name the directory of its files.`, { cause: error });
  }
}

/** The files of checkpoints, and the names of those that are missing between them. */
export function checkpointFiles(numbers: readonly number[]): { readonly name: string; readonly isThere: boolean }[] {
  const there = new Set(numbers);
  const all = Array.from({ length: Math.max(0, ...numbers) }, (_, index) => index + 1);
  return all.map((number) => ({ name: checkpointFileName(number), isThere: there.has(number) }));
}
