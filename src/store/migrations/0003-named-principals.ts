import type { Kysely, Migration } from 'kysely';

/** Who the principals are that key policies and grants name: a name can be given to somebody else later. */
export const namedPrincipals: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('keys').addColumn('policy_principals', 'text').execute();
    await db.schema.alterTable('grants').addColumn('principals', 'text').execute();
  },
};
