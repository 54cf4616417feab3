import type { Kysely, Migration } from 'kysely';

/** What each of the last changes was about: processes forget that, and not everything. */
export const storeChanges: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('store_changes')
      .addColumn('revision', 'bigint', (column) => column.primaryKey())
      .addColumn('records', 'text', (column) => column.notNull())
      .addColumn('seal', 'blob', (column) => column.notNull())
      .execute();
  },
};
