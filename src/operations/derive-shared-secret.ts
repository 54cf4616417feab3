import { KmsError } from '../contract/kms-error.js';
import { agree } from '../keys/algorithms/key-agreement.js';
import { currentMaterial } from '../keys/key-record.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

export const deriveSharedSecret = operation('DeriveSharedSecret', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'KEY_AGREEMENT' } },
  async run(input, { key, kms }) {
    refuseRecipient(input);
    const { KeyAgreementAlgorithm, PublicKey } = input;
    const { token, capabilities } = await kms.tokens.of(key);
    const algorithm = capabilities.algorithm(key.spec, 'KEY_AGREEMENT', KeyAgreementAlgorithm);
    const SharedSecret = await agree(token, currentMaterial(key), algorithm, PublicKey);
    if (SharedSecret === undefined) throw new KmsError('ValidationException', '');
    return { KeyId: key.arn, SharedSecret, KeyAgreementAlgorithm, KeyOrigin: key.origin };
  },
});
