import type pkcs11 from 'pkcs11js';
import type { Arrivals } from './call-turns.js';
import { addUser, removeUser, restartModule, useSlot } from './module.js';
import { PinRefusedError } from './pin-refused-error.js';
import type { TokenProfile } from './profiles.js';
import { type Reaction, TokenError, TokenUnavailableError, tokenError } from './return-values.js';
import type { SessionPoolLimits } from './session-pool.js';
import { TokenConnection } from './token-connection.js';
import { meteredModule, type TokenMeter, type TokenState } from './token-meter.js';
import { TokenRecovery } from './token-recovery.js';
import { describeSelector, selectSlot, type TokenIdentity } from './token-selection.js';
import type { TokenSettings } from './token-settings.js';

/** After these the token may be gone; its health tells. What is ambiguous is left to `watch`: wrong input is frequent. */
const tellsOfLoss: ReadonlySet<Reaction> = new Set(['module', 'session', 'give-up', 'busy']);

/**
 * The connection to a token, made anew when it was lost: a device that was restarted, a network that was down. Until it
 * is back, whoever asks for the connection is refused at once. Nobody has to restart the service.
 */
export class TokenLink {
  /** The module, as calls to the token are made. */
  readonly functions: pkcs11.PKCS11;
  private current: TokenConnection;
  /** While the token does not answer: why, and what looks for it. */
  private lost: { readonly because: Error; readonly since: number; readonly recovery: TokenRecovery } | undefined;
  private closed = false;

  /** @throws TokenNotFoundError, PinRefusedError, Error that says what to do */
  constructor(
    private readonly cryptoki: pkcs11.PKCS11,
    private readonly settings: TokenSettings,
  ) {
    this.functions = settings.meter ? meteredModule(cryptoki, settings.meter) : cryptoki;
    this.current = this.connect(useSlot(cryptoki, settings.selector, settings.moduleParameters));
  }

  /** @throws TokenUnavailableError while the token is gone */
  get connection(): TokenConnection {
    if (this.lost) {
      this.settings.meter?.count('unavailable');
      throw unavailable(this.lost.because);
    }
    return this.current;
  }

  get limits(): SessionPoolLimits {
    return this.settings.limits;
  }

  get arrivals(): Arrivals | undefined {
    return this.settings.arrivals;
  }

  get meter(): TokenMeter | undefined {
    return this.settings.meter;
  }

  get identity(): TokenIdentity {
    return this.current.identity;
  }

  get profile(): TokenProfile {
    return this.current.profile;
  }

  /** False while the token is gone, as far as is known. */
  get isThere(): boolean {
    return this.lost === undefined;
  }

  get state(): TokenState {
    const { lost, current } = this;
    const { sessions, copies, handles } = current;
    return {
      isThere: this.isThere,
      lostMilliseconds: lost ? performance.now() - lost.since : 0,
      ...sessions.load,
      copies: lost ? 0 : copies.count,
      handles: lost ? 0 : handles.count,
    };
  }

  /** True when the token answers and the login holds. */
  isHealthy(): boolean {
    return !this.lost && !this.closed && this.current.isHealthy();
  }

  /** A call is made again. @param error that asks for it */
  noteRetry(error: unknown): void {
    if (error instanceof TokenError) this.settings.meter?.retried(error.returnValue);
  }

  /** Looks whether the token is there still, and whether it ends what it has begun. */
  watch(): void {
    if (this.lost || this.closed) return;
    const overdue = this.current.sessions.giveUpOverdue();
    this.current.copies.sweep();
    if (overdue > 0) this.settings.events?.stuck(new Error(`the token has not ended ${overdue} calls`));
    if (!this.current.isHealthy()) this.lose(new Error('the token does not answer'));
  }

  /** Ends all sessions, and the login with them, when the calls in flight are over. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    if (this.lost) {
      this.lost.recovery.end();
      return;
    }
    await this.current.sessions.close();
    this.endSessions(this.current.slot);
    removeUser(this.cryptoki);
  }

  private connect(slot: pkcs11.Handle): TokenConnection {
    try {
      const connection = new TokenConnection(this.functions, slot, this.settings, (error) => this.doubt(error));
      addUser(this.cryptoki);
      return connection;
    } catch (thrown) {
      const error = tokenError(thrown);
      if (!(error instanceof TokenError)) throw error;
      const isPinRefused = PinRefusedError.isCauseOf(error);
      if (isPinRefused) this.settings.meter?.count('login refusal');
      const Refusal = isPinRefused ? PinRefusedError : Error;
      throw new Refusal(
        `The token with ${describeSelector(this.settings.selector)} refuses the login: ${error.message}. Check its PIN.`,
        { cause: error },
      );
    }
  }

  /** After an error: was it the call's, or is the token gone? */
  private doubt(error: TokenError): void {
    if (!tellsOfLoss.has(error.reaction) || this.lost || this.closed || this.current.isHealthy()) return;
    this.lose(error);
  }

  private lose(because: Error): void {
    const { settings, current } = this;
    const since = performance.now();
    let inFlight = true;
    const recovery = new TokenRecovery(settings, {
      reconnect: () => this.reconnect(current, inFlight),
      done: () => {
        this.lost = undefined;
        settings.meter?.count('recovery');
        settings.events?.back(Math.round(performance.now() - since));
      },
    });
    this.lost = { because, since, recovery };
    settings.meter?.count('loss');
    settings.events?.lost(because);
    removeUser(this.cryptoki);
    void current.sessions.abandon(unavailable(because)).then(() => {
      inFlight = false;
    });
  }

  /**
   * Logs in again, after the module was started anew where nothing else uses it.
   *
   * @param inFlight calls of the lost connection are not over: the module and its sessions must be left alone
   * @throws Error
   */
  private reconnect(lost: TokenConnection, inFlight: boolean): void {
    const { module, moduleParameters } = this.settings;
    const restarted = !inFlight && restartModule(module, moduleParameters);
    const slot = selectSlot(this.cryptoki, this.settings.selector);
    if (!restarted && !inFlight) this.endSessions(slot);
    const connection = this.connect(slot);
    const { serialNumber } = connection.identity;
    if (serialNumber !== lost.identity.serialNumber) {
      this.endSessions(slot);
      removeUser(this.cryptoki);
      throw new Error(`the token has the serial number ${serialNumber} now, not ${lost.identity.serialNumber}`);
    }
    this.current = connection;
  }

  private endSessions(slot: pkcs11.Handle): void {
    try {
      this.cryptoki.C_CloseAllSessions(slot);
    } catch {
      // a token that does not answer has no login either
    }
  }
}

function unavailable(cause: Error): TokenUnavailableError {
  return new TokenUnavailableError('the token is not available', { cause });
}
