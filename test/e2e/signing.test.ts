import { constants, createHash, createPublicKey, type KeyObject, randomBytes, verify } from 'node:crypto';
import type { KeySpec, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { describeWith, offeredRows, whyLacking } from '../service/tested-token.js';

/** How node:crypto verifies each algorithm. */
interface Oracle {
  readonly hash: 'sha256' | 'sha384' | 'sha512';
  readonly padding?: object;
}
const hashes = ['256', '384', '512'] as const;
const rsaAlgorithms = Object.fromEntries(
  hashes.flatMap((bits) => {
    const pss = { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: Number(bits) / 8 };
    return [
      [`RSASSA_PSS_SHA_${bits}`, { hash: `sha${bits}`, padding: pss }],
      [`RSASSA_PKCS1_V1_5_SHA_${bits}`, { hash: `sha${bits}`, padding: { padding: constants.RSA_PKCS1_PADDING } }],
    ];
  }),
) as Record<SigningAlgorithmSpec, Oracle>;

const digestingSpecs: [KeySpec, Partial<Record<SigningAlgorithmSpec, Oracle>>][] = [
  ['RSA_2048', rsaAlgorithms],
  ['RSA_3072', rsaAlgorithms],
  ['RSA_4096', rsaAlgorithms],
  ['ECC_NIST_P256', { ECDSA_SHA_256: { hash: 'sha256' } }],
  ['ECC_NIST_P384', { ECDSA_SHA_384: { hash: 'sha384' } }],
  ['ECC_NIST_P521', { ECDSA_SHA_512: { hash: 'sha512' } }],
  ['ECC_SECG_P256K1', { ECDSA_SHA_256: { hash: 'sha256' } }],
];

let service: Service;
const keys = new Map<KeySpec, { KeyId: string; Arn: string; publicKey: KeyObject }>();
beforeAll(async () => {
  service = await Service.start();
  for (const KeySpec of [...digestingSpecs.map(([spec]) => spec), 'ECC_NIST_EDWARDS25519' as const]) {
    if (whyLacking(KeySpec)) continue;
    const key = await service.newKey({ KeySpec, KeyUsage: 'SIGN_VERIFY' });
    keys.set(KeySpec, { ...key, publicKey: await publicKeyOf(key.KeyId) });
  }
});
afterAll(() => service?.end());

async function publicKeyOf(KeyId: string): Promise<KeyObject> {
  const { PublicKey } = await service.kms.getPublicKey({ KeyId });
  return createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' });
}

const rows = offeredRows(digestingSpecs, ([spec]) => spec).flatMap(([spec, algorithms]) =>
  Object.entries(algorithms).map(([name, oracle]) => ({ spec, name: name as SigningAlgorithmSpec, oracle })),
);

describe.each(rows)('$spec $name', ({ spec, name: SigningAlgorithm, oracle }) => {
  const key = () => keys.get(spec)!;
  const holds = (message: Buffer, signature: Uint8Array) =>
    verify(oracle.hash, message, { key: key().publicKey, ...oracle.padding }, signature);
  const signed = async (Message: Buffer, MessageType?: 'RAW' | 'DIGEST') => {
    const {
      $metadata: _,
      Signature,
      ...rest
    } = await service.kms.sign({
      ...{ KeyId: key().KeyId, Message, SigningAlgorithm, ...(MessageType && { MessageType }) },
    });
    expect(rest).toEqual({ KeyId: key().Arn, SigningAlgorithm });
    return Buffer.from(Signature!);
  };
  const verified = (Message: Buffer, Signature: Uint8Array, MessageType: 'RAW' | 'DIGEST' = 'RAW') =>
    service.kms.verify({ KeyId: key().KeyId, Message, MessageType, Signature, SigningAlgorithm });
  const invalid = { name: 'KMSInvalidSignatureException', message: '' };

  test('signs what node:crypto verifies, from a message or its digest, and takes both at Verify', async () => {
    const message = randomBytes(4096);
    const digest = createHash(oracle.hash).update(message).digest();
    for (const signature of [await signed(message), await signed(message, 'RAW'), await signed(digest, 'DIGEST')]) {
      expect(holds(message, signature)).toBe(true);
      const { $metadata: _, ...answer } = await verified(message, signature);
      expect(answer).toEqual({ KeyId: key().Arn, SignatureValid: true, SigningAlgorithm });
      expect((await verified(digest, signature, 'DIGEST')).SignatureValid).toBe(true);
    }
  });

  test('refuses a wrong signature, a wrong message and a wrong message type', async () => {
    const message = Buffer.from('hello');
    const signature = await signed(message);
    for (const index of [0, signature.length >> 1, signature.length - 1]) {
      const changed = Buffer.from(signature);
      changed[index]! ^= 1;
      expect(await refusal(verified(message, changed))).toEqual(invalid);
    }
    for (const wrong of [signature.subarray(1), Buffer.concat([signature, Buffer.alloc(1)]), Buffer.alloc(1)]) {
      expect(await refusal(verified(message, wrong))).toEqual(invalid);
    }
    expect(await refusal(verified(Buffer.from('hallo'), signature))).toEqual(invalid);
    const digest = createHash(oracle.hash).update(message).digest();
    expect(await refusal(verified(digest, signature, 'RAW'))).toEqual(invalid);
  });

  test('refuses a digest of another length, at Sign and at Verify', async () => {
    const invalidLength = {
      name: 'ValidationException',
      message: `Digest is invalid length for algorithm ${SigningAlgorithm}.`,
    };
    const digestBytes = createHash(oracle.hash).digest().length;
    for (const length of [1, digestBytes - 1, digestBytes + 1]) {
      const digest = Buffer.alloc(length, 7);
      expect(await refusal(signed(digest, 'DIGEST'))).toEqual(invalidLength);
      expect(await refusal(verified(digest, Buffer.alloc(64), 'DIGEST'))).toEqual(invalidLength);
    }
  });
});

test.each(['PSS', 'PKCS1_V1_5'])(
  'RSASSA_%s: a signature of one hash is none of another, nor of the other padding',
  async (scheme) => {
    const { KeyId } = keys.get('RSA_2048')!;
    const Message = Buffer.from('hello');
    const made = `RSASSA_${scheme}_SHA_256` as SigningAlgorithmSpec;
    const { Signature } = await service.kms.sign({ KeyId, Message, SigningAlgorithm: made });
    for (const SigningAlgorithm of Object.keys(rsaAlgorithms) as SigningAlgorithmSpec[]) {
      if (SigningAlgorithm === made) continue;
      const request = service.kms.verify({ KeyId, Message, Signature, SigningAlgorithm });
      expect((await refusal(request)).name).toBe('KMSInvalidSignatureException');
    }
  },
);

test('a signature of one key is none of another', async () => {
  const { KeyId: other } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const request = { Message: Buffer.from('m'), SigningAlgorithm: 'ECDSA_SHA_256' } as const;
  const { Signature } = await service.kms.sign({ KeyId: keys.get('ECC_NIST_P256')!.KeyId, ...request });
  const call = service.kms.verify({ KeyId: other, ...request, Signature });
  expect((await refusal(call)).name).toBe('KMSInvalidSignatureException');
});

describeWith('ECC_NIST_EDWARDS25519', 'ECC_NIST_EDWARDS25519', () => {
  const key = () => keys.get('ECC_NIST_EDWARDS25519')!;
  const SigningAlgorithm = 'ED25519_SHA_512';

  test.each([1, 64, 4096])('signs a message of %i bytes as RFC 8032 has it, the same each time', async (length) => {
    const Message = randomBytes(length);
    const request = { KeyId: key().KeyId, Message, SigningAlgorithm } as const;
    const { Signature } = await service.kms.sign(request);
    expect(verify(null, Message, key().publicKey, Signature!)).toBe(true);
    expect((await service.kms.sign(request)).Signature).toEqual(Signature);
    expect((await service.kms.verify({ ...request, Signature })).SignatureValid).toBe(true);
    const changed = Buffer.from(Signature!);
    changed[3]! ^= 1;
    expect(await refusal(service.kms.verify({ ...request, Signature: changed }))).toEqual({
      name: 'KMSInvalidSignatureException',
      message: '',
    });
  });

  test('takes no digest with ED25519_SHA_512', async () => {
    const request = { KeyId: key().KeyId, Message: Buffer.alloc(64), SigningAlgorithm, MessageType: 'DIGEST' } as const;
    expect((await refusal(service.kms.sign(request))).name).toBe('ValidationException');
    const call = service.kms.verify({ ...request, Signature: Buffer.alloc(64) });
    expect((await refusal(call)).name).toBe('ValidationException');
  });

  test('refuses ED25519_PH_SHA_512, which SoftHSM2 pretends to do and NSS does not have, and does not list it', async () => {
    const request = {
      KeyId: key().KeyId,
      Message: Buffer.alloc(64),
      MessageType: 'DIGEST',
      SigningAlgorithm: 'ED25519_PH_SHA_512',
    } as const;
    const refused = await refusal(service.kms.sign(request));
    expect(refused.name).toBe('UnsupportedOperationException');
    expect(refused.message).toMatch(/^The token does not offer ED25519_PH_SHA_512: .+\.$/);
    const { KeyMetadata } = await service.kms.describeKey({ KeyId: key().KeyId });
    expect(KeyMetadata?.SigningAlgorithms).toEqual(['ED25519_SHA_512']);
  });
});

const incompatible = [
  ['RSA_2048', 'ECDSA_SHA_256'],
  ['ECC_NIST_P256', 'ECDSA_SHA_384'],
  ['ECC_NIST_P384', 'ECDSA_SHA_256'],
  ['ECC_NIST_P521', 'RSASSA_PSS_SHA_512'],
  ['ECC_SECG_P256K1', 'ED25519_SHA_512'],
  ['ECC_NIST_EDWARDS25519', 'ECDSA_SHA_512'],
  ['ECC_NIST_P256', 'SM2DSA'],
  ['ECC_NIST_P256', 'ML_DSA_SHAKE_256'],
] as const;
test.each(offeredRows(incompatible, ([spec]) => spec))('%s does not take %s', async (spec, SigningAlgorithm) => {
  const request = { KeyId: keys.get(spec)!.KeyId, Message: Buffer.from('m'), SigningAlgorithm };
  const refused = {
    name: 'InvalidKeyUsageException',
    message: `Algorithm ${SigningAlgorithm} is incompatible with key spec ${spec}.`,
  };
  expect(await refusal(service.kms.sign(request))).toEqual(refused);
  expect(await refusal(service.kms.verify({ ...request, Signature: Buffer.alloc(64) }))).toEqual(refused);
});

test('EXTERNAL_MU is for ML-DSA only', async () => {
  const { KeyId } = keys.get('ECC_NIST_P256')!;
  const request = {
    KeyId,
    Message: Buffer.alloc(64),
    MessageType: 'EXTERNAL_MU',
    SigningAlgorithm: 'ECDSA_SHA_256',
  } as const;
  expect((await refusal(service.kms.sign(request))).name).toBe('ValidationException');
});

test('an encryption key does not sign, and a signing key does not encrypt', async () => {
  const rsa = await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  const request = { KeyId: rsa.KeyId, Message: Buffer.from('m'), SigningAlgorithm: 'RSASSA_PSS_SHA_256' } as const;
  expect(await refusal(service.kms.sign(request))).toEqual({
    name: 'InvalidKeyUsageException',
    message: `${rsa.Arn} key usage is ENCRYPT_DECRYPT which is not valid for Sign.`,
  });
  const { KeyId, Arn } = keys.get('RSA_2048')!;
  const encryption = { KeyId, Plaintext: Buffer.from('m'), EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
  expect(await refusal(service.kms.encrypt(encryption))).toEqual({
    name: 'InvalidKeyUsageException',
    message: `${Arn} key usage is SIGN_VERIFY which is not valid for Encrypt.`,
  });
});
