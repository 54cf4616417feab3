import { setTimeout as wait } from 'node:timers/promises';
import type { PinSource } from './token-settings.js';

/** A refused PIN is tried again after so long, in milliseconds: tokens lock themselves after some tries. */
const retryMilliseconds = 600_000;
const lookMilliseconds = 250;

/**
 * Waits until there is another PIN to try than one that was refused: its source has been written to, or enough time has
 * passed.
 *
 * @param refused the source's stamp when the PIN was read
 * @throws AbortError
 */
export async function otherPin(pin: PinSource, refused: string, signal?: AbortSignal): Promise<void> {
  const until = performance.now() + retryMilliseconds;
  while (pin.stamp() === refused && performance.now() < until) await wait(lookMilliseconds, undefined, { signal });
}
