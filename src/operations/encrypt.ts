import { KmsError } from '../contract/kms-error.js';
import type { EncryptionAlgorithm, EncryptionContext } from '../keys/algorithms/encryption.js';
import { currentMaterial, type KeyRecord } from '../keys/key-record.js';
import type { KeyToken } from '../keys/key-tokens.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';

/**
 * The encryption algorithm that a request names, checked against the key.
 *
 * @throws KmsError InvalidKeyUsageException, UnsupportedOperationException; ValidationException for an encryption
 * context with an algorithm that cannot bind it
 */
export function encryptionAlgorithmOf(
  { capabilities }: KeyToken,
  key: KeyRecord,
  name: string,
  context: EncryptionContext,
): EncryptionAlgorithm {
  const algorithm = capabilities.algorithm(key.spec, 'ENCRYPT_DECRYPT', name);
  if (!algorithm.selfDescribing && context !== undefined && Object.keys(context).length > 0) {
    throw new KmsError('ValidationException', `EncryptionContext is not supported with the algorithm ${name}.`);
  }
  return algorithm;
}

/** Encrypts under a key, within the limits of its algorithm. @throws KmsError ValidationException; TokenError */
export async function encryptUnder(
  kms: Kms,
  key: KeyRecord,
  name: string,
  plaintext: Buffer,
  context: EncryptionContext,
): Promise<Buffer> {
  const keyToken = await kms.tokens.of(key);
  const algorithm = encryptionAlgorithmOf(keyToken, key, name, context);
  if (plaintext.length > algorithm.plaintextBytes) {
    throw new KmsError(
      'ValidationException',
      `Algorithm ${name} and key spec ${key.spec} cannot encrypt data larger than ${algorithm.plaintextBytes} bytes.`,
    );
  }
  if (algorithm.selfDescribing) await kms.encryptions.take(currentMaterial(key).id);
  return algorithm.encrypt(keyToken.token, key, plaintext, context);
}

export const encrypt = operation('Encrypt', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'ENCRYPT_DECRYPT' } },
  async run({ Plaintext, EncryptionContext, EncryptionAlgorithm = 'SYMMETRIC_DEFAULT' }, { key, kms }) {
    const CiphertextBlob = await encryptUnder(kms, key, EncryptionAlgorithm, Plaintext, EncryptionContext);
    return { CiphertextBlob, KeyId: key.arn, EncryptionAlgorithm };
  },
});
