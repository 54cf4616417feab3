import { KmsError } from '../contract/kms-error.js';
import { parse } from '../encoding/ciphertext-blob.js';
import type { Decrypted, EncryptionContext } from '../keys/algorithms/encryption.js';
import type { KeyRecord } from '../keys/key-record.js';
import { checkKeyUsage } from '../keys/key-usage.js';
import { encryptionAlgorithmOf } from './encrypt.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

/** A ciphertext, and all that is needed to open it. */
export interface CiphertextInput {
  readonly ciphertext: Buffer | undefined;
  readonly context: EncryptionContext;
  readonly algorithm: string;
}

/**
 * The key that a symmetric ciphertext names in itself.
 *
 * @throws KmsError ValidationException when there is no ciphertext; InvalidCiphertextException when it names no key;
 * AccessDeniedException when it names one that is not here, as AWS has it
 */
export async function keyOfCiphertext(kms: Kms, { ciphertext, algorithm }: CiphertextInput): Promise<KeyRecord> {
  if (algorithm !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError('ValidationException', `The KeyId parameter is required with the algorithm ${algorithm}.`);
  }
  if (ciphertext === undefined) throw new KmsError('ValidationException', 'CiphertextBlob is required.');
  const blob = parse(ciphertext);
  if (blob === undefined) throw new KmsError('InvalidCiphertextException');
  const key = await kms.keys.find(blob.keyId);
  if (key === undefined) {
    throw new KmsError(
      'AccessDeniedException',
      'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    );
  }
  return key;
}

/**
 * Opens a ciphertext with a key.
 *
 * @param use what the key is used for, in messages: Decrypt, ReEncryptFrom
 * @throws KmsError IncorrectKeyException when it names another key; InvalidCiphertextException for everything else that
 * may be wrong with it
 */
export async function decryptUnder(kms: Kms, key: KeyRecord, use: string, input: CiphertextInput): Promise<Decrypted> {
  const { ciphertext, context, algorithm: name } = input;
  if (ciphertext === undefined) {
    throw new KmsError('ValidationException', 'CiphertextBlob is required.');
  }
  const named = parse(ciphertext)?.keyId;
  if (named !== undefined && named !== key.id && (await kms.keys.find(named))) {
    throw new KmsError(
      'IncorrectKeyException',
      'The key ID in the request does not identify a CMK that can perform this operation.',
    );
  }
  // a ciphertext of another key is told first, whatever the key in the request is for (contract A.7)
  checkKeyUsage(key, 'ENCRYPT_DECRYPT', use);
  const keyToken = await kms.tokens.of(key);
  const algorithm = encryptionAlgorithmOf(keyToken, key, name, context);
  const decrypted = await algorithm.decrypt(keyToken.token, key, ciphertext, context);
  if (decrypted === undefined) throw new KmsError('InvalidCiphertextException');
  return decrypted;
}

/**
 * DryRunModifiers: IGNORE_CIPHERTEXT makes a dry run of Decrypt and ReEncrypt look at authorization only.
 *
 * @returns true when the ciphertext is not to be looked at
 * @throws KmsError ValidationException when the request does not fit together
 */
export function ignoresCiphertext(
  input: { DryRun?: boolean | undefined; DryRunModifiers?: string[] | undefined },
  keyId: string | undefined,
): boolean {
  if (!input.DryRunModifiers?.includes('IGNORE_CIPHERTEXT')) return false;
  if (!input.DryRun) throw new KmsError('ValidationException', 'DryRunModifiers can be used only with DryRun.');
  if (keyId === undefined) {
    throw new KmsError('ValidationException', 'A key id is required with the DryRunModifier IGNORE_CIPHERTEXT.');
  }
  return true;
}

export const decrypt = operation('Decrypt', {
  keys: {
    key: {
      from: 'KeyId',
      aliases: true,
      otherwise: ({ CiphertextBlob, EncryptionAlgorithm = 'SYMMETRIC_DEFAULT' }, kms) =>
        keyOfCiphertext(kms, { ciphertext: CiphertextBlob, context: undefined, algorithm: EncryptionAlgorithm }),
    },
  },
  async run(input, { key, kms }) {
    refuseRecipient(input);
    const { CiphertextBlob, EncryptionContext, EncryptionAlgorithm = 'SYMMETRIC_DEFAULT' } = input;
    if (ignoresCiphertext(input, input.KeyId)) {
      checkKeyUsage(key, 'ENCRYPT_DECRYPT', 'Decrypt');
      return { KeyId: key.arn };
    }
    const { plaintext, material } = await decryptUnder(kms, key, 'Decrypt', {
      ciphertext: CiphertextBlob,
      context: EncryptionContext,
      algorithm: EncryptionAlgorithm,
    });
    return {
      KeyId: key.arn,
      Plaintext: plaintext,
      EncryptionAlgorithm,
      ...(key.spec === 'SYMMETRIC_DEFAULT' && { KeyMaterialId: material.id }),
    };
  },
});
