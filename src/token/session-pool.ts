import type pkcs11 from 'pkcs11js';
import { TokenBusyError, TokenClosedError, TokenError, tokenError } from './return-values.js';

/** CKF_SERIAL_SESSION | CKF_RW_SESSION. */
export const readWriteSession = 0x4 | 0x2;

export interface SessionPoolLimits {
  /** Sessions that asynchronous calls may hold at once. */
  readonly sessions: number;
  /** Callers that may wait for one; one more is refused at once. */
  readonly waiting: number;
  /** How long a caller waits, in milliseconds. */
  readonly waitMilliseconds: number;
}

interface Waiter {
  readonly resolve: (session: pkcs11.Handle) => void;
  readonly reject: (error: Error) => void;
  readonly timer: NodeJS.Timeout;
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
  private lent = 0;
  private synchronous: pkcs11.Handle | undefined;
  /** Called when the last lent session comes back; undefined while the pool is open. */
  private closed: (() => void) | undefined;

  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly slot: pkcs11.Handle,
    private readonly limits: SessionPoolLimits,
  ) {}

  /** Runs a synchronous call. @throws TokenError, or what `call` throws */
  now<T>(call: (session: pkcs11.Handle) => T): T {
    this.synchronous ??= this.open();
    try {
      return call(this.synchronous);
    } catch (thrown) {
      const error = tokenError(thrown);
      if (!leavesSessionClean(error)) {
        this.closeSession(this.synchronous);
        this.synchronous = undefined;
      }
      throw error;
    }
  }

  /**
   * Lends no more sessions, and closes all of them: those in use when their call is over, as a session with a call in
   * flight must not be closed.
   */
  async close(): Promise<void> {
    if (this.closed) return;
    const allReturned = new Promise<void>((resolve) => {
      this.closed = resolve;
    });
    for (const { timer, reject } of this.waiters.splice(0)) {
      clearTimeout(timer);
      reject(closedError());
    }
    if (this.lent > 0) await allReturned;
    for (const session of this.idle.splice(0)) this.closeSession(session);
    if (this.synchronous !== undefined) this.closeSession(this.synchronous);
    this.synchronous = undefined;
  }

  /** Runs an asynchronous call in a session of its own. @throws TokenBusyError, TokenError, or what `call` throws */
  async use<T>(call: (session: pkcs11.Handle) => Promise<T>): Promise<T> {
    const session = await this.borrow();
    try {
      const result = await call(session);
      this.giveBack(session);
      return result;
    } catch (thrown) {
      const error = tokenError(thrown);
      if (leavesSessionClean(error)) this.giveBack(session);
      else this.replace(session);
      throw error;
    }
  }

  private async borrow(): Promise<pkcs11.Handle> {
    if (this.closed) throw closedError();
    if (this.lent < this.limits.sessions) {
      const session = this.idle.pop() ?? this.open();
      this.lent += 1;
      return session;
    }
    if (this.waiters.length >= this.limits.waiting) throw new TokenBusyError('too many callers wait for a session');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.waiters.splice(
          this.waiters.findIndex((waiter) => waiter.timer === timer),
          1,
        );
        reject(new TokenBusyError(`no session was free within ${this.limits.waitMilliseconds} ms`));
      }, this.limits.waitMilliseconds);
      this.waiters.push({ resolve, reject, timer });
    });
  }

  private giveBack(session: pkcs11.Handle): void {
    const next = this.waiters.shift();
    if (next) {
      clearTimeout(next.timer);
      next.resolve(session);
      return;
    }
    this.idle.push(session);
    this.returned();
  }

  private returned(): void {
    this.lent -= 1;
    if (this.lent === 0) this.closed?.();
  }

  private replace(spoilt: pkcs11.Handle): void {
    this.closeSession(spoilt);
    const next = this.waiters.shift();
    if (!next) {
      this.returned();
      return;
    }
    clearTimeout(next.timer);
    try {
      next.resolve(this.open());
    } catch (error) {
      this.returned();
      next.reject(error as Error);
    }
  }

  private open(): pkcs11.Handle {
    if (this.closed) throw closedError();
    try {
      return this.cryptoki.C_OpenSession(this.slot, readWriteSession);
    } catch (thrown) {
      throw tokenError(thrown);
    }
  }

  private closeSession(session: pkcs11.Handle): void {
    try {
      this.cryptoki.C_CloseSession(session);
    } catch {
      // a session that cannot be closed is gone already
    }
  }
}

function closedError(): TokenClosedError {
  return new TokenClosedError('the token has been let go of');
}
