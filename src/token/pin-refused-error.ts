import { TokenError } from './return-values.js';

/** CKR_PIN_INCORRECT, _INVALID, _LEN_RANGE, _EXPIRED, _LOCKED. */
const aboutPin: ReadonlySet<number | undefined> = new Set([160, 161, 162, 163, 164]);

/** The token did not take the PIN. Who tries it again brings the token nearer to locking it. */
export class PinRefusedError extends Error {
  override readonly name = 'PinRefusedError';
  /** What a process ends with for it, and is not started again after (EX_NOPERM of sysexits.h). */
  static readonly exitCode = 77;
  readonly exitCode = PinRefusedError.exitCode;

  static isCauseOf(error: Error): boolean {
    return error instanceof TokenError && aboutPin.has(error.ckr);
  }
}
