import type { Store } from '../store/store.js';

/** How many there are of what operators watch. */
export interface Inventory {
  readonly takenAt: Date;
  /** By key state. */
  readonly keys: ReadonlyMap<string, number>;
  /** Keys whose waiting period is over, and which are not deleted yet. */
  readonly deletionsOverdue: number;
  /** Enabled keys whose automatic rotation is due. */
  readonly rotationsDue: number;
  /** Imported key material that expires soon. */
  readonly materialExpiring: number;
  readonly grants: number;
  readonly aliases: number;
  /** Custom key stores by connection state. */
  readonly keyStores: ReadonlyMap<string, number>;
}

/** What is soon for imported key material, in milliseconds: a week. */
const soonMilliseconds = 7 * 24 * 60 * 60 * 1000;

/** Counts what is in the store: some milliseconds for 10,000 keys, so not at every request. */
export async function takeInventory({ db }: Store, now: Date): Promise<Inventory> {
  const at = now.getTime();
  const count = db.fn.countAll<number | string>().as('count');
  const keys = await db.selectFrom('keys').select(['state as name', count]).groupBy('state').execute();
  const deletions = db.selectFrom('keys').select(count).where('deletion_at', '<=', at);
  const rotations = db
    .selectFrom('keys')
    .select(count)
    .where('next_rotation_at', '<=', at)
    .where('state', '=', 'Enabled');
  const expiring = db
    .selectFrom('key_materials')
    .select(count)
    .where('expires_at', '<=', at + soonMilliseconds)
    .where('present', '=', 1);
  const keyStores = await db
    .selectFrom('custom_key_stores')
    .select(['connection_state as name', count])
    .groupBy('connection_state')
    .execute();
  return {
    takenAt: now,
    keys: byName(keys),
    deletionsOverdue: await single(deletions),
    rotationsDue: await single(rotations),
    materialExpiring: await single(expiring),
    grants: await single(db.selectFrom('grants').select(count)),
    aliases: await single(db.selectFrom('aliases').select(count)),
    keyStores: byName(keyStores),
  };
}

/** PostgreSQL's counts are too large for numbers, and come as text. */
type Count = { readonly count: number | string };

async function single(query: { executeTakeFirstOrThrow(): Promise<Count> }): Promise<number> {
  return Number((await query.executeTakeFirstOrThrow()).count);
}

function byName(rows: readonly (Count & { readonly name: string })[]): ReadonlyMap<string, number> {
  return new Map(rows.map(({ name, count }) => [name, Number(count)]));
}
