import type { Tag } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { ChangedRecord } from '../store/seal/change.js';

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
export async function putTags(key: ChangedRecord<'keys'>, tags: ReadonlyMap<string, string>): Promise<void> {
  for (const [tagKey, tagValue] of tags) {
    await key.put('tags', { key_id: key.row.id, tag_key: tagKey, tag_value: tagValue });
  }
}

/** Deletes tags of a key. @param tagKeys those that it does not have are left out */
export async function deleteTags(key: ChangedRecord<'keys'>, tagKeys: readonly string[]): Promise<void> {
  for (const tagKey of tagKeys) await key.remove('tags', { tag_key: tagKey });
}
