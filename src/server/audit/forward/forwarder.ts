import { closeSync, openSync, readdirSync, readSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { Logger } from 'pino';
import { parseCheckpointFileName, parseStreamFileName } from '../../../audit/format.js';
import type { ForwardAddress } from '../../../config/audit-forward.js';
import { type Destination, destinationAt } from './destination.js';

/** Between two looks at the files, in milliseconds. */
const lookMilliseconds = 500;
/** Between two attempts at a destination that does not take anything, in milliseconds. */
const retryMilliseconds = 1_000;
/** How much goes at once. */
const mostBytes = 2 ** 18;
const lineFeed = 0x0a;

/** How far the files are forwarded, in bytes by their names. */
export type Positions = Record<string, number>;

/**
 * Follows the files of the audit log and sends what is new in them to one destination: at least once, in the order of
 * each stream. It costs requests nothing, and waits for a destination that is away.
 */
export class Forwarder {
  private readonly destination: Destination;
  private following: Promise<void> | undefined;
  private readonly over = new AbortController();
  private isEnded = false;
  private fails = false;

  /** @param positions are moved on in place */
  constructor(
    private readonly directory: string,
    readonly address: ForwardAddress,
    readonly positions: Positions,
    private readonly log: Logger,
  ) {
    const to = { destination: address.text };
    this.destination = destinationAt(address, (what) => log.warn(to, what));
  }

  start(): void {
    this.following = this.follow();
  }

  /** Sends what is left, as far as that is possible soon. */
  async end(milliseconds: number): Promise<void> {
    this.over.abort();
    const done = new AbortController();
    // keeps the process there, as the destinations' connections do not
    const late = wait(milliseconds, undefined, { signal: done.signal }).catch(() => {});
    await Promise.race([this.lastLook(), late]);
    this.isEnded = true;
    await this.destination.end(late);
    done.abort();
  }

  private async lastLook(): Promise<void> {
    await this.following;
    await this.forward().catch(() => {});
  }

  private async follow(): Promise<void> {
    while (!this.over.signal.aborted) {
      try {
        await this.forward();
        if (this.fails) this.log.info({ destination: this.address.text }, 'the audit log is forwarded again');
        this.fails = false;
        await this.pause(lookMilliseconds);
      } catch (error) {
        const facts = { destination: this.address.text, why: (error as Error).message };
        if (!this.fails) this.log.warn(facts, 'the audit log cannot be forwarded: it is kept until it can');
        this.fails = true;
        await this.pause(retryMilliseconds);
      }
    }
  }

  /** Shorter when it is over. */
  private async pause(milliseconds: number): Promise<void> {
    await wait(milliseconds, undefined, { ref: false, signal: this.over.signal }).catch(() => {});
  }

  private async forward(): Promise<void> {
    const names = readdirSync(this.directory).filter(isForwarded).sort();
    for (const name of Object.keys(this.positions)) if (!names.includes(name)) delete this.positions[name];
    for (const name of names) {
      for (;;) {
        const position = this.positions[name] ?? 0;
        const bytes = linesAt(join(this.directory, name), position);
        if (bytes === undefined) break;
        // a destination that has ended would begin anew, and keep this process
        if (this.isEnded) return;
        await this.destination.send(bytes.toString().split('\n').slice(0, -1));
        this.positions[name] = position + bytes.length;
      }
    }
  }
}

export function isForwarded(name: string): boolean {
  return parseStreamFileName(name) !== undefined || parseCheckpointFileName(name) !== undefined;
}

/** Whole lines of a file from a position on; undefined where there is none. */
function linesAt(path: string, position: number): Buffer | undefined {
  const size = statSync(path, { throwIfNoEntry: false })?.size ?? 0;
  if (size <= position) return undefined;
  const file = openSync(path, 'r');
  try {
    // a line that is longer than usual is read whole
    for (let most = mostBytes; ; most *= 2) {
      const buffer = Buffer.alloc(Math.min(most, size - position));
      const read = buffer.subarray(0, readSync(file, buffer, 0, buffer.length, position));
      const end = read.lastIndexOf(lineFeed);
      if (end >= 0) return read.subarray(0, end + 1);
      if (most >= size - position) return undefined;
    }
  } finally {
    closeSync(file);
  }
}
