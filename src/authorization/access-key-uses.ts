import type { Store } from '../store/store.js';

/** One use of an access key. */
interface AccessKeyUse {
  /** Milliseconds since the epoch. */
  readonly at: number;
  /** kms, sts */
  readonly service: string;
  readonly region: string;
}

/** The last use of each access key: noted in memory and written now and then, as those of keys are. */
export class AccessKeyUses {
  private noted = new Map<string, AccessKeyUse>();

  constructor(private readonly store: Store) {}

  /** Notes a request that was signed with an access key, as its signature was verified. */
  note(accessKeyId: string, service: string, region: string): void {
    this.noted.set(accessKeyId, { at: Date.now(), service, region });
  }

  /** Writes what was noted since the last time; later uses that other processes have written stay. */
  async write(): Promise<void> {
    if (this.noted.size === 0) return;
    const noted = this.noted;
    this.noted = new Map();
    try {
      await this.store.record(async (transaction) => {
        for (const [accessKeyId, { at, service, region }] of noted) {
          // temporary access keys, and those that were deleted meanwhile, have no row
          await transaction
            .updateTable('access_keys')
            .set({ last_used_at: at, last_used_service: service, last_used_region: region })
            .where('id', '=', accessKeyId)
            .where((row) => row.or([row('last_used_at', 'is', null), row('last_used_at', '<', at)]))
            .execute();
        }
      });
    } catch (error) {
      this.noted = new Map([...noted, ...this.noted]);
      throw error;
    }
  }
}
