import { createECDH, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import type { KeySpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const curves: [KeySpec, string, number][] = [
  ['ECC_NIST_P256', 'P-256', 32],
  ['ECC_NIST_P384', 'P-384', 48],
  ['ECC_NIST_P521', 'P-521', 66],
];
const spki = { format: 'der', type: 'spki' } as const;
const KeyAgreementAlgorithm = 'ECDH';
const newPeer = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve });

describe.each(curves)('%s', (KeySpec, namedCurve, fieldBytes) => {
  let KeyId: string;
  let arn: string;
  let publicKey: Buffer;
  beforeAll(async () => {
    ({ KeyId, Arn: arn } = await service.newKey({ KeySpec, KeyUsage: 'KEY_AGREEMENT' }));
    const answer = await service.kms.getPublicKey({ KeyId });
    expect(answer).toMatchObject({ KeyUsage: 'KEY_AGREEMENT', KeyAgreementAlgorithms: ['ECDH'] });
    publicKey = Buffer.from(answer.PublicKey!);
  });
  const derive = (PublicKey: Buffer) => service.kms.deriveSharedSecret({ KeyId, KeyAgreementAlgorithm, PublicKey });

  test("derives the secret that the peer derives, as long as the curve's field", async () => {
    for (let round = 0; round < 8; round++) {
      const peer = newPeer(namedCurve);
      const { $metadata: _, SharedSecret, ...rest } = await derive(peer.publicKey.export(spki));
      const theirs = diffieHellman({
        privateKey: peer.privateKey,
        publicKey: createPublicKey({ key: publicKey, ...spki }),
      });
      expect(Buffer.from(SharedSecret!).equals(theirs)).toBe(true);
      expect(SharedSecret).toHaveLength(fieldBytes);
      expect(rest).toEqual({ KeyId: arn, KeyAgreementAlgorithm, KeyOrigin: 'AWS_KMS' });
    }
  });

  test('agrees with a second key of the service, from either side', async () => {
    const other = await service.newKey({ KeySpec, KeyUsage: 'KEY_AGREEMENT' });
    const { PublicKey } = await service.kms.getPublicKey({ KeyId: other.KeyId });
    const mine = await derive(Buffer.from(PublicKey!));
    const theirs = await service.kms.deriveSharedSecret({
      KeyId: other.KeyId,
      KeyAgreementAlgorithm,
      PublicKey: publicKey,
    });
    expect(mine.SharedSecret).toEqual(theirs.SharedSecret);
  });

  const flippedLastByte = (der: Buffer) => {
    const changed = Buffer.from(der);
    changed[changed.length - 1]! ^= 1;
    return changed;
  };
  const peerDer = () => newPeer(namedCurve).publicKey.export(spki);
  const compressed = () => {
    const der = peerDer();
    const point = createECDH({ 'P-256': 'prime256v1', 'P-384': 'secp384r1', 'P-521': 'secp521r1' }[namedCurve]!);
    point.generateKeys();
    return Buffer.concat([der.subarray(0, der.length - 2 * fieldBytes - 1), point.getPublicKey(null, 'compressed')]);
  };
  test.each<[string, () => Buffer]>([
    ['a key on another curve', () => newPeer(namedCurve === 'P-256' ? 'P-384' : 'P-256').publicKey.export(spki)],
    ['a secp256k1 key', () => newPeer('secp256k1').publicKey.export(spki)],
    ['a point that is not on the curve', () => flippedLastByte(peerDer())],
    ['the point at infinity', () => Buffer.concat([peerDer().subarray(0, -2 * fieldBytes - 1), Buffer.alloc(1)])],
    [
      'coordinates of zero',
      () => Buffer.concat([peerDer().subarray(0, -2 * fieldBytes), Buffer.alloc(2 * fieldBytes)]),
    ],
    ['a point that is cut short', () => peerDer().subarray(0, -1)],
    ['bytes after the key', () => Buffer.concat([peerDer(), Buffer.alloc(1)])],
    ['a compressed point whose lengths are wrong', compressed],
    ['an RSA key', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export(spki)],
    ['an X25519 key', () => generateKeyPairSync('x25519').publicKey.export(spki)],
    ['PEM', () => Buffer.from(newPeer(namedCurve).publicKey.export({ format: 'pem', type: 'spki' }))],
    ['the bare point', () => peerDer().subarray(-2 * fieldBytes - 1)],
    ['garbage', () => Buffer.from('garbage')],
    ['one byte', () => Buffer.from([0x30])],
  ])('refuses %s, without a message', async (_what, make) => {
    expect(await refusal(derive(make()))).toEqual({ name: 'ValidationException', message: '' });
  });
});

test('a signing key does not derive, and a key for agreement does not sign', async () => {
  const signing = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const PublicKey = newPeer('P-256').publicKey.export(spki);
  expect(
    await refusal(service.kms.deriveSharedSecret({ KeyId: signing.KeyId, KeyAgreementAlgorithm, PublicKey })),
  ).toEqual({
    name: 'InvalidKeyUsageException',
    message: `${signing.Arn} key usage is SIGN_VERIFY which is not valid for DeriveSharedSecret.`,
  });
  const agreement = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  const request = { KeyId: agreement.KeyId, Message: Buffer.from('m'), SigningAlgorithm: 'ECDSA_SHA_256' } as const;
  expect((await refusal(service.kms.sign(request))).name).toBe('InvalidKeyUsageException');
});
