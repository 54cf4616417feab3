import {
  closeSync,
  createReadStream,
  existsSync,
  fdatasyncSync,
  openSync,
  readdirSync,
  readSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { integrityOf, lineHash, parseStreamFileName, type StreamHead, type StreamKind } from './format.js';
import { wholeLines } from './whole-lines.js';

/** In the last event of a stream that ended in order. */
const endOfOrder = '"eventName":"EndStream"';

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
      isEnded = text.includes(endOfOrder);
    }
    tornBytes = Math.max(0, statSync(path).size - last);
    synchronise(path);
  }
  return { head, isEnded, tornBytes };
}

/** Longer than the last event of a stream, in bytes. */
const tailBytes = 64 * 1024;

/** Whether the line that a head names says that its stream ended in order; true also where its file was removed. */
export function endsInOrder(directory: string, { file, bytes }: StreamHead): boolean {
  const path = join(directory, file);
  if (!existsSync(path)) return true;
  const tail = Buffer.alloc(Math.min(bytes, tailBytes));
  const opened = openSync(path, 'r');
  try {
    readSync(opened, tail, 0, tail.length, bytes - tail.length);
  } finally {
    closeSync(opened);
  }
  const lines = tail.toString().split('\n');
  return lines.at(-2)?.includes(endOfOrder) ?? false;
}

function synchronise(path: string): void {
  const file = openSync(path, 'r');
  try {
    fdatasyncSync(file);
  } finally {
    closeSync(file);
  }
}
