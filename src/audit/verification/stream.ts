import { join } from 'node:path';
import { type Integrity, integrityOf, lineHash, noHash, parseStreamFileName, streamFileName } from '../format.js';
import type { SignedHead } from './checkpoints.js';
import type { StreamFiles } from './directory.js';
import type { Findings, Place } from './findings.js';
import { lineBatches } from './line-batches.js';
import type { SupervisorsWord } from './supervisors.js';

/** What is known of a stream once it has been read. */
export interface StreamSummary {
  readonly events: number;
  /** Events after the last that a checkpoint covers, and the time of the first of them. */
  readonly unsigned: number;
  readonly unsignedSince: string | undefined;
  /** Of its first event; undefined where that is not there. */
  readonly beganAt: string | undefined;
  /** Bytes that a crash has left behind the last whole line. */
  readonly tornBytes: number;
  readonly isEnded: boolean;
}

/** What verification reads of an event. */
interface AuditEvent {
  readonly eventName?: unknown;
  readonly eventType?: unknown;
  readonly eventTime?: unknown;
  readonly integrity?: Integrity;
}

/** Where the integrity of a line is looked for, in bytes from its end. */
const integrityBytes = 256;

/** Follows the chain of one stream through its files, and holds it against what checkpoints have signed. */
export class StreamVerification {
  private readonly signed: number;
  private readonly isOfWorker: boolean;
  private events = 0;
  private unsigned = 0;
  private unsignedSince: string | undefined;
  private beganAt: string | undefined;
  private tornBytes = 0;
  private isEnded = false;

  /** Of the next line; undefined where nothing is known of what was before. */
  private expected: number | undefined = 1;
  private previous: string | undefined = noHash;
  /** The event before, and where it is. */
  private last: Place = {};
  private lastHash: string | undefined;
  private nextHead = 0;
  /** The last head did not fit: those after it are not told as well. */
  private isRewritten = false;
  private isWellPlaced = true;
  private isBeyondEnd = false;

  private number = 0;
  private file = '';
  private line = 0;
  private offset = 0;

  constructor(
    private readonly stream: string,
    private readonly heads: readonly SignedHead[],
    private readonly word: SupervisorsWord,
    private readonly findings: Findings,
  ) {
    this.signed = heads.at(-1)?.sequence ?? 0;
    this.isOfWorker = parseStreamFileName(streamFileName(stream, 1))?.kind === 'worker';
  }

  /** @param onBytes told how many bytes were read, each time */
  async read(directory: string, { numbers }: StreamFiles, onBytes: (bytes: number) => void): Promise<StreamSummary> {
    let next = 1;
    for (const number of numbers) {
      this.passRemoved(next, number);
      await this.readFile(directory, number, number === numbers.at(-1), onBytes);
      next = number + 1;
    }
    this.expectSignedEnd(next);
    this.expectRecoveredEnd();
    const { events, unsigned, unsignedSince, beganAt, tornBytes, isEnded } = this;
    return { events, unsigned, unsignedSince, beganAt, tornBytes, isEnded };
  }

  private async readFile(
    directory: string,
    number: number,
    isLast: boolean,
    onBytes: (bytes: number) => void,
  ): Promise<void> {
    this.number = number;
    this.file = streamFileName(this.stream, number);
    this.line = 0;
    this.offset = 0;
    for await (const { lines, tornBytes } of lineBatches(join(directory, this.file), onBytes)) {
      for (const bytes of lines) this.readLine(bytes);
      if (tornBytes > 0) this.readTorn(tornBytes, isLast);
    }
  }

  private readLine(bytes: Buffer): void {
    const start = this.offset;
    this.line += 1;
    this.offset += bytes.length + 1;
    if (this.isBehindRecovery(start)) {
      this.tornBytes += bytes.length + 1;
      return;
    }
    const integrity = integrityOf(bytes.toString('latin1', Math.max(0, bytes.length - integrityBytes)));
    const event = integrity && eventOf(bytes, integrity);
    if (integrity === undefined || event === undefined || integrity.stream !== this.stream) {
      this.skip(integrity);
      return;
    }
    const sequence = this.follow(integrity);
    const place = { ...this.here, sequence };
    const hash = lineHash(bytes);
    this.compareHeads(sequence, hash, place);
    this.note(event, sequence, place);
    this.expected = sequence + 1;
    this.previous = hash;
    this.lastHash = hash;
    this.last = place;
  }

  private get here(): Place {
    return { stream: this.stream, file: this.file, line: this.line };
  }

  /** A line that is no event of this stream stands for one that was, as far as anybody can tell. */
  private skip(integrity: Integrity | undefined): void {
    const place = { ...this.here, ...(this.expected !== undefined && { sequence: this.expected }) };
    if (integrity !== undefined && integrity.stream !== this.stream) {
      this.findings.add('misplaced', `this is an event of the stream ${integrity.stream}`, place);
    } else {
      this.findings.add('malformed', 'this is not an event of the audit log', place);
    }
    if (this.expected !== undefined) this.expected += 1;
    this.previous = undefined;
    this.lastHash = undefined;
  }

  /** @returns the event's place in the stream */
  private follow({ sequence, previous }: Integrity): number {
    const { expected, here } = this;
    const isChained = this.previous === undefined || previous === this.previous;
    if (expected === undefined) return sequence;
    if (sequence === expected) {
      if (!isChained && expected === 1) {
        this.findings.add('changed', 'the first event of a stream goes on from none', { ...here, sequence });
      } else if (!isChained) {
        this.findings.add('changed', `it is not the event that event ${sequence} goes on from`, this.last);
      }
      return sequence;
    }
    const place = { ...here, sequence };
    if (isChained && this.previous !== undefined) {
      this.findings.add('changed', `this says that it is event ${sequence}, and it is event ${expected}`, place);
      return expected;
    }
    if (sequence > expected) {
      const which = sequence - 1 === expected ? `event ${expected} is` : `events ${expected} to ${sequence - 1} are`;
      this.findings.add('removed', `${which} missing before this one`, place);
      this.passHeads((head) => head.sequence < sequence);
    } else {
      const before = expected - 1;
      this.findings.add(
        'misplaced',
        `event ${sequence} stands after event ${before}: inserted, repeated or moved`,
        place,
      );
    }
    return sequence;
  }

  /** What checkpoints say of this event, and of those that should have come before it. */
  private compareHeads(sequence: number, hash: string, place: Place): void {
    for (let head = this.heads[this.nextHead]; head !== undefined; head = this.heads[this.nextHead]) {
      if (head.sequence > sequence) return;
      this.nextHead += 1;
      const isIt = head.sequence === sequence && head.hash === hash;
      if (!isIt) this.tellRewritten(head, place);
      else if (head.file !== this.file || head.bytes !== this.offset) this.tellMoved(head, place);
      this.isRewritten = !isIt;
    }
  }

  /** What is missing is told once, and not for each checkpoint that has signed it. */
  private passHeads(isMissing: (head: SignedHead) => boolean): void {
    for (let head = this.heads[this.nextHead]; head && isMissing(head); head = this.heads[this.nextHead])
      this.nextHead += 1;
  }

  private tellRewritten({ checkpoint, sequence }: SignedHead, place: Place): void {
    if (this.isRewritten) return;
    const before = this.heads[this.nextHead - 2];
    const since =
      before === undefined
        ? 'from the first'
        : `after event ${before.sequence}, which checkpoint ${before.checkpoint} signed,`;
    const message = `checkpoint ${checkpoint} signed another event ${sequence}: something ${since} was changed`;
    this.findings.add('changed', message, place);
  }

  /** Told once: all that comes after it is moved, too. */
  private tellMoved({ checkpoint, file, bytes }: SignedHead, place: Place): void {
    if (!this.isWellPlaced) return;
    this.isWellPlaced = false;
    const message = `this event ends at byte ${this.offset}, and checkpoint ${checkpoint} signed that it ends at byte ${bytes} of ${file}`;
    this.findings.add('misplaced', message, place);
  }

  private note({ eventName, eventType, eventTime }: AuditEvent, sequence: number, place: Place): void {
    this.events += 1;
    const time = typeof eventTime === 'string' ? eventTime : undefined;
    if (sequence === 1) this.beganAt = time;
    if (sequence > this.signed) {
      this.unsigned += 1;
      this.unsignedSince ??= time;
    }
    if ((eventName === 'StartStream') !== (sequence === 1)) {
      this.findings.add('malformed', 'a stream begins with StartStream, and only there', place);
    }
    if (eventType === 'AwsApiCall' && !this.isOfWorker) {
      this.findings.add('misplaced', 'only workers write requests down: somebody else has written this', place);
    }
    if (this.isEnded && !this.isBeyondEnd) {
      this.findings.add('misplaced', 'from this event on, events come after the end of their stream', place);
      this.isBeyondEnd = true;
    }
    this.isEnded ||= eventName === 'EndStream';
  }

  /** Bytes without an LF at the end of a file. */
  private readTorn(bytes: number, isLast: boolean): void {
    this.line += 1;
    if (isLast && !this.isEnded) {
      this.tornBytes += bytes;
      return;
    }
    const why = isLast ? 'the stream had ended before it' : 'the stream goes on in another file';
    this.findings.add('malformed', `the file ends in the middle of a line, and ${why}`, this.here);
    this.previous = undefined;
  }

  /** Files that are missing between two that are there, or before the first. */
  private passRemoved(from: number, to: number): void {
    for (let number = from; number < to; number += 1) this.passRemovedFile(streamFileName(this.stream, number));
  }

  private passRemovedFile(file: string): void {
    const place = { stream: this.stream, file };
    const removed = this.word.removed.get(file);
    if (removed === undefined) {
      this.findings.add(
        'missing-file',
        'the file is missing, and no event says that it was removed for its age',
        place,
      );
      this.passHeads((head) => head.file <= file);
      this.expected = undefined;
      this.previous = undefined;
      return;
    }
    const { firstSequence, lastSequence, lastHash, isSigned } = removed;
    if (!isSigned) {
      const message =
        'the file is missing, and no checkpoint covers the event that says that it was removed for its age';
      this.findings.add('unsigned', message, place);
    }
    if (this.expected !== undefined && firstSequence !== this.expected) {
      this.findings.add('removed', `the removed file began with event ${firstSequence}, not ${this.expected}`, place);
    }
    this.expected = lastSequence + 1;
    this.previous = lastHash;
    this.lastHash = lastHash;
    this.last = { ...place, sequence: lastSequence };
    for (
      let head = this.heads[this.nextHead];
      head && head.sequence <= lastSequence;
      head = this.heads[this.nextHead]
    ) {
      this.nextHead += 1;
      if (head.sequence === lastSequence && head.hash !== lastHash) this.tellRewritten(head, this.last);
    }
  }

  /** The stream goes as far as checkpoints have signed. @param next number of the file after the last that is there */
  private expectSignedEnd(next: number): void {
    for (let number = next; this.word.removed.has(streamFileName(this.stream, number)); number += 1) {
      this.passRemovedFile(streamFileName(this.stream, number));
    }
    const left = this.heads.slice(this.nextHead);
    const end = left.at(-1);
    if (left[0] === undefined || end === undefined) return;
    const isThere = end.file <= this.file;
    const ends =
      this.last.sequence === undefined ? 'nothing of it is left' : `it ends with event ${this.last.sequence}`;
    const message = `checkpoint ${end.checkpoint} signed this stream up to event ${end.sequence}, and ${ends}`;
    if (isThere) this.findings.add('truncated', message, { ...this.here, ...this.last });
    else
      this.findings.add('missing-file', message, { stream: this.stream, file: left[0].file, sequence: end.sequence });
  }

  /** True for what a crash has left behind the last event, as the next supervisor has found it. */
  private isBehindRecovery(start: number): boolean {
    const recovered = this.word.recovered.get(this.stream);
    if (recovered === undefined || this.number < recovered.number) return false;
    return this.number > recovered.number || start >= recovered.bytes;
  }

  private expectRecoveredEnd(): void {
    const recovered = this.word.recovered.get(this.stream);
    if (recovered === undefined) return;
    const { lastSequence, lastHash, tornBytes } = recovered;
    const sequence = this.last.sequence ?? 0;
    if (sequence !== lastSequence || (lastSequence > 0 && this.lastHash !== lastHash)) {
      const message = `RecoverStream has found another event ${lastSequence} at the end of this stream`;
      this.findings.add('changed', message, { stream: this.stream, ...this.last });
    } else if (this.tornBytes !== tornBytes) {
      const message = `RecoverStream has found ${tornBytes} bytes behind the last event, and there are ${this.tornBytes}`;
      this.findings.add('misplaced', message, { stream: this.stream, ...this.last });
    }
  }
}

/** The event of a line, whose last member is its integrity; undefined for anything else. */
function eventOf(bytes: Buffer, { stream, sequence, previous }: Integrity): AuditEvent | undefined {
  try {
    const event = JSON.parse(bytes.toString()) as AuditEvent;
    const { integrity } = event;
    const isIt = integrity?.stream === stream && integrity.sequence === sequence && integrity.previous === previous;
    return isIt ? event : undefined;
  } catch {
    return undefined;
  }
}
