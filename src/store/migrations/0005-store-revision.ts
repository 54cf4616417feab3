import type { Kysely, Migration } from 'kysely';

/** One row that every change raises: what processes remember is compared with it. */
export const storeRevision: Migration = {
  async up(db: Kysely<{ store_revision: { revision: number } }>): Promise<void> {
    await db.schema
      .createTable('store_revision')
      .addColumn('revision', 'bigint', (column) => column.notNull())
      .execute();
    await db.insertInto('store_revision').values({ revision: 1 }).execute();
  },
};
