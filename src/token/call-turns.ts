import { type CallBatch, settle } from './call-batch.js';
import { TokenBusyError } from './return-values.js';
import type { SessionPoolLimits } from './session-pool.js';
import type { TokenMeter } from './token-meter.js';

/** Calls are made in a row for so long, in milliseconds, as long as nobody asks for anything else. */
const rowMilliseconds = 3;

/** Requests that this process was given since it began, of whatever sort. */
export interface Arrivals {
  readonly count: number;
}

interface Turn {
  /** On the clock of performance.now(). */
  readonly since: number;
  readonly take: () => void;
  readonly refuse: (error: TokenBusyError) => void;
}

/**
 * Calls that compute for about half a millisecond. On the main thread they cost a seventh less than in others (RSA-2048 in
 * SoftHSM2, docs/bench.md): nobody has to be woken, and several in a row find caches as the one before left them. Between
 * two rows the requests are read that have come, and what is quick of them is answered. While some come that ask for no
 * turn, rows are of one call, which is what they wait for.
 */
export class CallTurns {
  private waiting: Turn[] = [];
  private arrived = 0;
  private asked = 0;

  constructor(
    private readonly limits: Pick<SessionPoolLimits, 'waiting' | 'waitMilliseconds'>,
    private readonly batch: CallBatch,
    private readonly arrivals: Arrivals = { count: 0 },
    private readonly meter?: TokenMeter,
  ) {}

  /** @throws TokenBusyError when too many wait, or it does not come to it in time; what `call` throws */
  take<T>(call: () => T): Promise<T> {
    if (this.waiting.length >= this.limits.waiting) {
      this.meter?.count('session refusal');
      throw new TokenBusyError('too many callers wait for their turn');
    }
    this.asked += 1;
    return new Promise((resolve, reject) => {
      this.waiting.push({ since: performance.now(), take: () => settle(call, resolve, reject), refuse: reject });
      if (this.waiting.length === 1) setImmediate(() => this.takeRow());
    });
  }

  private takeRow(): void {
    if (this.batch.makeAll()) {
      // who waited for them has promises: all is answered when no microtask is left
      queueMicrotask(() => process.nextTick(() => this.takeRow()));
      return;
    }
    let now = performance.now();
    const until = this.othersCame() ? now : now + rowMilliseconds;
    let taken = 0;
    for (const turn of this.waiting) {
      if (taken > 0 && now >= until) break;
      taken += 1;
      if (now - turn.since > this.limits.waitMilliseconds) this.refuse(turn);
      else turn.take();
      now = performance.now();
    }
    this.waiting = this.waiting.slice(taken);
    if (this.waiting.length > 0) setImmediate(() => this.takeRow());
  }

  /** Since the last row: requests that ask for no turn, or not yet. */
  private othersCame(): boolean {
    const { count } = this.arrivals;
    const others = count - this.arrived > this.asked;
    this.arrived = count;
    this.asked = 0;
    return others;
  }

  private refuse({ refuse }: Turn): void {
    this.meter?.count('session refusal');
    refuse(new TokenBusyError(`its turn did not come within ${this.limits.waitMilliseconds} ms`));
  }
}
