import { keyArn } from '../keys/key-reference.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

export const listKeys = operation('ListKeys', {
  async run(input, { kms }) {
    const asked = pageOf('ListKeys', input, { usual: 100, most: 1000 });
    const ids = await kms.keys.listIds(asked.after, asked.limit + 1);
    const { page, ...rest } = pageAnswer('ListKeys', asked, ids, (id) => id);
    return { Keys: page.map((id) => ({ KeyId: id, KeyArn: keyArn(kms.home, id) })), ...rest };
  },
});
