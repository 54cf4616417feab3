import { operation } from './operation.js';

export const updateKeyDescription = operation('UpdateKeyDescription', {
  keys: { key: { from: 'KeyId' } },
  async run({ Description }, { key, kms }) {
    await kms.keys.change(key, { description: Description });
    return undefined;
  },
});
