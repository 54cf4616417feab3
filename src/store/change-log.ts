import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.js';
import type { Seals } from './seal/seals.js';
import { revisionsOfHistory } from './seen-revisions.js';

/** So many changes can be looked up, by who has not followed meanwhile. */
const changesKept = 1024;
/** Of a change of more records nothing but that is written down: then all are forgotten. */
const mostRecords = 1_000;
/** What is sealed: a record of its own name for seals. */
const sealedAs = 'store_changes';

/** What is known of how a store came to a revision. */
export interface KnownChanges {
  /** Whether its change was written down by the service. Else the number may be anybody's, and a change get it later. */
  readonly isReal: boolean;
  /** Names of the records that were changed; undefined when it may be any. */
  readonly records: readonly string[] | undefined;
}

const unknown: KnownChanges = { isReal: false, records: undefined };

/** Which records each of the last changes of a store was about. */
export class ChangeLog {
  /** By revision; undefined for a change of any. */
  private readonly known = new Map<number, readonly string[] | undefined>();

  constructor(private readonly db: Kysely<Schema>) {}

  /**
   * What was changed after one revision, up to another.
   *
   * @param from as `Changes.revision` gives them; undefined to ask about the other only
   */
  async between(from: number | undefined, to: number, seals: Seals | undefined): Promise<KnownChanges> {
    if (seals === undefined) return unknown;
    const isFollowed = from !== undefined && to > from && to - from <= changesKept;
    const first = isFollowed ? from + 1 : to;
    const revisions = Array.from({ length: to - first + 1 }, (_, index) => first + index);
    try {
      if (!revisions.every((revision) => this.known.has(revision))) await this.read(first, to, seals);
    } catch {
      // a database or a token that fails, or a row that somebody else has written
      return unknown;
    }
    if (!this.known.has(to)) return unknown;
    const records = revisions.map((revision) => this.known.get(revision));
    const isComplete = isFollowed && records.every((each) => each !== undefined);
    return { isReal: true, records: isComplete ? records.flat() : undefined };
  }

  private async read(first: number, last: number, seals: Seals): Promise<void> {
    // what is above the store's own number tells histories apart
    const own = last % revisionsOfHistory;
    const above = last - own;
    const rows = await this.db
      .selectFrom('store_changes')
      .selectAll()
      .where('revision', '>=', first - above)
      .where('revision', '<=', own)
      .execute();
    if (this.known.size > changesKept) this.known.clear();
    for (const { revision, records, seal } of rows) {
      await seals.expect(sealedAs, digestOf(revision, records), seal, seals.moment(), false);
      this.known.set(above + revision, JSON.parse(records) ?? undefined);
    }
  }
}

/**
 * Writes down what a change was about.
 *
 * @param names undefined when it may be any record
 * @throws the token's errors
 */
export async function logChange(
  db: Transaction<Schema>,
  seals: Seals,
  revision: number,
  names: ReadonlySet<string> | undefined,
): Promise<void> {
  await db
    .deleteFrom('store_changes')
    .where('revision', '<=', revision - changesKept)
    .execute();
  const records = JSON.stringify(names === undefined || names.size > mostRecords ? null : [...names]);
  const { seal } = await seals.make(sealedAs, digestOf(revision, records), revision);
  await db.insertInto('store_changes').values({ revision, records, seal }).execute();
}

function digestOf(revision: number, records: string): Buffer {
  return createHash('sha256').update(`${revision}\0${records}`).digest();
}
