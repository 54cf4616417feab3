import { checkKeyUsage } from '../keys/key-usage.js';
import { decryptUnder, ignoresCiphertext, keyOfCiphertext } from './decrypt.js';
import { encryptUnder } from './encrypt.js';
import { operation } from './operation.js';

export const reEncrypt = operation('ReEncrypt', {
  keys: {
    source: {
      from: 'SourceKeyId',
      aliases: true,
      otherwise: ({ CiphertextBlob, SourceEncryptionAlgorithm = 'SYMMETRIC_DEFAULT' }, kms) =>
        keyOfCiphertext(kms, { ciphertext: CiphertextBlob, context: undefined, algorithm: SourceEncryptionAlgorithm }),
      action: 'ReEncryptFrom',
    },
    destination: {
      from: 'DestinationKeyId',
      aliases: true,
      usage: 'ENCRYPT_DECRYPT',
      action: 'ReEncryptTo',
    },
  },
  async run(input, { source, destination, kms }) {
    const { SourceEncryptionAlgorithm = 'SYMMETRIC_DEFAULT', DestinationEncryptionAlgorithm = 'SYMMETRIC_DEFAULT' } =
      input;
    if (ignoresCiphertext(input, input.SourceKeyId)) {
      checkKeyUsage(source, 'ENCRYPT_DECRYPT', 'ReEncryptFrom');
      return { SourceKeyId: source.arn, KeyId: destination.arn };
    }
    const { plaintext, material } = await decryptUnder(kms, source, 'ReEncryptFrom', {
      ciphertext: input.CiphertextBlob,
      context: input.SourceEncryptionContext,
      algorithm: SourceEncryptionAlgorithm,
    });
    try {
      const CiphertextBlob = await encryptUnder(
        kms,
        destination,
        DestinationEncryptionAlgorithm,
        plaintext,
        input.DestinationEncryptionContext,
      );
      return {
        CiphertextBlob,
        SourceKeyId: source.arn,
        KeyId: destination.arn,
        SourceEncryptionAlgorithm,
        DestinationEncryptionAlgorithm,
        ...(source.spec === 'SYMMETRIC_DEFAULT' && { SourceKeyMaterialId: material.id }),
        ...(destination.spec === 'SYMMETRIC_DEFAULT' && { DestinationKeyMaterialId: destination.currentMaterial?.id }),
      };
    } finally {
      plaintext.fill(0);
    }
  },
});
