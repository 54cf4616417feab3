import type { Kysely, Migration } from 'kysely';

/** What tells that nobody but the service has written a record; made of those that exist when the token is there. */
export const seals: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    const tables = ['custom_key_stores', 'keys', 'aliases', 'principals', 'managed_policies', 'access_keys', 'grants'];
    for (const table of tables) await db.schema.alterTable(table).addColumn('seal', 'blob').execute();
    await db.schema.alterTable('store_revision').addColumn('record_set', 'blob').execute();
    await db.schema.alterTable('store_revision').addColumn('seal', 'blob').execute();
  },
};
