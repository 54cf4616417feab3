import type { Kysely, Migration } from 'kysely';

export const firstSchema: Migration = {
  async up(db: Kysely<unknown>): Promise<void> {
    await db.schema
      .createTable('custom_key_stores')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('name', 'text', (column) => column.notNull().unique())
      .addColumn('cluster_id', 'text', (column) => column.notNull().unique())
      .addColumn('trust_anchor_certificate', 'text', (column) => column.notNull())
      .addColumn('sealed_password', 'blob', (column) => column.notNull())
      .addColumn('connection_state', 'text', (column) => column.notNull())
      .addColumn('connection_error', 'text')
      .addColumn('connection', 'integer', (column) => column.notNull().defaultTo(0))
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
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
      .addColumn('custom_key_store_id', 'text', (column) => column.references('custom_key_stores.id'))
      .addColumn('rotation_period_days', 'integer')
      .addColumn('next_rotation_at', 'bigint')
      .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
      .execute();
    await db.schema.createIndex('keys_by_next_rotation').on('keys').column('next_rotation_at').execute();
    await db.schema
      .createTable('key_materials')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id').onDelete('cascade'))
      .addColumn('public_key', 'blob')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('state', 'text', (column) => column.notNull())
      .addColumn('present', 'integer', (column) => column.notNull())
      .addColumn('description', 'text')
      .addColumn('expires_at', 'bigint')
      .addColumn('rotated_at', 'bigint')
      .addColumn('rotation_type', 'text')
      .addColumn('encryptions_reserved', 'bigint', (column) => column.notNull().defaultTo(0))
      .execute();
    await db.schema.createIndex('key_materials_of_key').on('key_materials').column('key_id').execute();
    await db.schema.createIndex('key_materials_by_expiry').on('key_materials').column('expires_at').execute();
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
      .createTable('import_wrapping_keys')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('grants')
      .addColumn('id', 'text', (column) => column.primaryKey())
      .addColumn('key_id', 'text', (column) => column.notNull().references('keys.id').onDelete('cascade'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('grantee', 'text', (column) => column.notNull())
      .addColumn('grantee_is_service', 'integer', (column) => column.notNull())
      .addColumn('retiring', 'text')
      .addColumn('retiring_is_service', 'integer', (column) => column.notNull())
      .addColumn('issuing_account', 'text', (column) => column.notNull())
      .addColumn('operations', 'text', (column) => column.notNull())
      .addColumn('constraints', 'text')
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema.createIndex('grants_of_key').on('grants').columns(['key_id', 'id']).execute();
    await db.schema.createIndex('grants_of_name').on('grants').columns(['key_id', 'name']).execute();
    await db.schema.createIndex('grants_of_grantee').on('grants').columns(['key_id', 'grantee', 'id']).execute();
    await db.schema.createIndex('grants_of_retiring').on('grants').columns(['retiring', 'id']).execute();
    await db.schema
      .createTable('key_uses')
      .addColumn('key_id', 'text', (column) => column.primaryKey().references('keys.id').onDelete('cascade'))
      .addColumn('operation', 'text', (column) => column.notNull())
      .addColumn('used_at', 'bigint', (column) => column.notNull())
      .addColumn('request_id', 'text', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('leases')
      .addColumn('task', 'text', (column) => column.primaryKey())
      .addColumn('holder', 'text', (column) => column.notNull())
      .addColumn('expires_at', 'bigint', (column) => column.notNull())
      .execute();
  },
};
