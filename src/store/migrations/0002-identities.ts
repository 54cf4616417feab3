import type { Kysely, Migration } from 'kysely';

interface Before {
  principals: { arn: string; administrator: 0 | 1 };
}

interface After {
  principals: { arn: string; path: string; name: string; folded_name: string };
  attached_policies: { principal_arn: string; policy_arn: string };
}

const administratorAccess = 'arn:aws:iam::aws:policy/AdministratorAccess';

/**
 * Users and roles with all that IAM says of them. Administrators become users with the managed policy
 * AdministratorAccess. Columns are added and not tables replaced: access keys refer to principals.
 */
export const identities: Migration = {
  async up(db: Kysely<Before & After>): Promise<void> {
    const columns = db.schema
      .alterTable('principals')
      .addColumn('kind', 'text', (column) => column.notNull().defaultTo('user'));
    await columns.execute();
    for (const name of ['path', 'name', 'folded_name'] as const) {
      await db.schema
        .alterTable('principals')
        .addColumn(name, 'text', (column) => column.notNull().defaultTo(''))
        .execute();
    }
    for (const name of ['description', 'trust_policy', 'permissions_boundary'] as const) {
      await db.schema.alterTable('principals').addColumn(name, 'text').execute();
    }
    await db.schema.alterTable('principals').addColumn('max_session_seconds', 'integer').execute();
    await db.schema
      .createTable('principal_tags')
      .addColumn('principal_arn', 'text', (column) => column.notNull().references('principals.arn').onDelete('cascade'))
      .addColumn('tag_key', 'text', (column) => column.notNull())
      .addColumn('tag_value', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('principal_tags_primary_key', ['principal_arn', 'tag_key'])
      .execute();
    await db.schema
      .createTable('inline_policies')
      .addColumn('principal_arn', 'text', (column) => column.notNull().references('principals.arn').onDelete('cascade'))
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('document', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('inline_policies_primary_key', ['principal_arn', 'name'])
      .execute();
    await db.schema
      .createTable('managed_policies')
      .addColumn('arn', 'text', (column) => column.primaryKey())
      .addColumn('unique_id', 'text', (column) => column.notNull().unique())
      .addColumn('path', 'text', (column) => column.notNull())
      .addColumn('name', 'text', (column) => column.notNull())
      .addColumn('folded_name', 'text', (column) => column.notNull().unique())
      .addColumn('description', 'text')
      .addColumn('document', 'text', (column) => column.notNull())
      .addColumn('version', 'integer', (column) => column.notNull().defaultTo(1))
      .addColumn('created_at', 'bigint', (column) => column.notNull())
      .addColumn('updated_at', 'bigint', (column) => column.notNull())
      .execute();
    await db.schema
      .createTable('attached_policies')
      .addColumn('principal_arn', 'text', (column) => column.notNull().references('principals.arn').onDelete('cascade'))
      .addColumn('policy_arn', 'text', (column) => column.notNull())
      .addPrimaryKeyConstraint('attached_policies_primary_key', ['principal_arn', 'policy_arn'])
      .execute();
    await db.schema.createIndex('attached_policies_of_policy').on('attached_policies').column('policy_arn').execute();
    await db.schema.alterTable('access_keys').addColumn('last_used_at', 'bigint').execute();
    await db.schema.alterTable('access_keys').addColumn('last_used_service', 'text').execute();
    await db.schema.alterTable('access_keys').addColumn('last_used_region', 'text').execute();
    await db.schema.createIndex('access_keys_of_principal').on('access_keys').column('principal_arn').execute();

    for (const { arn, administrator } of await db.selectFrom('principals').select(['arn', 'administrator']).execute()) {
      const [, path = '/', name = arn] = /:user(\/(?:.*\/)?)([^/]*)$/.exec(arn) ?? [];
      const names = { path, name, folded_name: name.toLowerCase() };
      await db.updateTable('principals').set(names).where('arn', '=', arn).execute();
      if (!administrator) continue;
      await db
        .insertInto('attached_policies')
        .values({ principal_arn: arn, policy_arn: administratorAccess })
        .execute();
    }
    await db.schema.alterTable('principals').dropColumn('administrator').execute();
    await db.schema
      .createIndex('principals_by_name')
      .on('principals')
      .columns(['kind', 'folded_name'])
      .unique()
      .execute();
  },
};
