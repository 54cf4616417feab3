import type { Transaction } from 'kysely';
import type { OperationName } from '../contract/operation-types.js';
import { LastUses } from '../store/last-uses.js';
import type { Schema } from '../store/schema.js';
import type { Store } from '../store/store.js';

/** One use of a key. */
export interface KeyUse {
  readonly operation: string;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly requestId: string;
}

/** The last cryptographic use of each key. */
export class KeyUses {
  private readonly uses: LastUses<KeyUse>;

  constructor(private readonly store: Store) {
    this.uses = new LastUses(store, writeUse);
  }

  note(keyId: string, operation: OperationName, requestId: string): void {
    this.uses.note(keyId, { operation, at: Date.now(), requestId });
  }

  /** Writes what was noted since the last time. */
  write(): Promise<void> {
    return this.uses.write();
  }

  /** The last use that this process knows of. */
  async last(keyId: string): Promise<KeyUse | undefined> {
    const row = await this.store.db.selectFrom('key_uses').selectAll().where('key_id', '=', keyId).executeTakeFirst();
    const written = row && { operation: row.operation, at: row.used_at, requestId: row.request_id };
    const noted = this.uses.find(keyId);
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
  const use = { operation, used_at: at, request_id: requestId };
  await transaction
    .insertInto('key_uses')
    .values({ key_id: keyId, ...use })
    .onConflict((conflict) => conflict.column('key_id').doUpdateSet(use).where('key_uses.used_at', '<', use.used_at))
    .execute();
}
