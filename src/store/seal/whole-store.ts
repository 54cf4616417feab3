import type { Kysely, Transaction } from 'kysely';
import type { Row, Value } from '../rows.js';
import type { Schema } from '../schema.js';
import { BrokenSealError } from './broken-seal-error.js';
import { Change } from './change.js';
import { type PartRows, recordDigest } from './record-digest.js';
import { RecordSet, recordSetName } from './record-set.js';
import { idOf, recordName, sealOf } from './records.js';
import { type RowOf, type SealedTable, sealedTableNames, sealedTables } from './sealed-tables.js';
import { isOfLaterRevision, type Seals } from './seals.js';

type AnyTables = Kysely<Record<string, Record<string, Value>>>;
type RevisionRow = RowOf<'store_revision'>;

/** How many records are looked at before others get their turn: a millisecond or two. */
const recordsOfPage = 50;

/**
 * A change of a store whose seal is good.
 *
 * @param revised the store's row, with the revision of this change
 * @throws BrokenSealError; the token's errors
 */
export async function beginChange(
  transaction: Transaction<Schema>,
  seals: Seals,
  revised: RevisionRow,
): Promise<Change> {
  const before = { ...revised, revision: revised.revision - 1 };
  return new Change(transaction, seals, await sealedSet(seals, before), revised.revision);
}

/** @throws BrokenSealError; the token's errors */
async function sealedSet(seals: Seals, { record_set, seal, revision }: RevisionRow): Promise<RecordSet> {
  const set = new RecordSet(record_set ?? undefined);
  // a number that is written back would hide changes from who has them in memory otherwise
  if (seal && isOfLaterRevision(seal, revision)) throw seals.fault(new BrokenSealError(recordSetName, 'changed'));
  await seals.expect(recordSetName, set.digest(), seal, seals.moment());
  return set;
}

/** Whether there is nothing that would be sealed. */
export async function hasNoRecords(db: Kysely<Schema>): Promise<boolean> {
  for (const table of sealedTableNames) {
    if (await db.selectFrom(table).select('seal').limit(1).executeTakeFirst()) return false;
  }
  return true;
}

/** Seals every record as it is, whoever wrote it. @param revision of the change. @returns what is to be remembered */
export async function sealAll(
  transaction: Transaction<Schema>,
  seals: Seals,
  revision: number,
): Promise<{ readonly records: number; readonly committed: () => void }> {
  const db = transaction as unknown as AnyTables;
  const set = new RecordSet();
  const change = new Change(transaction, seals, set, revision);
  let records = 0;
  for await (const { table, id, name, digest } of readRecords(db)) {
    const { seal } = await seals.make(name, digest, revision);
    await db.updateTable(table).set({ seal }).where(sealedTables[table].id, '=', id).execute();
    set.add(name, seal);
    records += 1;
  }
  return { records, committed: await change.finish() };
}

/** What was found when every record was looked at. */
export interface StoreExamination {
  readonly records: number;
  readonly broken: readonly BrokenSealError[];
  /** False when records were taken away, or put back as they had been, although each by itself is as it was written. */
  readonly isWhole: boolean;
}

/** Checks every record, and whether they are all there are. @param db one moment of the store. @throws the token's errors */
export async function examineSeals(db: Kysely<Schema>, seals: Seals): Promise<StoreExamination> {
  const broken: BrokenSealError[] = [];
  const noting = async (check: Promise<unknown>) => {
    try {
      await check;
    } catch (error) {
      if (!(error instanceof BrokenSealError)) throw error;
      broken.push(error);
    }
  };
  const moment = seals.moment();
  const revised = await db.selectFrom('store_revision').selectAll().executeTakeFirstOrThrow();
  await noting(sealedSet(seals, revised));
  const set = new RecordSet();
  let records = 0;
  for await (const { name, digest, seal } of readRecords(db as unknown as AnyTables)) {
    records += 1;
    if (seal) set.add(name, seal);
    await noting(seals.expect(name, digest, seal, moment, false));
  }
  return { records, broken, isWhole: set.equals(new RecordSet(revised.record_set ?? undefined)) };
}

interface FoundRecord {
  readonly table: SealedTable;
  readonly id: string;
  readonly name: string;
  readonly digest: Buffer;
  readonly seal: Buffer | null;
}

async function* readRecords(db: AnyTables): AsyncGenerator<FoundRecord> {
  for (const table of sealedTableNames) {
    const { id: key } = sealedTables[table];
    for (let last = ''; ; ) {
      const rows = await db
        .selectFrom(table)
        .selectAll()
        .where(key, '>', last)
        .orderBy(key)
        .limit(recordsOfPage)
        .execute();
      // SQLite answers at once, and would let nothing else happen until the end
      await new Promise((resolve) => setImmediate(resolve));
      const partsOf = await readParts(db, table, rows);
      for (const row of rows) {
        const id = idOf(table, row);
        const digest = recordDigest(table, row, partsOf(id));
        yield { table, id, name: recordName(table, id), digest, seal: sealOf(row) };
        last = id;
      }
      if (rows.length < recordsOfPage) break;
    }
  }
}

/** The parts of some records, in one query for each kind. */
async function readParts(db: AnyTables, table: SealedTable, rows: readonly Row[]): Promise<(id: string) => PartRows> {
  const found = new Map<string, Record<string, Row[]>>();
  if (rows.length > 0) {
    for (const { table: part, of } of sealedTables[table].parts) {
      const ids = rows.map((row) => idOf(table, row));
      for (const row of await db.selectFrom(part).selectAll().where(of, 'in', ids).execute()) {
        const id = String(row[of]);
        const parts = found.get(id) ?? {};
        parts[part] = [...(parts[part] ?? []), row];
        found.set(id, parts);
      }
    }
  }
  return (id) => found.get(id) ?? {};
}
