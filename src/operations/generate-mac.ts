import { timingSafeEqual } from 'node:crypto';
import { KmsError } from '../contract/kms-error.js';
import { mac } from '../keys/algorithms/mac.js';
import { operation } from './operation.js';

export const generateMac = operation('GenerateMac', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'GENERATE_VERIFY_MAC' } },
  async run({ Message, MacAlgorithm }, { key, kms }) {
    const { token, capabilities } = await kms.tokens.of(key);
    const algorithm = capabilities.algorithm(key.spec, 'GENERATE_VERIFY_MAC', MacAlgorithm);
    return { Mac: await mac(token, key, algorithm, Message), MacAlgorithm, KeyId: key.arn };
  },
});

export const verifyMac = operation('VerifyMac', {
  keys: { key: { from: 'KeyId', aliases: true, usage: 'GENERATE_VERIFY_MAC' } },
  async run({ Message, Mac, MacAlgorithm }, { key, kms }) {
    const { token, capabilities } = await kms.tokens.of(key);
    const algorithm = capabilities.algorithm(key.spec, 'GENERATE_VERIFY_MAC', MacAlgorithm);
    const expected = await mac(token, key, algorithm, Message);
    const isValid = Mac.length === expected.length && timingSafeEqual(Mac, expected);
    expected.fill(0);
    if (!isValid) throw new KmsError('KMSInvalidMacException');
    return { KeyId: key.arn, MacValid: true, MacAlgorithm };
  },
});
