/**
 * Calls that take little, made one after the other once all requests are read that a turn of the event loop brings, and
 * before the first of them is answered: each finds caches as the one before left them. Made in between, one at a time,
 * Encrypt costs a sixth more, and a signature with P-256 or Ed25519 two fifths (docs/bench.md). Where turns bring one
 * call, it is made when it is asked for.
 */
export class CallBatch {
  private calls: (() => void)[] = [];
  /** In this turn. */
  private asked = 0;
  private lastTurnHadSeveral = false;

  /** @throws what `call` throws */
  add<T>(call: () => T): T | Promise<T> {
    this.asked += 1;
    if (this.asked === 1) {
      setImmediate(() => this.endTurn());
      if (!this.lastTurnHadSeveral) return call();
    }
    return new Promise((resolve, reject) => {
      this.calls.push(() => settle(call, resolve, reject));
    });
  }

  /** Makes those that wait. @returns false when none did */
  makeAll(): boolean {
    const { calls } = this;
    this.calls = [];
    for (const call of calls) call();
    return calls.length > 0;
  }

  private endTurn(): void {
    this.lastTurnHadSeveral = this.asked > 1;
    this.asked = 0;
    this.makeAll();
  }
}

/** Makes a call, whose outcome becomes that of a promise. */
export function settle<T>(call: () => T, resolve: (result: T) => void, reject: (error: unknown) => void): void {
  try {
    resolve(call());
  } catch (error) {
    reject(error);
  }
}
