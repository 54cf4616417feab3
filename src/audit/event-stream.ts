import { randomBytes } from 'node:crypto';
import { closeSync, fdatasync, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type StreamHead, type StreamKind, streamFileName, streamName } from './format.js';
import { expectInPlace, giveToOwner, keepNames } from './names-on-disk.js';
import { type LateRecord, WaitingEvents } from './waiting-events.js';

const synchronise = promisify(fdatasync);

/** How long an event waits in memory in the mode `buffered`, in milliseconds. */
export const bufferedMilliseconds = 50;
/** How long what is written waits to be forced to the disk in that mode, in milliseconds. */
const syncMilliseconds = 1_000;
/** Between two attempts when events cannot be written, in milliseconds. */
const retryMilliseconds = 200;
/** When it is written without delay, in bytes: a write costs what comes after it more than itself. */
const mostAtOnce = 2 ** 20;
/** How much may wait while nothing can be written, in bytes. */
const mostWaiting = 16 * 2 ** 20;
/** How many withheld answers are named. */
const mostWithheld = 1_000;
/** After these nothing is known of what was written; after others (a full disk) it goes on where it stopped. */
const spoiling: ReadonlySet<string | undefined> = new Set(['EIO', 'EBADF', 'ENXIO', 'ESTALE']);

export interface StreamSettings {
  readonly directory: string;
  readonly kind: StreamKind;
  /** Events are on the disk before anybody is told so; otherwise they are written soon. */
  readonly durable: boolean;
  readonly fileBytes: number;
  readonly fileMilliseconds: number;
}

/** What went wrong for a while, for the event that says so. */
export interface Interruption {
  /** Of the first failure. */
  readonly reason: string;
  readonly since: Date;
  /** Events that found no room in memory. */
  readonly lost: number;
  /** Request ids of answers that were withheld, the first of them. */
  readonly withheld: readonly string[];
  readonly withheldCount: number;
}

/** Writes the records of events that are the stream's own. */
export interface StreamRecords {
  /** @param after the end of the stream that this one takes the place of */
  start(after: StreamHead | undefined): string;
  end(): string;
  resume(interruption: Interruption): string;
}

export interface StreamWatcher {
  /** Events cannot be written: told once, until they can. */
  failed(error: Error): void;
  resumed(interruption: Interruption): void;
  /** A stream begins under this name: told before anything of it is written. */
  began(stream: string): void;
  /** @param milliseconds how long the first of them has waited; in `durable` until it was on the disk */
  wrote(events: number, milliseconds: number): void;
}

/** What is being written. */
interface Batch {
  readonly events: number;
  /** When the first of them came. */
  readonly since: number;
  /** What is left to write. */
  readonly parts: Buffer[];
  /** Bytes of all of it. */
  readonly lines: readonly Buffer[];
  /** The stream's end when all of it is written. */
  readonly head: StreamHead;
}

interface Waiter {
  readonly done: Promise<void>;
  resolve(): void;
  reject(error: Error): void;
}

/**
 * A stream of the audit log: events in a hash chain, in files that follow each other. What cannot be written waits in
 * memory and is tried again; no byte that was written is ever changed.
 */
export class EventStream {
  private name: string;
  private number = 0;
  private file: number | undefined;
  private fileBytes = 0;
  private fileOpenedAt = 0;
  private readonly waiting: WaitingEvents;
  private batch: Batch | undefined;
  private waiter: Waiter | undefined;
  private timer: NodeJS.Timeout | undefined;
  private syncTimer: NodeJS.Timeout | undefined;
  private pumping: Promise<void> | undefined;
  private syncing: Promise<void> | undefined;
  /** Takes nothing any more. */
  private isEnding = false;
  private ended = false;
  private writtenHead: StreamHead | undefined;
  private syncedHead: StreamHead | undefined;
  private error: Error | undefined;
  private failure: { reason: string; since: Date; lost: number; withheld: string[]; withheldCount: number } | undefined;

  constructor(
    private readonly settings: StreamSettings,
    private readonly records: StreamRecords,
    private readonly watcher: StreamWatcher,
  ) {
    this.name = newName(settings.kind);
    this.waiting = new WaitingEvents(this.name);
    watcher.began(this.name);
    this.append(records.start(undefined));
  }

  /** Why events cannot be written at the moment. */
  get trouble(): Error | undefined {
    return this.error;
  }

  /** The end of what is on the disk. */
  get head(): StreamHead | undefined {
    return this.syncedHead;
  }

  /** Adds an event, unless the stream has ended. */
  append(record: LateRecord): void {
    if (this.isEnding) return;
    if (this.waiting.bytes > mostWaiting && this.failure) {
      this.failure.lost += 1;
      return;
    }
    this.waiting.add(record);
    if (this.pumping || this.error) return;
    if (this.settings.durable || this.waiting.bytes > mostAtOnce) void this.pump();
    else if (this.timer === undefined) this.pumpIn(bufferedMilliseconds);
  }

  /** Resolves when all events so far are on the disk. @rejects when they cannot be written */
  durable(): Promise<void> {
    if (this.waiter === undefined) {
      let resolve = () => {};
      let reject: (error: Error) => void = () => {};
      const done = new Promise<void>((resolved, rejected) => {
        resolve = resolved;
        reject = rejected;
      });
      this.waiter = { done, resolve, reject };
    }
    return this.waiter.done;
  }

  /** An answer did not leave, as its event could not be written. */
  withhold(requestId: string): void {
    if (this.failure === undefined) return;
    this.failure.withheldCount += 1;
    if (this.failure.withheld.length < mostWithheld) this.failure.withheld.push(requestId);
  }

  /** Has all events so far on the disk, as far as they can be written. @returns the end of what is there */
  async flush(): Promise<StreamHead | undefined> {
    await this.pumping;
    await this.pump();
    if (!this.error && this.writtenHead !== this.syncedHead) {
      await this.sync().catch((error: Error) => this.fail(error));
    }
    return this.syncedHead;
  }

  /** Ends the stream: in order, where all of it can be written. @returns its end */
  async end(): Promise<StreamHead | undefined> {
    this.isEnding = true;
    await this.flush();
    // behind this one nothing may come, also not that it is written again
    if (!this.error) this.waiting.add(this.records.end());
    const head = await this.flush();
    this.ended = true;
    clearTimeout(this.timer);
    clearTimeout(this.syncTimer);
    this.close();
    return head;
  }

  /** Writes what waits, again and again until nothing does. */
  private pump(): Promise<void> {
    this.pumping ??= this.writeAll().finally(() => {
      this.pumping = undefined;
      if (this.error) this.pumpIn(retryMilliseconds);
      else if (this.waiting.count > 0) this.pumpIn(this.settings.durable ? 0 : bufferedMilliseconds);
    });
    return this.pumping;
  }

  private pumpIn(milliseconds: number): void {
    if (this.ended) return;
    this.timer ??= setTimeout(() => {
      this.timer = undefined;
      void this.pump();
    }, milliseconds);
  }

  private async writeAll(): Promise<void> {
    // the caller has yet to say that it waits
    await undefined;
    while (this.batch || this.waiting.count > 0) {
      try {
        await this.writeBatch();
      } catch (error) {
        if (this.error === undefined) this.fail(error as Error);
        this.waiter?.reject(error as Error);
        this.waiter = undefined;
        return;
      }
    }
  }

  private async writeBatch(): Promise<void> {
    if (this.batch === undefined && this.isFileFull()) {
      await this.sync();
      this.close();
    }
    // who waits, waits for what is taken now; a batch that is tried again has no one who waits for it
    const waiter = this.batch ? undefined : this.waiter;
    if (waiter) this.waiter = undefined;
    try {
      this.batch ??= this.nextBatch();
      const { batch } = this;
      this.write(batch);
      this.writtenHead = batch.head;
      if (this.settings.durable) await this.sync();
      else this.syncTimer ??= setTimeout(() => this.syncInTime(), syncMilliseconds);
      this.batch = undefined;
      this.waiting.reuse();
      this.watcher.wrote(batch.events, performance.now() - batch.since);
    } catch (error) {
      // first of all: who is told counts on it
      this.fail(error as Error);
      waiter?.reject(error as Error);
      throw error;
    }
    waiter?.resolve();
    if (this.failure) this.recover();
  }

  private nextBatch(): Batch {
    if (this.file === undefined) this.openNext();
    const { events, since, lines, bytes, sequence, hash } = this.waiting.take();
    const file = streamFileName(this.name, this.number);
    const head = { stream: this.name, sequence, hash, file, bytes: this.fileBytes + bytes };
    return { events, since, parts: [...lines], lines, head };
  }

  private write({ parts }: Batch): void {
    for (let part = parts[0]; part; part = parts[0]) {
      const count = writeSync(this.file as number, part);
      this.fileBytes += count;
      if (count < part.length) parts[0] = part.subarray(count);
      else parts.shift();
    }
  }

  /** One at a time, so that no file is closed under another. */
  private async sync(): Promise<void> {
    while (this.syncing) await this.syncing.catch(() => {});
    const { file, writtenHead } = this;
    // who was waited for may have had all of it on the disk, and closes the file perhaps
    if (file === undefined || writtenHead === this.syncedHead) return;
    this.syncing = synchronise(file).finally(() => {
      this.syncing = undefined;
    });
    try {
      await this.syncing;
    } catch (error) {
      throw Object.assign(error as Error, { code: 'EIO' });
    }
    expectInPlace(this.settings.directory, streamFileName(this.name, this.number), file);
    this.syncedHead = writtenHead;
  }

  private syncInTime(): void {
    this.syncTimer = undefined;
    if (this.error) return;
    this.sync().catch((error: Error) => {
      this.fail(error);
      this.pumpIn(retryMilliseconds);
    });
  }

  private fail(error: Error): void {
    const isNews = this.error === undefined;
    this.error = error;
    this.failure ??= { reason: error.message, since: new Date(), lost: 0, withheld: [], withheldCount: 0 };
    // what could not be opened holds nothing
    if (this.file !== undefined && spoiling.has((error as NodeJS.ErrnoException).code)) this.beginAnew();
    if (isNews) this.watcher.failed(error);
  }

  private recover(): void {
    const { failure } = this;
    this.error = undefined;
    this.failure = undefined;
    if (failure === undefined) return;
    this.waiting.add(this.records.resume(failure));
    this.watcher.resumed(failure);
  }

  /** Leaves the stream as it is: nobody knows what of it is on the disk. What may not be goes into a new one. */
  private beginAnew(): void {
    const left = this.syncedHead;
    this.writtenHead = left;
    const taken = this.batch?.lines ?? [];
    this.close();
    this.batch = undefined;
    this.name = newName(this.settings.kind);
    this.watcher.began(this.name);
    this.number = 0;
    this.waiting.beginAnew(this.name, this.records.start(left), taken);
  }

  private isFileFull(): boolean {
    if (this.file === undefined) return false;
    const { fileBytes, fileMilliseconds } = this.settings;
    return this.fileBytes >= fileBytes || Date.now() - this.fileOpenedAt >= fileMilliseconds;
  }

  private openNext(): void {
    const { directory } = this.settings;
    this.file = openSync(join(directory, streamFileName(this.name, this.number + 1)), 'ax', 0o600);
    giveToOwner(directory, this.file);
    this.number += 1;
    this.fileBytes = 0;
    this.fileOpenedAt = Date.now();
    keepNames(directory);
  }

  private close(): void {
    if (this.file === undefined) return;
    try {
      closeSync(this.file);
    } catch {
      // a disk that fails: what is on it was looked at before
    }
    this.file = undefined;
  }
}

function newName(kind: StreamKind): string {
  return streamName(kind, new Date(), randomBytes(4).toString('hex'));
}
