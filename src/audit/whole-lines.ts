import type { Readable } from 'node:stream';

/** A line without its LF, and where the LF ends, counted from where reading began. */
export interface WholeLine {
  readonly line: Buffer;
  readonly end: number;
}

const lineFeed = 0x0a;

/** The lines of a stream of bytes that end with an LF; what is left at the end is none. */
export async function* wholeLines(bytes: Readable): AsyncGenerator<WholeLine> {
  let parts: Buffer[] = [];
  let end = 0;
  for await (const chunk of bytes as AsyncIterable<Buffer>) {
    let start = 0;
    for (let feed = chunk.indexOf(lineFeed); feed >= 0; feed = chunk.indexOf(lineFeed, start)) {
      const line = Buffer.concat([...parts, chunk.subarray(start, feed)]);
      parts = [];
      start = feed + 1;
      end += line.length + 1;
      yield { line, end };
    }
    if (start < chunk.length) parts.push(chunk.subarray(start));
  }
}
