import { PinRefusedError } from './pin-refused-error.js';
import { otherPin } from './refused-pin.js';
import { Scout, type ScoutReport } from './scout.js';
import type { TokenSettings } from './token-settings.js';

/** How long after a login that failed the next is tried, in milliseconds. */
const pauseMilliseconds = 250;
/** So many logins in a row that fail though the token answers: this process does not get to it any more. */
const stuckAttempts = 5;

/** What a recovery is for. */
interface Recovered {
  /** Logs in again. @throws Error */
  reconnect(): void;
  /** It has logged in. */
  done(): void;
}

/** Looks for a token that was lost until it is logged in to again. */
export class TokenRecovery {
  private readonly scout: Scout;
  private readonly ended = new AbortController();
  private timer: NodeJS.Timeout | undefined;
  private failures = 0;
  private lastFailure: string | undefined;

  constructor(
    private readonly settings: TokenSettings,
    private readonly recovered: Recovered,
  ) {
    this.scout = new Scout(settings, (report) => this.hear(report));
  }

  end(): void {
    this.ended.abort();
    clearTimeout(this.timer);
    this.scout.end();
  }

  private hear(report: ScoutReport): void {
    if (report.answers) this.tryToReconnect();
    else this.say(new Error(report.why));
  }

  private tryToReconnect(): void {
    const stamp = this.settings.pin.stamp();
    try {
      this.recovered.reconnect();
    } catch (error) {
      this.say(error as Error);
      if (error instanceof PinRefusedError) void this.tryOtherPin(stamp);
      else this.tryAgain(error as Error);
      return;
    }
    this.end();
    this.recovered.done();
  }

  private tryAgain(error: Error): void {
    this.failures += 1;
    if (this.failures % stuckAttempts === 0) this.settings.events?.stuck(error);
    this.timer = setTimeout(() => this.scout.again(), pauseMilliseconds);
  }

  private async tryOtherPin(refused: string): Promise<void> {
    try {
      await otherPin(this.settings.pin, refused, this.ended.signal);
      this.scout.again();
    } catch {
      // nobody wants the token any more
    }
  }

  /** Once, and not four times a second. */
  private say(error: Error): void {
    if (error.message === this.lastFailure) return;
    this.lastFailure = error.message;
    this.settings.events?.failed(error);
  }
}
