import { setTimeout as wait } from 'node:timers/promises';
import {
  ObjectMissingError,
  TokenBusyError,
  TokenClosedError,
  TokenError,
  TokenTimeoutError,
  TokenUnavailableError,
  tokenError,
} from '../token/return-values.js';
import type { Token } from '../token/token.js';

/** How often something is tried that fails for a reason that may pass, and how long after another, in milliseconds. */
const tries = { attempts: 4, milliseconds: 150 } as const;

/** The token failed while it was tried out, again and again: what it can do is not known. */
export class ProbeError extends Error {
  override readonly name = 'ProbeError';
}

/** Errors of the connection. */
const passing = [ObjectMissingError, TokenBusyError, TokenClosedError, TokenTimeoutError, TokenUnavailableError];
/** Short of memory or sessions: CKR_HOST_MEMORY, CKR_DEVICE_MEMORY, CKR_SESSION_COUNT. It says nothing of what is tried. */
const shortages: ReadonlySet<number | undefined> = new Set([2, 49, 177]);

/**
 * What an error in a probe says:
 * - `cannot`: the token refuses this, or does it wrongly
 * - `unclear`: some tokens say this of what they cannot do, others when they are broken (CKR_GENERAL_ERROR, and numbers
 *   that PKCS#11 does not know)
 * - `nothing`: the token, the session or the connection is in the way
 */
export function verdictOf(thrown: unknown): 'cannot' | 'unclear' | 'nothing' {
  const error = tokenError(thrown);
  if (passing.some((kind) => error instanceof kind)) return 'nothing';
  if (!(error instanceof TokenError)) return 'cannot';
  if (error.reaction === 'refused' || error.reaction === 'input') return 'cannot';
  if (shortages.has(error.ckr)) return 'nothing';
  return error.reaction === 'ambiguous' || error.reaction === 'give-up' ? 'unclear' : 'nothing';
}

/**
 * Rethrows what says nothing of the token's abilities. Where it is unclear, the last of several attempts takes it for
 * "it cannot" from a token that is well.
 */
export function expectVerdict(token: Token, error: unknown, isLastAttempt: boolean): void {
  const verdict = verdictOf(error);
  if (verdict === 'cannot' || (verdict === 'unclear' && isLastAttempt && token.isHealthy())) return;
  throw error;
}

/**
 * Tries something out until the token says what it can do.
 *
 * @param what is tried, for the message
 * @throws ProbeError when the token keeps failing
 */
export async function untilClear<T>(token: Token, what: string, attempt: (isLast: boolean) => Promise<T>): Promise<T> {
  for (let number = 1; ; number++) {
    const isLast = number === tries.attempts;
    try {
      return await attempt(isLast);
    } catch (error) {
      if (isLast) {
        throw new ProbeError(
          `The token ${JSON.stringify(token.identity.label)} fails while it is tried out (${what}): ${(error as Error).message}. Look at the token and its connection, and start again.`,
          { cause: error },
        );
      }
    }
    await wait(tries.milliseconds * number);
  }
}
