import { KmsError } from '../contract/kms-error.js';
import { sign as signMessage, verify as verifySignature } from '../keys/algorithms/signing.js';
import { currentMaterial } from '../keys/key-record.js';
import { operation } from './operation.js';

export const sign = operation('Sign', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'SIGN_VERIFY' } },
  async run({ Message, MessageType = 'RAW', SigningAlgorithm }, { key, kms }) {
    const { token, capabilities } = await kms.tokens.of(key);
    const Signature = await signMessage(token, {
      material: currentMaterial(key),
      algorithm: capabilities.algorithm(key.spec, 'SIGN_VERIFY', SigningAlgorithm),
      name: SigningAlgorithm,
      message: Message,
      messageType: MessageType,
    });
    return { KeyId: key.arn, Signature, SigningAlgorithm };
  },
});

export const verify = operation('Verify', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'SIGN_VERIFY' } },
  async run({ Message, MessageType = 'RAW', Signature, SigningAlgorithm }, { key, kms }) {
    const { token, capabilities } = await kms.tokens.of(key);
    const request = {
      material: currentMaterial(key),
      algorithm: capabilities.algorithm(key.spec, 'SIGN_VERIFY', SigningAlgorithm),
      name: SigningAlgorithm,
      message: Message,
      messageType: MessageType,
    };
    const isValid = await verifySignature(token, request, Signature);
    if (!isValid) throw new KmsError('KMSInvalidSignatureException');
    return { KeyId: key.arn, SignatureValid: true, SigningAlgorithm };
  },
});
