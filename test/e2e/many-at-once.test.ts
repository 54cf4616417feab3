import { createPublicKey, diffieHellman, generateKeyPairSync, type KeyObject, verify } from 'node:crypto';
import { availableParallelism } from 'node:os';
import type { KeySpec, KeyUsageType, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { offeredRows } from '../service/tested-token.js';

/** With a worker for each processor, what computes for long takes turns in it, once it was measured to. */
let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: availableParallelism() });
});
afterAll(() => service?.end());

const atOnce = 60;

async function newKey(KeySpec: KeySpec, KeyUsage: KeyUsageType): Promise<{ KeyId: string; publicKey: KeyObject }> {
  const { KeyId } = await service.newKey({ KeySpec, KeyUsage });
  const { PublicKey } = await service.kms.getPublicKey({ KeyId });
  return { KeyId, publicKey: createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' }) };
}

/** Two rounds: in the second it is known how long they take. */
async function inRounds(request: (index: number) => Promise<void>): Promise<void> {
  for (let round = 0; round < 2; round++)
    await Promise.all(Array.from({ length: atOnce }, (_, index) => request(index)));
}

const signing: [KeySpec, SigningAlgorithmSpec, 'sha256' | 'sha384' | 'sha512'][] = [
  ['RSA_2048', 'RSASSA_PKCS1_V1_5_SHA_256', 'sha256'],
  ['ECC_NIST_P384', 'ECDSA_SHA_384', 'sha384'],
  ['ECC_NIST_P521', 'ECDSA_SHA_512', 'sha512'],
];

test.each(offeredRows(signing, ([spec]) => spec))(
  'signatures of %s are each of their message, and wrong ones are told from right ones',
  async (spec, SigningAlgorithm, hash) => {
    const { KeyId, publicKey } = await newKey(spec, 'SIGN_VERIFY');
    await inRounds(async (index) => {
      const Message = Buffer.from(`message ${index}`);
      const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm });
      expect(verify(hash, Message, publicKey, Signature!)).toBe(true);
      const other = Buffer.from(`message ${index + 1}`);
      const verified = await service.kms.verify({ KeyId, Message, SigningAlgorithm, Signature });
      expect(verified.SignatureValid).toBe(true);
      const refused = await refusal(service.kms.verify({ KeyId, Message: other, SigningAlgorithm, Signature }));
      expect(refused.name).toBe('KMSInvalidSignatureException');
    });
  },
);

test('RSA ciphertexts decrypt to their own plaintexts, and what is none is refused', async () => {
  const { KeyId } = await newKey('RSA_2048', 'ENCRYPT_DECRYPT');
  const key = { KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
  await inRounds(async (index) => {
    const Plaintext = Buffer.from(`plaintext ${index}`);
    const { CiphertextBlob } = await service.kms.encrypt({ ...key, Plaintext });
    const decrypted = await service.kms.decrypt({ ...key, CiphertextBlob });
    expect(Buffer.from(decrypted.Plaintext!)).toEqual(Plaintext);
    const changed = Buffer.from(CiphertextBlob!);
    changed.writeUInt8(changed.readUInt8(100) ^ 1, 100);
    const refused = await refusal(service.kms.decrypt({ ...key, CiphertextBlob: changed }));
    expect(refused.name).toBe('InvalidCiphertextException');
  });
});

test('both sides of each agreement have the same secret', async () => {
  const { KeyId, publicKey } = await newKey('ECC_NIST_P384', 'KEY_AGREEMENT');
  await inRounds(async () => {
    const peer = generateKeyPairSync('ec', { namedCurve: 'P-384' });
    const PublicKey = peer.publicKey.export({ format: 'der', type: 'spki' });
    const { SharedSecret } = await service.kms.deriveSharedSecret({ KeyId, KeyAgreementAlgorithm: 'ECDH', PublicKey });
    expect(Buffer.from(SharedSecret!)).toEqual(diffieHellman({ privateKey: peer.privateKey, publicKey }));
  });
});
