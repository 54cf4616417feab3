import type { CustomerMasterKeySpec } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import { algorithmList } from '../keys/key-metadata.js';
import { currentMaterial } from '../keys/key-record.js';
import { operation } from './operation.js';

export const getPublicKey = operation('GetPublicKey', {
  keys: { key: { from: 'KeyId', aliases: true } },
  run(_input, { key, kms }) {
    const { publicKey } = currentMaterial(key);
    if (publicKey === undefined) {
      throw new KmsError(
        'UnsupportedOperationException',
        `${key.arn} key spec is ${key.spec} which is not valid for GetPublicKey.`,
      );
    }
    const { capabilities } = kms.tokens.own;
    return {
      KeyId: key.arn,
      PublicKey: publicKey,
      CustomerMasterKeySpec: key.spec as CustomerMasterKeySpec,
      KeySpec: key.spec,
      KeyUsage: key.usage,
      ...algorithmList(key, capabilities),
    };
  },
});
