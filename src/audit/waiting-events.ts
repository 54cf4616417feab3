import { integrityOf, integrityText, lineHash, noHash } from './format.js';
import { LineBuffer } from './line-buffer.js';

/** So many events may wait to be made into lines. */
const mostUnmade = 128;

/** A record as JSON in two pieces, without `integrity` and the brace behind that. */
export interface RecordText {
  /** What many records have in common, in UTF-8. */
  readonly beginning?: Uint8Array;
  readonly rest: string;
}

/** JSON of an object, without `integrity`; or what makes it, soon, and never throws. */
export type LateRecord = string | (() => RecordText);

/** All that has waited. */
export interface TakenEvents {
  readonly events: number;
  /** When the first of them came, by performance.now(). */
  readonly since: number;
  readonly lines: readonly Buffer[];
  /** Of the lines together. */
  readonly bytes: number;
  /** Of the last line. */
  readonly sequence: number;
  readonly hash: string;
}

/**
 * Events of a stream that wait to be written, in their hash chain. They are made into lines many at once: one after the
 * other they cost less than each among other work.
 */
export class WaitingEvents {
  private sequence = 0;
  private previous = noHash;
  private readonly unmade: (() => RecordText)[] = [];
  private readonly lines = new LineBuffer();
  private since = 0;
  private events = 0;

  constructor(private stream: string) {}

  /** How many events wait. */
  get count(): number {
    return this.events;
  }

  /** Length of the lines that are made, in bytes. */
  get bytes(): number {
    return this.lines.length;
  }

  /** Puts an event behind the last one. */
  add(record: LateRecord): void {
    if (this.events === 0) this.since = performance.now();
    this.events += 1;
    if (typeof record === 'string') {
      this.makeLines();
      this.chain({ rest: record.slice(0, -1) });
      return;
    }
    this.unmade.push(record);
    if (this.unmade.length >= mostUnmade) this.makeLines();
  }

  /** Takes all that waits. Its bytes stay as they are until `reuse`. */
  take(): TakenEvents {
    this.makeLines();
    const { events, since, bytes, sequence, previous: hash } = this;
    this.events = 0;
    return { events, since, lines: this.lines.take(), bytes, sequence, hash };
  }

  /** What was taken is not needed any more. */
  reuse(): void {
    this.lines.reuse();
  }

  /** Puts all into a new chain: its beginning, what was taken in vain, and what waits. */
  beginAnew(stream: string, beginning: string, taken: readonly Buffer[]): void {
    const again = [...taken, ...this.lines.take()].flatMap(recordsOf);
    const unmade = this.unmade.splice(0);
    this.stream = stream;
    this.sequence = 0;
    this.previous = noHash;
    this.events = 0;
    for (const record of [beginning, ...again, ...unmade]) this.add(record);
  }

  private makeLines(): void {
    for (let make = this.unmade.shift(); make; make = this.unmade.shift()) this.chain(make());
  }

  private chain({ beginning, rest }: RecordText): void {
    this.sequence += 1;
    const integrity = integrityText(this.stream, this.sequence, this.previous);
    this.previous = lineHash(this.lines.add(rest + integrity, beginning));
  }
}

/** The records of lines, without their place in the chain, and but for the beginning of a stream. */
function recordsOf(lines: Buffer): string[] {
  const texts = lines.toString().split('\n').slice(0, -1);
  const events = texts.filter((line) => integrityOf(line)?.sequence !== 1);
  return events.map((line) => `${line.slice(0, line.lastIndexOf(',"integrity":'))}}`);
}
