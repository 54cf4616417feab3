import { open } from 'node:fs/promises';

/** Lines that were read at once, without their LFs. */
export interface LineBatch {
  /** Views of memory that the next batch overwrites. */
  readonly lines: readonly Buffer[];
  /** What stands behind the last LF of the file: only in its last batch. */
  readonly tornBytes: number;
}

const chunkBytes = 512 * 1024;
/** No event is nearly as long: what is, is cut into lines of this length, which are none of the log's. */
const longestLine = 16 * 1024 * 1024;
const lineFeed = 0x0a;

/**
 * The lines of a file, however long it is, in as much memory as its longest line takes, 16 MiB at the most.
 *
 * @param onBytes told how many bytes were read, each time
 * @throws what the file system throws
 */
export async function* lineBatches(path: string, onBytes: (bytes: number) => void): AsyncGenerator<LineBatch> {
  const file = await open(path);
  try {
    let buffer = Buffer.allocUnsafe(chunkBytes);
    let filled = 0;
    for (;;) {
      if (filled >= longestLine) {
        yield { lines: [buffer.subarray(0, filled)], tornBytes: 0 };
        filled = 0;
      }
      if (filled === buffer.length) buffer = grown(buffer);
      const { bytesRead } = await file.read(buffer, filled, buffer.length - filled);
      if (bytesRead === 0) break;
      onBytes(bytesRead);
      const searched = filled;
      filled += bytesRead;
      const { lines, end } = split(buffer.subarray(0, filled), searched);
      yield { lines, tornBytes: 0 };
      buffer.copyWithin(0, end, filled);
      filled -= end;
    }
    if (filled > 0) yield { lines: [], tornBytes: filled };
  } finally {
    await file.close();
  }
}

/** @param searched how many of the bytes hold no LF */
function split(bytes: Buffer, searched: number): { readonly lines: Buffer[]; readonly end: number } {
  const lines: Buffer[] = [];
  let end = 0;
  for (let feed = bytes.indexOf(lineFeed, searched); feed >= 0; feed = bytes.indexOf(lineFeed, end)) {
    lines.push(bytes.subarray(end, feed));
    end = feed + 1;
  }
  return { lines, end };
}

function grown(buffer: Buffer<ArrayBuffer>): Buffer<ArrayBuffer> {
  const larger = Buffer.allocUnsafe(buffer.length * 2);
  buffer.copy(larger);
  return larger;
}
