import { setTimeout as wait } from 'node:timers/promises';

/**
 * What is waited for until it is so, in milliseconds: on a machine that is many times slower than usual, it still comes.
 * How soon it comes on a quiet one is the bench's business.
 */
export const patience = 120_000;

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

/** Waits until something is so. @throws Error that says what has not come about when `patience` is over */
export async function until(what: string, holds: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = Date.now() + patience; !(await holds()); await wait(10)) {
    if (Date.now() > end) throw new Error(`${what}: not after ${patience / 1000} s`);
  }
}
