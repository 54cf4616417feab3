import type { Kysely, Migration } from 'kysely';

export const firstSchema: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('spec', 'text', (column) => column.notNull())
      .addColumn('usage', 'text', (column) => column.notNull())
      .addColumn('origin', 'text', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('description', 'text', (column) => column.notNull())
      .addColumn('policy', 'text', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('deletion_at', 'bigint')
      .addColumn('pending_window_days', 'integer')
      .addColumn('multi_region', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('current_material_id', 'text')
      .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
    await db.schema
      .createTable('key_materials')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id').onDelete('cascade'))
      .addColumn('public_key', 'blob')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('key_materials_of_key').on('key_materials').column('key_id').execute();
    await db.schema
      .createTable('aliases')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id').onDelete('cascade'))
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('aliases_of_key').on('aliases').column('key_id').execute();
    await db.schema
      .createTable('tags')
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id').onDelete('cascade'))
      .addColumn('tag_key', 'text', (column) => column.notNull())
      .addColumn('tag_value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('tags_primary_key', ['key_id', 'tag_key'])
      .execute();
    await db.schema
      .createTable('principals')
      .addColumn('arn', 'text', (column) => column.primaryKey())
      .addColumn('unique_id', 'text', (column) => column.notNull().unique())
      .addColumn('administrator', 'integer', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('access_keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('principal_arn', 'text', (column) => column.notNull().references('principals.arn').onDelete('cascade'))
      .addColumn('sealed_secret', 'blob', (column) => column.notNull())
      .addColumn('active', 'integer', (column) => column.notNull())
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('store_facts')
      .addColumn('name', 'text', (column) => column.primaryKey())
      .addColumn('value', 'text', (column) => column.notNull())
      .execute();
  },
};
