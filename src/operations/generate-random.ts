import { KmsError } from '../contract/kms-error.js';
import { operation } from './operation.js';
import { refuseRecipient } from './recipient.js';

export const generateRandom = operation('GenerateRandom', {
  async run(input, { kms }) {
    refuseRecipient(input);
    const { NumberOfBytes, CustomKeyStoreId } = input;
    if (NumberOfBytes === undefined) throw new KmsError('ValidationException', 'NumberOfBytes is required.');
    const { own, keyStores } = kms.tokens;
    const { token } = CustomKeyStoreId === undefined ? own : await keyStores.of(CustomKeyStoreId);
    return { Plaintext: token.random(NumberOfBytes) };
  },
});
