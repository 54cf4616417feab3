import type pkcs11 from 'pkcs11js';
import { TokenError, tokenError } from './return-values.js';

/**
 * What is counted one by one:
 * - `loss`, `recovery`: the token was lost, and found again
 * - `unavailable`: a call was refused at once, as the token is gone
 * - `login refusal`: the token refused the PIN
 * - `session refusal`: a caller got no session in time
 * - `timeout`: a call in another thread was given up
 */
export type TokenIncident = 'loss' | 'recovery' | 'unavailable' | 'login refusal' | 'session refusal' | 'timeout';

/** Who counts what a token does; this folder knows no metrics. */
export interface TokenMeter {
  /**
   * A function of the module has returned.
   *
   * @param name as PKCS#11 has it: C_Sign
   * @param error name of the CK_RV, when it was not CKR_OK
   */
  called(name: string, milliseconds: number, error: string | undefined): void;
  /** A call is made again. @param error name of the CK_RV that asks for it */
  retried(error: string): void;
  /** A caller had to wait for a session. */
  waited(milliseconds: number): void;
  count(incident: TokenIncident): void;
}

/** How a token is at the moment. */
export interface TokenState {
  readonly isThere: boolean;
  /** How long it has been gone; 0 while it is there. */
  readonly lostMilliseconds: number;
  /** Sessions that calls in other threads may hold, and that they do. */
  readonly sessionLimit: number;
  readonly sessionsInUse: number;
  /** Callers that wait for one. */
  readonly waiters: number;
  /** Keys that are used by a copy. */
  readonly copies: number;
  /** Objects whose handles are known. */
  readonly handles: number;
}

type Call = (...parameters: unknown[]) => unknown;

/** A module whose functions are timed. pkcs11js's functions for other threads (C_SignAsync) count as what they call. */
export function meteredModule(cryptoki: pkcs11.PKCS11, meter: TokenMeter): pkcs11.PKCS11 {
  const functions = cryptoki as unknown as Readonly<Record<string, Call>>;
  const metered: Record<string, Call> = {};
  for (const name of functionNames(cryptoki)) {
    const call = functions[name]?.bind(cryptoki);
    if (call) metered[name] = timed(name.replace(/Async$/, ''), call, meter);
  }
  return metered as unknown as pkcs11.PKCS11;
}

function timed(name: string, call: Call, meter: TokenMeter): Call {
  return (...parameters) => {
    const start = performance.now();
    const failed = (thrown: unknown) => meter.called(name, performance.now() - start, errorName(thrown));
    let result: unknown;
    try {
      result = call(...parameters);
    } catch (thrown) {
      failed(thrown);
      throw thrown;
    }
    if (result instanceof Promise) result.then(() => meter.called(name, performance.now() - start, undefined), failed);
    else meter.called(name, performance.now() - start, undefined);
    return result;
  };
}

function errorName(thrown: unknown): string {
  const error = tokenError(thrown);
  return error instanceof TokenError ? error.returnValue : 'none';
}

/** C_...: pkcs11js has some in its class and some in each object of it. */
function functionNames(cryptoki: object): Set<string> {
  const names = new Set<string>();
  for (let object: object | null = cryptoki; object !== null; object = Object.getPrototypeOf(object)) {
    for (const name of Object.getOwnPropertyNames(object)) if (/^C_\w+$/.test(name)) names.add(name);
  }
  return names;
}
