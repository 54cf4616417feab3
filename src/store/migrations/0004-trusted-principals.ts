import type { Kysely, Migration } from 'kysely';

/** Who the principals are that trust policies of roles name: a name can be given to somebody else later. */
export const trustedPrincipals: Migration = {
  async up(db: Kysely<unknown>) {
    await db.schema.alterTable('principals').addColumn('trust_principals', 'text').execute();
  },
};
