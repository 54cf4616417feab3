import { type Kysely, sql } from 'kysely';
import type { Schema } from './schema.js';

export type Value = string | number | Buffer | null;
/** A row of any table. */
export type Row = Readonly<Record<string, Value>>;
/** Some rows of one table. */
export interface Page {
  readonly table: string;
  readonly rows: readonly Row[];
}

/**
 * Every table that is kept, with the columns that tell its rows apart; tables come after those that their rows name.
 * Leases are not kept: who held them is gone; nor what changes were about: nobody has followed them.
 */
const keptTables: Readonly<Record<Exclude<keyof Schema, 'leases' | 'store_changes'>, readonly string[]>> = {
  custom_key_stores: ['id'],
  keys: ['id'],
  key_materials: ['id'],
  aliases: ['name'],
  tags: ['key_id', 'tag_key'],
  principals: ['arn'],
  principal_tags: ['principal_arn', 'tag_key'],
  inline_policies: ['principal_arn', 'name'],
  managed_policies: ['arn'],
  attached_policies: ['principal_arn', 'policy_arn'],
  access_keys: ['id'],
  import_wrapping_keys: ['id'],
  grants: ['id'],
  key_uses: ['key_id'],
  store_revision: ['revision'],
};

/** How many rows are in memory at a time; a policy may have 32 KiB. */
const rowsOfPage = 200;

/** How many rows each table has. @param db a transaction that reads */
export async function countRows(db: Kysely<Schema>): Promise<{ readonly table: string; readonly rows: number }[]> {
  const counts = [];
  for (const table of Object.keys(keptTables)) {
    const { rows } = await sql<{ n: number }>`select count(*) as n from ${sql.table(table)}`.execute(db);
    counts.push({ table, rows: rows[0]?.n ?? 0 });
  }
  return counts;
}

/** All rows of all tables that are kept, page by page. @param db a transaction that reads */
export async function* readRows(db: Kysely<Schema>): AsyncGenerator<Page> {
  for (const [table, keys] of Object.entries(keptTables)) {
    const columns = sql.join(keys.map((name) => sql.ref(name)));
    let last: Row | undefined;
    for (;;) {
      const values = last && sql.join(keys.map((name) => last?.[name]));
      const { rows } = await sql<Row>`
        select * from ${sql.table(table)} ${values ? sql`where (${columns}) > (${values})` : sql``}
        order by ${columns} limit ${sql.lit(rowsOfPage)}
      `.execute(db);
      if (rows.length > 0) yield { table, rows };
      if (rows.length < rowsOfPage) break;
      last = rows.at(-1);
    }
  }
}

/** Writes rows in the order in which `readRows` gives them; what migrations have put into a table goes. */
export class RowWriter {
  private readonly begun = new Set<string>();

  /** @param db a transaction on a database that holds nothing else */
  constructor(private readonly db: Kysely<unknown>) {}

  async write({ table, rows }: Page): Promise<void> {
    const db = this.db as Kysely<Record<string, Record<string, Value>>>;
    if (!this.begun.has(table)) await db.deleteFrom(table).execute();
    this.begun.add(table);
    await db
      .insertInto(table)
      .values([...rows])
      .execute();
  }
}
