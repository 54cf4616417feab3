/** Counts requests of all workers towards one quota. */
export interface RequestCounter {
  /**
   * @param subject whose requests
   * @returns how many were counted in the interval that runs, these among them, and how long it still runs
   */
  count(
    subject: string,
    requests: number,
  ): Promise<{ readonly counted: number; readonly remainingMilliseconds: number }>;
}

/** How many requests a subject may make in an interval, and how many of them a worker takes at a time. */
export interface LeaseTerms {
  readonly requests: number;
  readonly block: number;
}

/**
 * What one worker may let pass of a subject's quota in the interval that runs. Requests are counted for all workers in
 * blocks, before they come, so that most are let pass without asking anybody: never more than the quota; fewer where
 * other workers have not used up their blocks. What is left at the interval's end is forfeited.
 */
export class QuotaLease {
  private left = 0;
  private isUsedUp = false;
  /** By performance.now(): the clock of the day can be set back. */
  private endsAt = 0;
  private renewal: Promise<void> | undefined;

  constructor(
    private readonly counter: RequestCounter,
    private readonly subject: string,
    private readonly terms: LeaseTerms,
  ) {}

  /** True when no worker may let anything pass before the interval ends. */
  isExhausted(now: number): boolean {
    return this.isUsedUp && this.left === 0 && !this.isOver(now);
  }

  canTake(now: number): boolean {
    return this.left > 0 && !this.isOver(now);
  }

  isOver(now: number): boolean {
    return now >= this.endsAt;
  }

  take(): void {
    this.left -= 1;
  }

  /** Takes a block, once for all who wait for one. @throws Error when nobody counts */
  renew(): Promise<void> {
    this.renewal ??= this.takeBlock().finally(() => {
      this.renewal = undefined;
    });
    return this.renewal;
  }

  private async takeBlock(): Promise<void> {
    const { requests, block } = this.terms;
    // the interval ends at the latest that long after the question: what is left is never used in the next one
    const askedAt = performance.now();
    const { counted, remainingMilliseconds } = await this.counter.count(this.subject, block);
    this.left = Math.max(0, Math.min(block, requests - (counted - block)));
    this.isUsedUp = this.left < block;
    this.endsAt = askedAt + remainingMilliseconds;
  }
}
