import type { Kysely } from 'kysely';
import type { Schema } from '../../store/schema.js';
import type { Change } from '../../store/seal/change.js';

/** Where identities are managed: what a change of the store can do with records. */
export type IamPlace = { readonly db: Kysely<Schema> } & Pick<Change, 'find' | 'insert' | 'delete'>;

/** For who changes nothing, and shows what is there without the token, whoever wrote it. */
export function onlyLooking(db: Kysely<Schema>): IamPlace {
  const refuse = async () => {
    throw new Error('identities are changed in a change of the store only');
  };
  return { db, find: refuse, insert: refuse, delete: refuse };
}
