import type { DeclaredProfile } from '../config/token-profile.js';
import type { Arrivals } from './call-turns.js';
import type { SessionPoolLimits } from './session-pool.js';
import type { TokenMeter } from './token-meter.js';
import type { TokenSelector } from './token-selection.js';

/** Where a module is, and which of its tokens is meant. */
export interface TokenPlace {
  /** Which of the module's tokens. */
  readonly selector: TokenSelector;
  /** Path of the PKCS#11 module. */
  readonly module: string;
  /** What the module is told when it is initialised; see loadModule. */
  readonly moduleParameters?: string | undefined;
}

/** Where the PIN comes from: it is asked for at each login, as it may have changed. */
export interface PinSource {
  /** @throws Error that says where it is to be */
  read(): string;
  /** Changes when the source has been written to, with the same PIN perhaps: then a refused PIN is tried again. */
  stamp(): string;
}

export interface TokenSettings extends TokenPlace {
  readonly pin: PinSource;
  readonly limits: SessionPoolLimits;
  /** True when every processor has a process like this one: other threads gain nothing for a token that computes here. */
  readonly hasProcessor?: boolean | undefined;
  /** Of requests that may wait while calls are made; undefined where nobody waits. */
  readonly arrivals?: Arrivals | undefined;
  /** What the configuration says of this kind of token. */
  readonly profile?: DeclaredProfile | undefined;
  readonly events?: TokenEvents | undefined;
  readonly meter?: TokenMeter | undefined;
}

/** What becomes of a token, for the log and for who keeps its process. */
export interface TokenEvents {
  lost(error: Error): void;
  /** An attempt to find it again failed. */
  failed(error: Error): void;
  /** @param milliseconds how long it was gone */
  back(milliseconds: number): void;
  /** Nothing helps but a new process: calls hang, or the token is there and this process does not reach it. */
  stuck(error: Error): void;
}

/** A PIN that is known, and stays. */
export function fixedPin(pin: string): PinSource {
  return { read: () => pin, stamp: () => '' };
}
