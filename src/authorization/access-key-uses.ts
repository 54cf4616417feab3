import type { Transaction } from 'kysely';
import { LastUses } from '../store/last-uses.js';
import type { Schema } from '../store/schema.js';
import type { Store } from '../store/store.js';

/** One use of an access key. */
interface AccessKeyUse {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** kms, sts */
  readonly service: string;
  readonly region: string;
}

/** The last use of each access key. */
export class AccessKeyUses {
  private readonly uses: LastUses<AccessKeyUse>;

  constructor(store: Store) {
    this.uses = new LastUses(store, writeUse);
  }

  /** Notes a request that was signed with an access key, as its signature was verified. */
  note(accessKeyId: string, service: string, region: string): void {
    this.uses.note(accessKeyId, { at: Date.now(), service, region });
  }

  /** Writes what was noted since the last time. */
  write(): Promise<void> {
    return this.uses.write();
  }
}

/** Temporary access keys, and those that were deleted meanwhile, have no row. */
function writeUse(
  transaction: Transaction<Schema>,
  accessKeyId: string,
  { at, service, region }: AccessKeyUse,
): Promise<unknown> {
  return transaction
    .updateTable('access_keys')
    .set({ last_used_at: at, last_used_service: service, last_used_region: region })
    .where('id', '=', accessKeyId)
    .where((row) => row.or([row('last_used_at', 'is', null), row('last_used_at', '<', at)]))
    .execute();
}
