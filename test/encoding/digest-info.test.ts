import { constants, createHash, generateKeyPairSync, privateEncrypt, publicDecrypt, sign, verify } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import { digestInfo } from '../../src/encoding/digest-info.js';

const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
const message = Buffer.from('message');

describe.each(['sha256', 'sha384', 'sha512'] as const)('%s', (hash) => {
  const info = digestInfo(hash, createHash(hash).update(message).digest());

  test('is what OpenSSL signs', () => {
    expect(publicDecrypt(publicKey, sign(hash, message, privateKey))).toEqual(info);
  });

  test('makes a signature that OpenSSL verifies', () => {
    const signature = privateEncrypt({ key: privateKey, padding: constants.RSA_PKCS1_PADDING }, info);
    expect(verify(hash, message, publicKey, signature)).toBe(true);
  });

  test.each([0, 20, 31, 33, 47, 49, 63, 65])('refuses a digest of %i bytes', (length) => {
    expect(() => digestInfo(hash, Buffer.alloc(length))).toThrow(RangeError);
  });
});
