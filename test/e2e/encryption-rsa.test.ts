import { constants, createPublicKey, type KeyObject, publicEncrypt, randomBytes } from 'node:crypto';
import type { EncryptionAlgorithmSpec, KeySpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { testWith } from '../service/tested-token.js';

type Hash = 'sha1' | 'sha256';
const algorithms: [EncryptionAlgorithmSpec, Hash, number][] = [
  ['RSAES_OAEP_SHA_1', 'sha1', 42],
  ['RSAES_OAEP_SHA_256', 'sha256', 66],
];
const specs: [KeySpec, number][] = [
  ['RSA_2048', 256],
  ['RSA_3072', 384],
  ['RSA_4096', 512],
];
const rows = specs.flatMap(([spec, modulusBytes]) =>
  algorithms.map(([algorithm, hash, overhead]) => ({
    spec,
    modulusBytes,
    algorithm,
    hash,
    most: modulusBytes - overhead,
  })),
);

interface RsaKey {
  readonly KeyId: string;
  readonly Arn: string;
  readonly publicKey: KeyObject;
}
let service: Service;
const keys = new Map<KeySpec, RsaKey>();
beforeAll(async () => {
  service = await Service.start();
  for (const [KeySpec] of specs) keys.set(KeySpec, await newRsaKey(KeySpec));
});
afterAll(() => service?.end());

async function newRsaKey(KeySpec: KeySpec): Promise<RsaKey> {
  const key = await service.newKey({ KeySpec, KeyUsage: 'ENCRYPT_DECRYPT' });
  const { PublicKey } = await service.kms.getPublicKey({ KeyId: key.KeyId });
  return { ...key, publicKey: createPublicKey({ key: Buffer.from(PublicKey!), format: 'der', type: 'spki' }) };
}

const invalid = { name: 'InvalidCiphertextException', message: '' };
const encryptedOutside = ({ publicKey }: RsaKey, oaepHash: Hash, plaintext: Buffer) =>
  publicEncrypt({ key: publicKey, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash }, plaintext);

describe.each(rows)('$spec $algorithm', ({ spec, modulusBytes, algorithm: EncryptionAlgorithm, hash, most }) => {
  const key = () => keys.get(spec)!;
  const decrypt = (CiphertextBlob: Buffer) =>
    service.kms.decrypt({ KeyId: key().KeyId, CiphertextBlob, EncryptionAlgorithm });
  const encrypt = (Plaintext: Buffer) => service.kms.encrypt({ KeyId: key().KeyId, Plaintext, EncryptionAlgorithm });

  test.each([1, 32, most])('decrypts %i bytes that node:crypto encrypted', async (length) => {
    const plaintext = randomBytes(length);
    const { $metadata: _, Plaintext, ...rest } = await decrypt(encryptedOutside(key(), hash, plaintext));
    expect(Buffer.from(Plaintext!).equals(plaintext)).toBe(true);
    expect(rest).toEqual({ KeyId: key().Arn, EncryptionAlgorithm });
  });

  test.each([1, 32, most])('encrypts %i bytes to a bare RSA block, and decrypts it', async (length) => {
    const plaintext = randomBytes(length);
    const { $metadata: _, CiphertextBlob, ...rest } = await encrypt(plaintext);
    expect(CiphertextBlob).toHaveLength(modulusBytes);
    expect(rest).toEqual({ KeyId: key().Arn, EncryptionAlgorithm });
    expect(Buffer.from((await decrypt(Buffer.from(CiphertextBlob!))).Plaintext!).equals(plaintext)).toBe(true);
  });

  test('pads at random', async () => {
    const [first, second] = [await encrypt(Buffer.from('x')), await encrypt(Buffer.from('x'))];
    expect(first.CiphertextBlob).not.toEqual(second.CiphertextBlob);
  });

  test.each([most + 1, 4096])('refuses a plaintext of %i bytes', async (length) => {
    expect(await refusal(encrypt(Buffer.alloc(length)))).toEqual({
      name: 'ValidationException',
      message: `Algorithm ${EncryptionAlgorithm} and key spec ${spec} cannot encrypt data larger than ${most} bytes.`,
    });
  });

  test('finds every wrong ciphertext invalid', async () => {
    const right = encryptedOutside(key(), hash, Buffer.from('secret'));
    const changed = (index: number) => {
      const copy = Buffer.from(right);
      copy[index]! ^= 1;
      return copy;
    };
    const wrong = [
      changed(modulusBytes - 1),
      changed(1),
      right.subarray(1),
      Buffer.concat([Buffer.alloc(1), right]),
      Buffer.alloc(modulusBytes, 0xff),
      Buffer.alloc(modulusBytes),
      Buffer.alloc(1, 7),
      encryptedOutside(key(), hash === 'sha1' ? 'sha256' : 'sha1', Buffer.from('secret')),
      publicEncrypt({ key: key().publicKey, padding: constants.RSA_PKCS1_PADDING }, Buffer.from('secret')),
      publicEncrypt(
        {
          key: key().publicKey,
          padding: constants.RSA_PKCS1_OAEP_PADDING,
          oaepHash: hash,
          oaepLabel: Buffer.from('x'),
        },
        Buffer.from('secret'),
      ),
    ];
    for (const ciphertext of wrong) expect(await refusal(decrypt(ciphertext))).toEqual(invalid);
    expect((await decrypt(right)).KeyId).toBe(key().Arn);
  });
});

test('a ciphertext of another RSA key is invalid', async () => {
  const other = await newRsaKey('RSA_2048');
  const CiphertextBlob = encryptedOutside(other, 'sha256', Buffer.from('secret'));
  const request = { CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' } as const;
  expect(await refusal(service.kms.decrypt({ KeyId: keys.get('RSA_2048')!.KeyId, ...request }))).toEqual(invalid);
  expect((await service.kms.decrypt({ KeyId: other.KeyId, ...request })).KeyId).toBe(other.Arn);
});

test('an RSA key must be named, with its algorithm', async () => {
  const key = keys.get('RSA_2048')!;
  const CiphertextBlob = encryptedOutside(key, 'sha256', Buffer.from('secret'));
  const unnamed = service.kms.decrypt({ CiphertextBlob, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' });
  expect((await refusal(unnamed)).name).toBe('ValidationException');
  expect(await refusal(service.kms.decrypt({ KeyId: key.KeyId, CiphertextBlob }))).toEqual({
    name: 'InvalidKeyUsageException',
    message: 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
  });
  expect(await refusal(service.kms.encrypt({ KeyId: key.KeyId, Plaintext: Buffer.from('x') }))).toEqual({
    name: 'InvalidKeyUsageException',
    message: 'Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.',
  });
  expect(await refusal(service.kms.decrypt({ CiphertextBlob }))).toEqual(invalid);
});

test('an RSA key binds no encryption context', async () => {
  const { KeyId } = keys.get('RSA_2048')!;
  const request = { KeyId, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256', EncryptionContext: { a: '1' } } as const;
  expect((await refusal(service.kms.encrypt({ ...request, Plaintext: Buffer.from('x') }))).name).toBe(
    'ValidationException',
  );
  const empty = { ...request, EncryptionContext: {}, Plaintext: Buffer.from('x') };
  expect((await service.kms.encrypt(empty)).CiphertextBlob).toHaveLength(256);
});

testWith('a lack of OAEP with SHA-256', 'SHA-256 is split where the setting allows it, and only then', async () => {
  const strict = await Service.start({ flags: ['--split-oaep', 'false'] });
  try {
    const { KeyMetadata } = await strict.kms.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
    expect(KeyMetadata?.EncryptionAlgorithms).toEqual(['RSAES_OAEP_SHA_1']);
    const { KeyId } = KeyMetadata!;
    const Plaintext = Buffer.from('x');
    const forbidden = strict.kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' });
    expect((await refusal(forbidden)).name).toBe('UnsupportedOperationException');
    const inToken = await strict.kms.encrypt({ KeyId, Plaintext, EncryptionAlgorithm: 'RSAES_OAEP_SHA_1' });
    expect(inToken.CiphertextBlob).toHaveLength(256);
  } finally {
    await strict.end();
  }
});
