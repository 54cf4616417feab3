import {
  constants,
  createHmac,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  privateDecrypt,
  randomBytes,
  sign,
  verify,
} from 'node:crypto';
import type {
  AlgorithmSpec,
  EncryptionAlgorithmSpec,
  KeySpec,
  KeyUsageType,
  MacAlgorithmSpec,
  SigningAlgorithmSpec,
  WrappingKeySpec,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importInto, newPair, pkcs8, spki } from '../service/byok.js';
import { Service } from '../service/service.js';
import { offeredRows } from '../service/tested-token.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service.end());

const newKey = (KeySpec: KeySpec, KeyUsage: KeyUsageType) => service.newKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' });

const direct: AlgorithmSpec[] = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'];
const hybrid: AlgorithmSpec[] = ['RSA_AES_KEY_WRAP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'];
describe('a symmetric encryption key', () => {
  test.each([
    ['RSA_2048', 'RSAES_OAEP_SHA_1'],
    ['RSA_3072', 'RSAES_OAEP_SHA_256'],
  ] as [WrappingKeySpec, AlgorithmSpec][])(
    'is imported under %s with %s, and encrypts',
    async (wrappingKeySpec, algorithm) => {
      const { KeyId, Arn } = await newKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
      const imported = await importInto(service, KeyId, randomBytes(32), { algorithm, wrappingKeySpec });
      expect(imported).toMatchObject({ KeyId: Arn, KeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) });
      const { KeyMetadata } = await service.kms.describeKey({ KeyId });
      expect(KeyMetadata).toMatchObject({
        KeyState: 'Enabled',
        Enabled: true,
        Origin: 'EXTERNAL',
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
        CurrentKeyMaterialId: imported.KeyMaterialId,
      });
      const Plaintext = randomBytes(100);
      const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext, EncryptionContext: { a: 'b' } });
      const decrypted = await service.kms.decrypt({ CiphertextBlob, EncryptionContext: { a: 'b' } });
      expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext);
      expect(decrypted.KeyMaterialId).toBe(imported.KeyMaterialId);
    },
  );

  test('has the same id for the same material, and another one in another key', async () => {
    const material = randomBytes(32);
    const [one, other] = [
      await newKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
      await newKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT'),
    ];
    const first = await importInto(service, one.KeyId, material);
    const again = await importInto(service, one.KeyId, material, { algorithm: 'RSAES_OAEP_SHA_1' });
    const elsewhere = await importInto(service, other.KeyId, material);
    expect(again.KeyMaterialId).toBe(first.KeyMaterialId);
    expect(elsewhere.KeyMaterialId).not.toBe(first.KeyMaterialId);
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId: one.KeyId, Plaintext: Buffer.from('x') });
    await expect(service.kms.decrypt({ KeyId: other.KeyId, CiphertextBlob })).rejects.toMatchObject({
      name: 'IncorrectKeyException',
    });
  });
});

const macs: [KeySpec, MacAlgorithmSpec, string, number, AlgorithmSpec][] = [
  ['HMAC_224', 'HMAC_SHA_224', 'sha224', 28, 'RSAES_OAEP_SHA_1'],
  ['HMAC_256', 'HMAC_SHA_256', 'sha256', 64, 'RSAES_OAEP_SHA_256'],
  ['HMAC_384', 'HMAC_SHA_384', 'sha384', 48, 'RSAES_OAEP_SHA_256'],
  ['HMAC_512', 'HMAC_SHA_512', 'sha512', 128, 'RSAES_OAEP_SHA_1'],
];
test.each(macs)(
  'an %s key gives the MACs that it gives outside',
  async (spec, MacAlgorithm, hash, bytes, algorithm) => {
    const { KeyId } = await newKey(spec, 'GENERATE_VERIFY_MAC');
    const material = randomBytes(bytes);
    const imported = await importInto(service, KeyId, material, { algorithm });
    expect(imported.KeyMaterialId).toBeUndefined();
    const Message = randomBytes(50);
    const { Mac } = await service.kms.generateMac({ KeyId, Message, MacAlgorithm });
    expect(Buffer.from(Mac!)).toEqual(createHmac(hash, material).update(Message).digest());
  },
);

/** Each spec under each kind of wrapping, the kinds of keys under all four. */
const signatures: [KeySpec, SigningAlgorithmSpec, string | null, AlgorithmSpec[]][] = [
  ['ECC_NIST_P256', 'ECDSA_SHA_256', 'sha256', [...direct, ...hybrid]],
  ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384', ['RSAES_OAEP_SHA_256', 'RSA_AES_KEY_WRAP_SHA_1']],
  ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512', ['RSAES_OAEP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256']],
  ['ECC_SECG_P256K1', 'ECDSA_SHA_256', 'sha256', ['RSAES_OAEP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256']],
  ['ECC_NIST_EDWARDS25519', 'ED25519_SHA_512', null, [...direct, ...hybrid]],
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256', hybrid],
  ['RSA_3072', 'RSASSA_PKCS1_V1_5_SHA_384', 'sha384', ['RSA_AES_KEY_WRAP_SHA_1']],
  ['RSA_4096', 'RSASSA_PKCS1_V1_5_SHA_512', 'sha512', ['RSA_AES_KEY_WRAP_SHA_256']],
];
describe.each(offeredRows(signatures, ([spec]) => spec))(
  'an %s signing key',
  (spec, SigningAlgorithm, hash, algorithms) => {
    test.each(algorithms)('is imported with %s, and signs as it does outside', async (algorithm) => {
      const { KeyId } = await newKey(spec, 'SIGN_VERIFY');
      const { publicKey, privateKey } = newPair(spec);
      const needsMore = spec === 'ECC_NIST_P521' && !algorithm.startsWith('RSA_AES');
      await importInto(service, KeyId, pkcs8(privateKey), {
        algorithm,
        wrappingKeySpec: needsMore ? 'RSA_3072' : 'RSA_2048',
      });
      const { PublicKey } = await service.kms.getPublicKey({ KeyId });
      expect(Buffer.from(PublicKey!)).toEqual(spki(publicKey));
      const Message = randomBytes(70);
      const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm });
      expect(verify(hash, Message, publicKey, Signature!)).toBe(true);
      const outside = sign(hash, Message, privateKey);
      const verified = await service.kms.verify({ KeyId, Message, Signature: outside, SigningAlgorithm });
      expect(verified.SignatureValid).toBe(true);
    });
  },
);

test.each(['RSA_AES_KEY_WRAP_SHA_1'] as AlgorithmSpec[])(
  'an RSA encryption key is imported with %s, and decrypts what is encrypted outside',
  async (algorithm) => {
    const { KeyId } = await newKey('RSA_2048', 'ENCRYPT_DECRYPT');
    const { privateKey } = newPair('RSA_2048');
    await importInto(service, KeyId, pkcs8(privateKey), { algorithm });
    const padding = constants.RSA_PKCS1_OAEP_PADDING;
    for (const [EncryptionAlgorithm, oaepHash] of [
      ['RSAES_OAEP_SHA_1', 'sha1'],
      ['RSAES_OAEP_SHA_256', 'sha256'],
    ] as [EncryptionAlgorithmSpec, string][]) {
      const Plaintext = randomBytes(60);
      const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm });
      expect(privateDecrypt({ key: privateKey, padding, oaepHash }, CiphertextBlob!)).toEqual(Plaintext);
      const decrypted = await service.kms.decrypt({ KeyId, CiphertextBlob, EncryptionAlgorithm });
      expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext);
    }
  },
);

test.each(['RSAES_OAEP_SHA_1', 'RSA_AES_KEY_WRAP_SHA_256'] as AlgorithmSpec[])(
  'a key agreement key is imported with %s, and agrees',
  async (algorithm) => {
    const { KeyId } = await newKey('ECC_NIST_P384', 'KEY_AGREEMENT');
    const { publicKey, privateKey } = newPair('ECC_NIST_P384');
    await importInto(service, KeyId, pkcs8(privateKey), { algorithm });
    const { PublicKey } = await service.kms.getPublicKey({ KeyId });
    expect(createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' }).equals(publicKey)).toBe(true);
    const peer = generateKeyPairSync('ec', { namedCurve: 'secp384r1' });
    const { SharedSecret } = await service.kms.deriveSharedSecret({
      KeyId,
      KeyAgreementAlgorithm: 'ECDH',
      PublicKey: spki(peer.publicKey),
    });
    expect(Buffer.from(SharedSecret!)).toEqual(diffieHellman({ privateKey, publicKey: peer.publicKey }));
  },
);

test('a wrapping key of 4096 bits takes a P-521 key directly', async () => {
  const { KeyId } = await newKey('ECC_NIST_P521', 'SIGN_VERIFY');
  const { publicKey, privateKey } = newPair('ECC_NIST_P521');
  await importInto(service, KeyId, pkcs8(privateKey), { wrappingKeySpec: 'RSA_4096' });
  const { PublicKey } = await service.kms.getPublicKey({ KeyId });
  expect(Buffer.from(PublicKey!)).toEqual(spki(publicKey));
});
