import { closeSync, createReadStream, fdatasyncSync, openSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { integrityOf, lineHash, parseStreamFileName, type StreamHead, type StreamKind } from './format.js';
import { wholeLines } from './whole-lines.js';

export interface StreamFile {
  readonly name: string;
  readonly number: number;
  readonly bytes: number;
  /** Of the last change, in milliseconds since the epoch. */
  readonly changedAt: number;
}

/** A stream as it lies on the disk. */
export interface StoredStream {
  readonly stream: string;
  readonly kind: StreamKind;
  /** In the order of their numbers. */
  readonly files: readonly StreamFile[];
}

/** How a stream ends on the disk. */
export interface StoredEnd {
  /** Undefined for one without a whole line. */
  readonly head: StreamHead | undefined;
  /** Its last event says that it ended in order. */
  readonly isEnded: boolean;
  /** Bytes behind the last line that belongs to the chain: cut off by a crash. */
  readonly tornBytes: number;
}

/** The streams of a directory, by name. */
export function storedStreams(directory: string): StoredStream[] {
  const streams = new Map<string, StoredStream & { readonly files: StreamFile[] }>();
  for (const name of readdirSync(directory).sort()) {
    const parsed = parseStreamFileName(name);
    const stat = parsed && statSync(join(directory, name), { throwIfNoEntry: false });
    if (!parsed || !stat) continue;
    const { stream, kind, number } = parsed;
    const known = streams.get(stream) ?? { stream, kind, files: [] };
    known.files.push({ name, number, bytes: stat.size, changedAt: stat.mtimeMs });
    streams.set(stream, known);
  }
  return [...streams.values()];
}

/**
 * Follows a stream's chain on the disk to its end: the last line that continues it. Puts what it has read on the disk.
 *
 * @param from a line of it that is known already
 */
export async function endOfStream(
  directory: string,
  { stream, files }: StoredStream,
  from: StreamHead | undefined,
): Promise<StoredEnd> {
  let head = from;
  let isEnded = false;
  let tornBytes = 0;
  for (const { name, bytes } of files) {
    if (from && name < from.file) continue;
    const start = from?.file === name ? from.bytes : 0;
    const path = join(directory, name);
    let last = start;
    for await (const { line, end } of wholeLines(createReadStream(path, { start }))) {
      const text = line.toString();
      const integrity = integrityOf(text);
      const continues = head
        ? integrity?.sequence === head.sequence + 1 && integrity.previous === head.hash
        : integrity !== undefined;
      if (integrity?.stream !== stream || !continues) return { head, isEnded: false, tornBytes: bytes - last };
      last = start + end;
      head = { stream, sequence: integrity.sequence, hash: lineHash(line), file: name, bytes: last };
      isEnded = text.includes('"eventName":"EndStream"');
    }
    tornBytes = Math.max(0, statSync(path).size - last);
    synchronise(path);
  }
  return { head, isEnded, tornBytes };
}

function synchronise(path: string): void {
  const file = openSync(path, 'r');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
