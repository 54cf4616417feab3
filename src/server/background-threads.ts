import { readdirSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { setPriority } from 'node:os';

/** Niceness of what may wait: a tenth of the share of a thread without. */
const niceness = 10;

/**
 * Lets the threads in which slow calls of the token run (RSA, key generation: libuv's) step back behind the main thread:
 * who asks for something cheap need not wait for the signatures of others. On Linux, where a thread has a niceness of its
 * own; elsewhere nothing happens. To be called before anything else starts threads.
 *
 * @param threads how many libuv has (UV_THREADPOOL_SIZE)
 */
export async function deferBackgroundThreads(threads: number): Promise<void> {
  try {
    // libuv starts all of its threads with the first work for them
    await stat('.');
    const ids = readdirSync('/proc/self/task')
      .map(Number)
      .sort((one, other) => one - other);
    // the main thread, and V8's, are older
    for (const id of ids.slice(1).slice(-threads)) setPriority(id, niceness);
  } catch {
    // no /proc, or it must not: then all threads are equal
  }
}
