import type { Migration } from 'kysely';
import { firstSchema } from './0001-first-schema.js';
import { identities } from './0002-identities.js';
import { namedPrincipals } from './0003-named-principals.js';
import { trustedPrincipals } from './0004-trusted-principals.js';
import { storeRevision } from './0005-store-revision.js';
import { seals } from './0006-seals.js';
import { storeChanges } from './0007-store-changes.js';

/** In the order of their names; a migration that has landed is never changed. */
export const migrations: Record<string, Migration> = {
  '0001-first-schema': firstSchema,
  '0002-identities': identities,
  '0003-named-principals': namedPrincipals,
  '0004-trusted-principals': trustedPrincipals,
  '0005-store-revision': storeRevision,
  '0006-seals': seals,
  '0007-store-changes': storeChanges,
};
