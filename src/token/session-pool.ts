import type pkcs11 from 'pkcs11js';
import { TokenBusyError, TokenClosedError, TokenError, TokenTimeoutError, tokenError } from './return-values.js';
import type { TokenMeter, TokenState } from './token-meter.js';

/** CKF_SERIAL_SESSION | CKF_RW_SESSION. */
export const readWriteSession = 0x4 | 0x2;

export interface SessionPoolLimits {
  /** Sessions that asynchronous calls may hold at once; the generation of keys, half of them. */
  readonly sessions: number;
  /** As many, at the most, of a token that is a program of this machine: its calls only wait for each other. */
  readonly computing?: number;
  /** Callers that may wait for one; one more is refused at once. */
  readonly waiting: number;
  /** How long a caller waits, in milliseconds. */
  readonly waitMilliseconds: number;
  /** How long an asynchronous call may take before it is given up, in milliseconds. */
  readonly callMilliseconds: number;
}

interface Waiter {
  readonly resolve: (session: pkcs11.Handle) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
  readonly isPatient: boolean;
}

/** A call in another thread. */
interface RunningCall {
  /** When it is given up, on the clock of performance.now(). */
  readonly until: number;
  readonly giveUp: (error: Error) => void;
}

/** Answers after which an operation is known to be over, so that its session is as good as new. */
function leavesSessionClean(error: Error): boolean {
  return error instanceof TokenError && error.reaction === 'handle';
}

/**
 * The sessions of one token in one process. A session is lent to one caller at a time; after an error it is closed, as
 * an operation that failed can stay active in it (PKCS#11 v3.0, 5.2).
 *
 * Synchronous calls share one session: JavaScript runs them one after the other.
 */
export class SessionPool {
  private readonly idle: pkcs11.Handle[] = [];
  private readonly waiters: Waiter[] = [];
  /** As many as sessions are lent, at the most. Not a Set: see http/under-way.ts. */
  private readonly running: RunningCall[] = [];
  private lent = 0;
  /** Of these, to calls that take long. */
  private lentToPatient = 0;
  private synchronous: pkcs11.Handle | undefined;
  /** What callers are told once it is closed. */
  private closedBecause: Error | undefined;
  private resolveReturned: (() => void) | undefined;
  /** The token is gone: closing sessions would only wait for it. */
  private abandoned = false;

  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly slot: pkcs11.Handle,
    private readonly limits: SessionPoolLimits,
    /** Is told of every error of the token, before the session is closed. */
    private readonly failed: (error: TokenError) => void,
    private readonly meter?: TokenMeter,
  ) {}

  get load(): Pick<TokenState, 'sessionLimit' | 'sessionsInUse' | 'waiters'> {
    return { sessionLimit: this.limits.sessions, sessionsInUse: this.lent, waiters: this.waiters.length };
  }

  /** False once it is closed, or its token gone. */
  get isOpen(): boolean {
    return this.closedBecause === undefined;
  }

  /** Runs a synchronous call. @throws TokenError, or what `call` throws */
  now<T>(call: (session: pkcs11.Handle) => T): T {
    this.synchronous ??= this.open();
    try {
      return call(this.synchronous);
    } catch (thrown) {
      const error = tokenError(thrown);
      this.report(error);
      if (!leavesSessionClean(error) && this.synchronous !== undefined) {
        this.closeSession(this.synchronous);
        this.synchronous = undefined;
      }
      throw error;
    }
  }

  /**
   * Runs an asynchronous call in a session of its own.
   *
   * @param patience how many times longer than others it may take: for what generates keys
   * @throws TokenBusyError, TokenTimeoutError, TokenError, or what `call` throws
   */
  async use<T>(call: (session: pkcs11.Handle) => Promise<T>, patience = 1): Promise<T> {
    const isPatient = patience > 1;
    const session = await this.borrow(isPatient);
    return new Promise((resolve, reject) => {
      const running = { until: performance.now() + this.limits.callMilliseconds * patience, giveUp: reject };
      this.running.push(running);
      call(session).then(
        (result) => {
          this.isOver(running);
          this.giveBack(session, isPatient);
          resolve(result);
        },
        (thrown) => {
          this.isOver(running);
          const error = tokenError(thrown);
          this.report(error);
          if (leavesSessionClean(error)) this.giveBack(session, isPatient);
          else this.replace(session, isPatient);
          reject(error);
        },
      );
    });
  }

  /**
   * Gives up the calls that take too long: their callers are told so. Their sessions stay lent, as long as the token
   * holds the threads.
   *
   * @returns how many there were
   */
  giveUpOverdue(): number {
    const now = performance.now();
    const overdue = this.running.filter(({ until }) => until < now);
    for (const call of overdue) {
      this.isOver(call);
      this.meter?.count('timeout');
      call.giveUp(new TokenTimeoutError('the token has not ended a call'));
    }
    return overdue.length;
  }

  /** What was given up ends, too, later. */
  private isOver(call: RunningCall): void {
    const place = this.running.indexOf(call);
    if (place >= 0) this.running.splice(place, 1);
  }

  /**
   * Lends no more sessions, and closes all of them: those in use when their call is over, as a session with a call in
   * flight must not be closed.
   */
  async close(): Promise<void> {
    await this.shut(new TokenClosedError('the token has been let go of'));
  }

  /** As `close`, for a token that is gone: the module is not called any more. @param because told to who waits */
  async abandon(because: Error): Promise<void> {
    this.abandoned = true;
    await this.shut(because);
  }

  private async shut(because: Error): Promise<void> {
    this.closedBecause ??= because;
    for (const { timer, reject } of this.waiters.splice(0)) {
      clearTimeout(timer);
      reject(this.closedBecause);
    }
    for (const session of this.idle.splice(0)) this.closeSession(session);
    if (this.synchronous !== undefined) this.closeSession(this.synchronous);
    this.synchronous = undefined;
    if (this.lent > 0) {
      await new Promise<void>((resolve) => {
        this.resolveReturned = resolve;
      });
    }
  }

  /** Calls that take long leave half of the sessions to others. */
  private admits(isPatient: boolean): boolean {
    return !isPatient || this.lentToPatient < Math.max(1, Math.floor(this.limits.sessions / 2));
  }

  private async borrow(isPatient: boolean): Promise<pkcs11.Handle> {
    if (this.closedBecause) throw this.closedBecause;
    if (this.lent < this.limits.sessions && this.admits(isPatient)) {
      const session = this.idle.pop() ?? this.open();
      this.lent += 1;
      if (isPatient) this.lentToPatient += 1;
      return session;
    }
    if (this.waiters.length >= this.limits.waiting) {
      this.meter?.count('session refusal');
      throw new TokenBusyError('too many callers wait for a session');
    }
    const start = performance.now();
    const waited = () => this.meter?.waited(performance.now() - start);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.splice(
          this.waiters.findIndex((waiter) => waiter.timer === timer),
          1,
        );
        waited();
        this.meter?.count('session refusal');
        reject(new TokenBusyError(`no session was free within ${this.limits.waitMilliseconds} ms`));
      }, this.limits.waitMilliseconds);
      const given = (session: pkcs11.Handle) => {
        waited();
        resolve(session);
      };
      this.waiters.push({ resolve: given, reject, timer, isPatient });
    });
  }

  /** Who has waited longest and may have a session now, which is counted as lent to them. @param wasPatient who had it */
  private nextWaiter(wasPatient: boolean): Waiter | undefined {
    if (wasPatient) this.lentToPatient -= 1;
    const place = this.waiters.findIndex(({ isPatient }) => this.admits(isPatient));
    const [next] = place < 0 ? [] : this.waiters.splice(place, 1);
    if (next?.isPatient) this.lentToPatient += 1;
    return next;
  }

  private giveBack(session: pkcs11.Handle, wasPatient: boolean): void {
    const next = this.nextWaiter(wasPatient);
    if (next) {
      clearTimeout(next.timer);
      next.resolve(session);
      return;
    }
    if (this.closedBecause) this.closeSession(session);
    else this.idle.push(session);
    this.returned();
  }

  private returned(): void {
    this.lent -= 1;
    if (this.lent === 0) this.resolveReturned?.();
  }

  private replace(spoilt: pkcs11.Handle, wasPatient: boolean): void {
    this.closeSession(spoilt);
    const next = this.nextWaiter(wasPatient);
    if (!next) {
      this.returned();
      return;
    }
    clearTimeout(next.timer);
    try {
      next.resolve(this.open());
    } catch (error) {
      if (next.isPatient) this.lentToPatient -= 1;
      this.returned();
      next.reject(error as Error);
    }
  }

  private open(): pkcs11.Handle {
    if (this.closedBecause) throw this.closedBecause;
    try {
      return this.cryptoki.C_OpenSession(this.slot, readWriteSession);
    } catch (thrown) {
      const error = tokenError(thrown);
      this.report(error);
      throw error;
    }
  }

  private report(error: Error): void {
    if (error instanceof TokenError) this.failed(error);
  }

  private closeSession(session: pkcs11.Handle): void {
    if (this.abandoned) return;
    try {
      this.cryptoki.C_CloseSession(session);
    } catch {
      // a session that cannot be closed is gone already
    }
  }
}
