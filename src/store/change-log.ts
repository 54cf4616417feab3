import { createHash } from 'node:crypto';
import type { Kysely, Transaction } from 'kysely';
import type { Schema } from './schema.js';
import type { Seals } from './seal/seals.js';

/** So many changes can be looked up, by who has not followed meanwhile. */
const changesKept = 1024;
/** A change of more records is not written down: then all are forgotten. */
const mostRecords = 1_000;
/** What is sealed: a record of its own name for seals. */
const sealedAs = 'store_changes';

/** Which records each of the last changes of a store was about. */
export class ChangeLog {
  private readonly known = new Map<number, readonly string[]>();

  constructor(private readonly db: Kysely<Schema>) {}

  /**
   * Names of the records that were changed after one revision, up to another.
   *
   * @param from as `Changes.revision` gives them
   * @returns undefined when it is not known: then it may be any
   */
  async between(from: number, to: number, seals: Seals | undefined): Promise<readonly string[] | undefined> {
    const count = to - from;
    if (seals === undefined || !(count > 0 && count <= changesKept)) return undefined;
    const revisions = Array.from({ length: count }, (_, index) => from + 1 + index);
    try {
      if (revisions.some((revision) => !this.known.has(revision))) await this.read(from, to, seals);
    } catch {
      // a database or a token that fails, or a row that somebody else has written
      return undefined;
    }
    const records = revisions.map((revision) => this.known.get(revision));
    return records.every((each) => each !== undefined) ? records.flat() : undefined;
  }

  private async read(from: number, to: number, seals: Seals): Promise<void> {
    // what is above the store's own number tells connections apart
    const own = to % revisionsOfConnection;
    const above = to - own;
    const rows = await this.db
      .selectFrom('store_changes')
      .selectAll()
      .where('revision', '>', from - above)
      .where('revision', '<=', own)
      .execute();
    if (this.known.size > changesKept) this.known.clear();
    for (const { revision, records, seal } of rows) {
      await seals.expect(sealedAs, digestOf(revision, records), seal, seals.moment(), false);
      this.known.set(above + revision, JSON.parse(records));
    }
  }
}

/** Keeps revisions of one connection to a database apart from those of the next: the store may be an older one then. */
export const revisionsOfConnection = 2 ** 40;

/** Writes down what a change was about. @throws the token's errors */
export async function logChange(
  db: Transaction<Schema>,
  seals: Seals,
  revision: number,
  names: ReadonlySet<string>,
): Promise<void> {
  await db
    .deleteFrom('store_changes')
    .where('revision', '<=', revision - changesKept)
    .execute();
  if (names.size > mostRecords) return;
  const records = JSON.stringify([...names]);
  const { seal } = await seals.make(sealedAs, digestOf(revision, records), revision);
  await db.insertInto('store_changes').values({ revision, records, seal }).execute();
}

function digestOf(revision: number, records: string): Buffer {
  return createHash('sha256').update(`${revision}\0${records}`).digest();
}
