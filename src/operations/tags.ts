import { checkedTags, deleteTags, putTags } from '../keys/tags.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

export const tagResource = operation('TagResource', {
  keys: { key: { from: 'KeyId' } },
  async run({ Tags }, { key, kms }) {
    const tags = checkedTags(Tags, key.tags);
    if (tags.size > 0) await kms.keys.change(key, {}, (record) => putTags(record, tags));
    return undefined;
  },
});

/** A tag that the key does not have is no error. */
export const untagResource = operation('UntagResource', {
  keys: { key: { from: 'KeyId' } },
  async run({ TagKeys }, { key, kms }) {
    const present = [...new Set(TagKeys)].filter((tagKey) => key.tags.has(tagKey));
    if (present.length > 0) await kms.keys.change(key, {}, (record) => deleteTags(record, present));
    return undefined;
  },
});

export const listResourceTags = operation('ListResourceTags', {
  keys: { key: { from: 'KeyId' } },
  run(input, { key }) {
    const asked = pageOf('ListResourceTags', input, { usual: 50, most: 50 });
    const tagKeys = [...key.tags.keys()].sort().filter((tagKey) => tagKey > asked.after);
    const { page, ...rest } = pageAnswer('ListResourceTags', asked, tagKeys, (tagKey) => tagKey);
    return { Tags: page.map((TagKey) => ({ TagKey, TagValue: key.tags.get(TagKey) })), ...rest };
  },
});
