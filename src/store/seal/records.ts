import type { Kysely } from 'kysely';
import type { Row, Value } from '../rows.js';
import type { Schema } from '../schema.js';
import { type PartRows, recordDigest } from './record-digest.js';
import { type PartOf, type RowOf, type SealedTable, sealedTables } from './sealed-tables.js';
import type { Seals } from './seals.js';

/** A row, and the rows of its parts, in no order. */
export interface StoredRecord<T extends SealedTable> {
  readonly row: RowOf<T>;
  readonly parts: { readonly [P in PartOf<T>]: readonly RowOf<P>[] };
}

type AnyTables = Kysely<Record<string, Record<string, Value>>>;

/** The name of a record in seals, errors and findings. */
export function recordName(table: SealedTable, id: string): string {
  return `${table}/${id}`;
}

/** Reads records, and believes only those whose seal is good. */
export class Records {
  private readonly tables: AnyTables;

  /** @param seals undefined for who decides nothing by what is read: then nothing is checked */
  constructor(
    db: Kysely<Schema>,
    private readonly seals: Seals | undefined,
  ) {
    this.tables = db as unknown as AnyTables;
  }

  /** @throws BrokenSealError; the token's errors */
  async find<T extends SealedTable>(table: T, id: string): Promise<StoredRecord<T> | undefined> {
    const moment = this.seals?.moment() ?? 0;
    const read = await readRecord(this.tables, table, id);
    if (read === undefined) return undefined;
    await this.expect(table, read.row, read.parts, moment);
    return read as unknown as StoredRecord<T>;
  }

  /**
   * Rows of a table whose records have no parts.
   *
   * @param read makes the query
   * @throws BrokenSealError; the token's errors
   */
  async list<T extends SealedTable>(table: T, read: () => Promise<RowOf<T>[]>): Promise<RowOf<T>[]> {
    const moment = this.seals?.moment() ?? 0;
    const rows = await read();
    for (const row of rows) await this.expect(table, row as unknown as Row, {}, moment);
    return rows;
  }

  private async expect(table: SealedTable, row: Row, parts: PartRows, moment: number): Promise<void> {
    const name = recordName(table, idOf(table, row));
    await this.seals?.expect(name, recordDigest(table, row, parts), sealOf(row), moment);
  }
}

export function idOf(table: SealedTable, row: Row): string {
  return String(row[sealedTables[table].id]);
}

export function sealOf(row: Row): Buffer | null {
  return Buffer.isBuffer(row.seal) ? row.seal : null;
}

/** A record as it is, whoever wrote it. @param db one moment of the store */
export async function readRecord(
  db: AnyTables,
  table: SealedTable,
  id: string,
): Promise<{ readonly row: Row; readonly parts: PartRows } | undefined> {
  const rule = sealedTables[table];
  const row = await db.selectFrom(table).selectAll().where(rule.id, '=', id).executeTakeFirst();
  if (row === undefined) return undefined;
  const parts: Record<string, readonly Row[]> = {};
  for (const part of rule.parts) {
    parts[part.table] = await db.selectFrom(part.table).selectAll().where(part.of, '=', id).execute();
  }
  return { row, parts };
}
