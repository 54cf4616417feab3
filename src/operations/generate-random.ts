import { KmsError } from '../contract/kms-error.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

export const generateRandom = operation('GenerateRandom', {
  run(input, { kms }) {
    refuseRecipient(input);
    const { NumberOfBytes, CustomKeyStoreId } = input;
    if (CustomKeyStoreId !== undefined) {
      throw new KmsError('CustomKeyStoreNotFoundException', `Custom key store ${CustomKeyStoreId} does not exist.`);
    }
    if (NumberOfBytes === undefined) throw new KmsError('ValidationException', 'NumberOfBytes is required.');
    return { Plaintext: kms.tokens.own.token.random(NumberOfBytes) };
  },
});
