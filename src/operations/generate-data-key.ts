import { KmsError } from '../contract/kms-error.js';
import type { EncryptionContext } from '../keys/algorithms/encryption.js';
import type { KeyRecord } from '../keys/key-record.js';
import { encryptUnder } from './encrypt.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

/** Length of the data key of each spec, in bytes. */
const dataKeyBytes = { AES_256: 32, AES_128: 16 } as const;

interface DataKeyInput {
  KeySpec?: keyof typeof dataKeyBytes | undefined;
  NumberOfBytes?: number | undefined;
  EncryptionContext?: EncryptionContext;
}

/** A random data key from the token, in plaintext and encrypted under a key. @throws KmsError ValidationException */
async function dataKey(kms: Kms, key: KeyRecord, { KeySpec, NumberOfBytes, EncryptionContext }: DataKeyInput) {
  if ((KeySpec === undefined) === (NumberOfBytes === undefined)) {
    throw new KmsError('ValidationException', 'Please specify either number of bytes or key spec.');
  }
  const Plaintext = (await kms.tokens.of(key)).token.random(
    KeySpec === undefined ? (NumberOfBytes as number) : dataKeyBytes[KeySpec],
  );
  const CiphertextBlob = await encryptUnder(kms, key, 'SYMMETRIC_DEFAULT', Plaintext, EncryptionContext);
  return { CiphertextBlob, Plaintext, KeyId: key.arn, KeyMaterialId: key.currentMaterial?.id };
}

export const generateDataKey = operation('GenerateDataKey', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'ENCRYPT_DECRYPT' } },
  run(input, { key, kms }) {
    refuseRecipient(input);
    return dataKey(kms, key, input);
  },
});

export const generateDataKeyWithoutPlaintext = operation('GenerateDataKeyWithoutPlaintext', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'ENCRYPT_DECRYPT' } },
  async run(input, { key, kms }) {
    const { Plaintext, ...rest } = await dataKey(kms, key, input);
    Plaintext.fill(0);
    return rest;
  },
});
