import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { KmsError } from '../../contract/kms-error.js';
import { Leases } from '../../store/leases.js';
import type { Store } from '../../store/store.js';

/** How long an import may take, and how long one waits for another, in milliseconds. */
const turnMilliseconds = 20_000;
const lookMilliseconds = 25;
const busy = 'Another import into the key is under way. You can retry the request.';

/**
 * Imports into one key go one after the other, in all processes: the objects of the same material have the same CKA_ID,
 * and two imports at a time could each take the other's for what is left over.
 */
export class ImportTurns {
  constructor(private readonly store: Store) {}

  /**
   * Does the work when no other import into the key is under way.
   *
   * @throws KmsError DependencyTimeoutException when one takes too long
   */
  async inTurn<T>(keyId: string, work: () => Promise<T>): Promise<T> {
    const leases = new Leases(this.store, randomUUID());
    const task = `import ${keyId}`;
    for (const end = performance.now() + turnMilliseconds; !(await leases.take(task, turnMilliseconds)); ) {
      if (performance.now() > end) throw new KmsError('DependencyTimeoutException', busy);
      await wait(lookMilliseconds);
    }
    try {
      return await work();
    } finally {
      // one that cannot be given back runs out
      await leases.release(task).catch(() => {});
    }
  }
}
