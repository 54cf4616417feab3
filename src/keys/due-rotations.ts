import type { KeyRecord } from './key-record.js';
import { type KeyRepository, StaleKeyError } from './key-repository.js';
import type { KeyTokens } from './key-tokens.js';
import { rotateToNewMaterial } from './rotation.js';

const dayMilliseconds = 24 * 60 * 60 * 1000;
/** How long one round takes at the most, in milliseconds: well within its lease, and a stop waits for it. */
const roundMilliseconds = 5_000;

/** Automatic rotation with a period in days, that is counted from an instant. */
export function rotationFrom(at: Date, periodDays: number): NonNullable<KeyRecord['rotation']> {
  return { periodDays, nextAt: new Date(at.getTime() + periodDays * dayMilliseconds) };
}

/** True when there are keys to rotate: a disabled key or one that is to be deleted waits until it is enabled again. */
export async function hasDueRotations(keys: KeyRepository, now: Date): Promise<boolean> {
  return (await keys.listDue('next_rotation_at', now, 'Enabled')).length > 0;
}

/**
 * Rotates the keys whose time has come, each once, however many of its periods have passed: the next date is a period
 * from now. Two processes that do it at the same time rotate no key twice, as the second finds it changed.
 *
 * @param did is told the id of each key as soon as it is rotated
 * @returns the ids of the keys that were rotated; those that are left at the end of the round stay due
 * @throws AggregateError of what went wrong with single keys, when the others are done
 */
export async function rotateDueKeys(
  keys: KeyRepository,
  tokens: KeyTokens,
  now: () => Date,
  did: (keyId: string) => void = () => {},
): Promise<string[]> {
  const end = now().getTime() + roundMilliseconds;
  const rotated: string[] = [];
  const failures: unknown[] = [];
  for (const id of await keys.listDue('next_rotation_at', now(), 'Enabled')) {
    const at = now();
    if (at.getTime() > end) break;
    try {
      const key = await keys.find(id);
      if (key?.state !== 'Enabled' || key.rotation === undefined || key.rotation.nextAt > at) continue;
      const schedule = rotationFrom(at, key.rotation.periodDays);
      await rotateToNewMaterial(keys, await tokens.of(key), key, { type: 'AUTOMATIC', at, schedule });
      rotated.push(id);
      did(id);
    } catch (error) {
      // changed under us: the next round decides anew
      if (!(error instanceof StaleKeyError)) failures.push(error);
    }
  }
  if (failures.length > 0) throw new AggregateError(failures, `${failures.length} keys could not be rotated`);
  return rotated;
}
