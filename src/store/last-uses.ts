import type { Transaction } from 'kysely';
import type { Schema } from './schema.js';
import type { Store } from './store.js';

/** The last use of each of many things, noted in memory and written now and then: once per request would cost more than it. */
export class LastUses<U> {
  private noted = new Map<string, U>();

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

  /** Writes what was noted since the last time. When it fails, all is still noted. */
  async write(): Promise<void> {
    if (this.noted.size === 0) return;
    const noted = this.noted;
    this.noted = new Map();
    try {
      await this.store.record(async (transaction) => {
        for (const [id, use] of noted) await this.writeUse(transaction, id, use);
      });
    } catch (error) {
      this.noted = new Map([...noted, ...this.noted]);
      throw error;
    }
  }
}
