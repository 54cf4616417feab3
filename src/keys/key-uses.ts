import type { Transaction } from 'kysely';
import type { OperationName } from '../contract/operation-types.js';
import type { Schema } from '../store/schema.js';
import type { Store } from '../store/store.js';

/** One use of a key. */
export interface KeyUse {
  readonly operation: string;
  readonly at: Date;
  readonly requestId: string;
}

/**
 * The last cryptographic use of each key. A use is noted in memory and written now and then: a database write per
 * request would cost more than the request.
 */
export class KeyUses {
  private noted = new Map<string, KeyUse>();

  constructor(private readonly store: Store) {}

  note(keyId: string, operation: OperationName, requestId: string): void {
    this.noted.set(keyId, { operation, at: new Date(), requestId });
  }

  /**
   * Writes what was noted since the last time; a later use that another process has written stays. When it fails, all is
   * still noted.
   */
  async write(): Promise<void> {
    if (this.noted.size === 0) return;
    const noted = this.noted;
    this.noted = new Map();
    try {
      await this.store.record(async (transaction) => {
        for (const [keyId, use] of noted) await writeUse(transaction, keyId, use);
      });
    } catch (error) {
      this.noted = new Map([...noted, ...this.noted]);
      throw error;
    }
  }

  /** The last use that this process knows of. */
  async last(keyId: string): Promise<KeyUse | undefined> {
    const row = await this.store.db.selectFrom('key_uses').selectAll().where('key_id', '=', keyId).executeTakeFirst();
    const written = row && { operation: row.operation, at: new Date(row.used_at), requestId: row.request_id };
    const noted = this.noted.get(keyId);
    return noted && (!written || noted.at > written.at) ? noted : written;
  }
}

async function writeUse(
  transaction: Transaction<Schema>,
  keyId: string,
  { operation, at, requestId }: KeyUse,
): Promise<void> {
  // a key that was deleted meanwhile has no row to write to
  const exists = await transaction.selectFrom('keys').select('id').where('id', '=', keyId).executeTakeFirst();
  if (!exists) return;
  const use = { operation, used_at: at.getTime(), request_id: requestId };
  await transaction
    .insertInto('key_uses')
    .values({ key_id: keyId, ...use })
    .onConflict((conflict) => conflict.column('key_id').doUpdateSet(use).where('key_uses.used_at', '<', use.used_at))
    .execute();
}
