import type { Store } from './store.js';

/** Leases in the store: a task is done by whichever process holds its lease, and by no other at that time. */
export class Leases {
  /** @param holder a name that no other process has */
  constructor(
    private readonly store: Store,
    private readonly holder: string,
  ) {}

  /**
   * Takes a lease, or prolongs it.
   *
   * @param milliseconds how long it holds when it is not given back, the same for all who take it: one that holds
   * for much longer is of a clock that was ahead, and holds nobody up
   * @returns false when another process holds it
   */
  async take(task: string, milliseconds: number): Promise<boolean> {
    const now = await this.store.time();
    const lease = { holder: this.holder, expires_at: now + milliseconds };
    // another may have taken it a moment after this one asked for the time
    const latest = now + 2 * milliseconds;
    const held = await this.store.db
      .selectFrom('leases')
      .select('task')
      .where('task', '=', task)
      .where('expires_at', '>', now)
      .where('expires_at', '<=', latest)
      .where('holder', '!=', this.holder)
      .executeTakeFirst();
    if (held) return false;
    const { numInsertedOrUpdatedRows } = await this.store.record((transaction) =>
      transaction
        .insertInto('leases')
        .values({ task, ...lease })
        .onConflict((conflict) =>
          conflict
            .column('task')
            .doUpdateSet(lease)
            .where((row) =>
              row.or([
                row('leases.expires_at', '<=', now),
                row('leases.expires_at', '>', latest),
                row('leases.holder', '=', this.holder),
              ]),
            ),
        )
        .executeTakeFirstOrThrow(),
    );
    return (numInsertedOrUpdatedRows ?? 0n) > 0n;
  }

  /** Gives a lease back before its time. */
  async release(task: string): Promise<void> {
    await this.store.record((transaction) =>
      transaction.deleteFrom('leases').where('task', '=', task).where('holder', '=', this.holder).execute(),
    );
  }
}
