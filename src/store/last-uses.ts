import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Transaction } from 'kysely';
import type { Schema } from './schema.js';
import type { Store } from './store.js';

/** So many are written in one transaction: SQLite holds up everything else meanwhile. */
const mostAtOnce = 64;

/** The last use of each of many things, noted in memory and written now and then: once per request would cost more than it. */
export class LastUses<U> {
  private readonly noted = new Map<string, U>();
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly store: Store,
    /** Leaves a later use that another process has written, and what has no row any more. */
    private readonly writeUse: (transaction: Transaction<Schema>, id: string, use: U) => Promise<unknown>,
  ) {}

  note(id: string, use: U): void {
    this.noted.set(id, use);
  }

  /** What was noted and is not written yet. */
  find(id: string): U | undefined {
    return this.noted.get(id);
  }

  /** Writes what was noted so far, bit by bit, so that requests are answered in between. What fails stays noted. */
  write(): Promise<void> {
    this.writing = this.writing.catch(() => {}).then(() => this.writeNoted());
    return this.writing;
  }

  private async writeNoted(): Promise<void> {
    // in the order of the ids: processes that write the same ones at the same time then do not wait for each other in vain
    const uses = [...this.noted].sort(([one], [other]) => (one < other ? -1 : 1));
    for (let written = 0; written < uses.length; written += mostAtOnce) {
      if (written > 0) await nextTurn();
      const some = uses.slice(written, written + mostAtOnce);
      await this.store.record(async (transaction) => {
        for (const [id, use] of some) await this.writeUse(transaction, id, use);
      });
      for (const [id, use] of some) if (this.noted.get(id) === use) this.noted.delete(id);
    }
  }
}
