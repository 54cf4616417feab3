import { TokenBusyError } from './return-values.js';
import type { SessionPoolLimits } from './session-pool.js';
import type { TokenMeter } from './token-meter.js';

/** Calls are made in a row for so long, in milliseconds, as long as nobody asks for anything else. */
const rowMilliseconds = 3;

interface Turn {
  /** On the clock of performance.now(). */
  readonly since: number;
  readonly take: () => void;
  readonly refuse: (error: TokenBusyError) => void;
}

/**
 * Calls that compute for about half a millisecond. On the main thread they cost a seventh less than in others (RSA-2048 in
 * SoftHSM2, docs/bench.md): nobody has to be woken, and several in a row find caches as the one before left them. Between
 * two rows the requests are read that have come. While others come in, rows are of one call: what is cheap waits for that.
 */
export class CallTurns {
  private waiting: Turn[] = [];
  private othersCame = false;

  constructor(
    private readonly limits: Pick<SessionPoolLimits, 'waiting' | 'waitMilliseconds'>,
    private readonly meter?: TokenMeter,
  ) {}

  /** @throws TokenBusyError when too many wait, or it does not come to it in time; what `call` throws */
  take<T>(call: () => T): Promise<T> {
    if (this.waiting.length >= this.limits.waiting) {
      this.meter?.count('session refusal');
      throw new TokenBusyError('too many callers wait for their turn');
    }
    return new Promise((resolve, reject) => {
      const take = () => {
        try {
          resolve(call());
        } catch (error) {
          reject(error);
        }
      };
      this.waiting.push({ since: performance.now(), take, refuse: reject });
      if (this.waiting.length === 1) setImmediate(() => this.takeRow());
    });
  }

  /** A call was made that takes no turns. */
  noteOther(): void {
    this.othersCame = true;
  }

  private takeRow(): void {
    let now = performance.now();
    const until = this.othersCame ? now : now + rowMilliseconds;
    this.othersCame = false;
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

  private refuse({ refuse }: Turn): void {
    this.meter?.count('session refusal');
    refuse(new TokenBusyError(`its turn did not come within ${this.limits.waitMilliseconds} ms`));
  }
}
