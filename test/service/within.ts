import { setTimeout as wait } from 'node:timers/promises';

/** Tries again and again until it does not throw. @throws what it throws when the time is over */
export async function within(milliseconds: number, holds: () => Promise<void>): Promise<void> {
  for (const end = Date.now() + milliseconds; ; await wait(50)) {
    try {
      return await holds();
    } catch (error) {
      if (Date.now() > end) throw error;
    }
  }
}
