import { keyMetadata } from '../keys/key-metadata.js';
import { operation } from './operation.js';

export const describeKey = operation('DescribeKey', {
  keys: { key: { from: 'KeyId', aliases: true } },
  run(_input, { key, kms }) {
    const { capabilities } = kms.tokens.own;
    return { KeyMetadata: keyMetadata(key, kms.home, capabilities) };
  },
});
