import type { DataKeyPairSpec } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { EncryptionContext } from '../keys/algorithms/encryption.js';
import type { KeyRecord } from '../keys/key-record.js';
import { keySpecs, type SupportedUsage } from '../keys/key-specs.js';
import { encryptionAlgorithmOf, encryptUnder } from './encrypt.js';
import { refuseInKeyStore } from './keys-in-key-stores.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

interface DataKeyPairInput {
  KeyPairSpec: DataKeyPairSpec;
  EncryptionContext?: EncryptionContext;
}

/** A key pair made in the token as session objects, in the encodings of KMS. @throws KmsError; TokenError */
async function dataKeyPair(kms: Kms, key: KeyRecord, { KeyPairSpec, EncryptionContext }: DataKeyPairInput) {
  const row = keySpecs[KeyPairSpec];
  if (row.kind !== 'pair' || !row.dataKeyPair) {
    const reason = row.kind === 'unsupported' ? row.reason : 'It has no key pairs.';
    throw new KmsError('UnsupportedOperationException', `KeyPairSpec ${KeyPairSpec} is not supported. ${reason}`);
  }
  refuseInKeyStore(key);
  const keyToken = await kms.tokens.of(key);
  encryptionAlgorithmOf(keyToken, key, 'SYMMETRIC_DEFAULT', EncryptionContext);
  const usages = Object.keys(row.usages) as SupportedUsage[];
  if (usages.every((usage) => keyToken.capabilities.offered(KeyPairSpec, usage).length === 0)) {
    throw new KmsError('UnsupportedOperationException', `The token does not offer ${KeyPairSpec} key pairs.`);
  }
  const { publicValue, privateValue } = await keyToken.token.generateDisclosedKeyPair(row.generate);
  const PrivateKeyPlaintext = row.encodePrivate(publicValue, privateValue);
  for (const value of Object.values(privateValue)) if (Buffer.isBuffer(value)) value.fill(0);
  return {
    PrivateKeyCiphertextBlob: await encryptUnder(kms, key, 'SYMMETRIC_DEFAULT', PrivateKeyPlaintext, EncryptionContext),
    PrivateKeyPlaintext,
    PublicKey: row.encodePublic(publicValue),
    KeyId: key.arn,
    KeyPairSpec,
    KeyMaterialId: key.currentMaterial?.id,
  };
}

export const generateDataKeyPair = operation('GenerateDataKeyPair', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'ENCRYPT_DECRYPT' } },
  run(input, { key, kms }) {
    refuseRecipient(input);
    return dataKeyPair(kms, key, input);
  },
});

export const generateDataKeyPairWithoutPlaintext = operation('GenerateDataKeyPairWithoutPlaintext', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'ENCRYPT_DECRYPT' } },
  async run(input, { key, kms }) {
    const { PrivateKeyPlaintext, ...rest } = await dataKeyPair(kms, key, input);
    PrivateKeyPlaintext.fill(0);
    return rest;
  },
});
