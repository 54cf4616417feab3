import type { Tag } from '@aws-sdk/client-kms';
import type { Transaction } from 'kysely';
import { KmsError } from '../contract/kms-error.js';
import type { Schema } from '../store/schema.js';

const mostTags = 50;
const reservedPrefix = 'aws:';
const noTags: ReadonlyMap<string, string> = new Map();

/**
 * The tags that a request brings, checked together with those that the key has already (contract A.11).
 *
 * @returns the request's tags: key -> value
 * @throws KmsError TagException
 */
export function checkedTags(tags: readonly Tag[], existing = noTags): Map<string, string> {
  const checked = new Map(tags.map(({ TagKey, TagValue }) => [TagKey as string, TagValue as string]));
  if (checked.size < tags.length) throw new KmsError('TagException', 'Duplicate tag keys');
  if (new Set([...existing.keys(), ...checked.keys()]).size > mostTags) {
    throw new KmsError('TagException', 'Too many tags');
  }
  for (const key of checked.keys()) {
    if (key.toLowerCase().startsWith(reservedPrefix)) {
      throw new KmsError('TagException', 'Tags beginning with aws: are reserved');
    }
  }
  return checked;
}

/** Writes tags of a key: new ones, and new values of those that exist. */
export async function putTags(
  transaction: Transaction<Schema>,
  keyId: string,
  tags: ReadonlyMap<string, string>,
): Promise<void> {
  for (const [tagKey, tagValue] of tags) {
    await transaction
      .insertInto('tags')
      .values({ key_id: keyId, tag_key: tagKey, tag_value: tagValue })
      .onConflict((conflict) => conflict.columns(['key_id', 'tag_key']).doUpdateSet({ tag_value: tagValue }))
      .execute();
  }
}

/** Deletes tags of a key. @param tagKeys those that it has: not more than a key may have */
export async function deleteTags(
  transaction: Transaction<Schema>,
  keyId: string,
  tagKeys: readonly string[],
): Promise<void> {
  await transaction.deleteFrom('tags').where('key_id', '=', keyId).where('tag_key', 'in', tagKeys).execute();
}
