import { KmsError } from '../contract/kms-error.js';
import { sign as signMessage, verify as verifySignature } from '../keys/algorithms/signing.js';
import { currentMaterial } from '../keys/key-record.js';
import { operation } from './operation.js';

export const sign = operation('Sign', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'SIGN_VERIFY' } },
  async run({ Message, MessageType = 'RAW', SigningAlgorithm }, { key, kms }) {
    const Signature = await signMessage(kms.token, {
      material: currentMaterial(key),
      algorithm: kms.capabilities.algorithm(key.spec, 'SIGN_VERIFY', SigningAlgorithm),
      name: SigningAlgorithm,
      message: Message,
      messageType: MessageType,
    });
    return { KeyId: key.arn, Signature, SigningAlgorithm };
  },
});

export const verify = operation('Verify', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'SIGN_VERIFY' } },
  run({ Message, MessageType = 'RAW', Signature, SigningAlgorithm }, { key, kms }) {
    const request = {
      material: currentMaterial(key),
      algorithm: kms.capabilities.algorithm(key.spec, 'SIGN_VERIFY', SigningAlgorithm),
      name: SigningAlgorithm,
      message: Message,
      messageType: MessageType,
    };
    if (!verifySignature(kms.token, request, Signature)) throw new KmsError('KMSInvalidSignatureException');
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm };
  },
});
