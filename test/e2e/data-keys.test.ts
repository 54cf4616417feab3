import { createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import type { DataKeyPairSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { offeredRows } from '../service/tested-token.js';

let service: Service;
let KeyId: string;
let Arn: string;
let KeyMaterialId: string;
beforeAll(async () => {
  service = await Service.start();
  ({ KeyId, Arn } = await service.newKey());
  KeyMaterialId = (await service.kms.describeKey({ KeyId })).KeyMetadata?.CurrentKeyMaterialId as string;
});
afterAll(() => service?.end());

const EncryptionContext = { purpose: 'data' };
async function opened(CiphertextBlob: Uint8Array | undefined): Promise<Buffer> {
  return Buffer.from((await service.kms.decrypt({ CiphertextBlob, EncryptionContext })).Plaintext!);
}

describe('data keys', () => {
  test.each([
    [{ KeySpec: 'AES_128' }, 16],
    [{ KeySpec: 'AES_256' }, 32],
    [{ NumberOfBytes: 1 }, 1],
    [{ NumberOfBytes: 1024 }, 1024],
  ] as const)('%j makes %i bytes, in plaintext and encrypted', async (input, bytes) => {
    const request = { KeyId, EncryptionContext, ...input };
    const { $metadata: _, Plaintext, CiphertextBlob, ...rest } = await service.kms.generateDataKey(request);
    expect(Plaintext).toHaveLength(bytes);
    expect((await opened(CiphertextBlob)).equals(Plaintext!)).toBe(true);
    expect(rest).toEqual({ KeyId: Arn, KeyMaterialId });

    const {
      $metadata: __,
      CiphertextBlob: sealed,
      ...others
    } = await service.kms.generateDataKeyWithoutPlaintext(request);
    const second = await opened(sealed);
    expect(second).toHaveLength(bytes);
    if (bytes > 1) expect(second.equals(Plaintext!)).toBe(false);
    expect(others).toEqual({ KeyId: Arn, KeyMaterialId });
  });

  test('the encryption context is needed to open them', async () => {
    const { CiphertextBlob } = await service.kms.generateDataKey({ KeyId, EncryptionContext, KeySpec: 'AES_256' });
    expect(await refusal(service.kms.decrypt({ CiphertextBlob }))).toEqual({
      name: 'InvalidCiphertextException',
      message: '',
    });
  });

  test.each([{}, { KeySpec: 'AES_256', NumberOfBytes: 32 }] as const)(
    '%j is refused: one of the two',
    async (input) => {
      for (const call of [
        service.kms.generateDataKey({ KeyId, ...input }),
        service.kms.generateDataKeyWithoutPlaintext({ KeyId, ...input }),
      ]) {
        expect((await refusal(call)).name).toBe('ValidationException');
      }
    },
  );

  test.each([0, -1, 1025, 2 ** 40])('NumberOfBytes %i is refused', async (NumberOfBytes) => {
    const { name, message } = await refusal(service.kms.generateDataKey({ KeyId, NumberOfBytes }));
    expect(name).toBe('ValidationException');
    expect(message).toMatch(/at 'numberOfBytes' failed to satisfy constraint: Member must have value /);
  });
});

describe('data key pairs', () => {
  const curveOf: Partial<Record<DataKeyPairSpec, string>> = {
    ECC_NIST_P256: 'prime256v1',
    ECC_NIST_P384: 'secp384r1',
    ECC_NIST_P521: 'secp521r1',
    ECC_SECG_P256K1: 'secp256k1',
  };
  const every = [
    'RSA_2048',
    'RSA_3072',
    'RSA_4096',
    ...Object.keys(curveOf),
    'ECC_NIST_EDWARDS25519',
  ] as DataKeyPairSpec[];
  const specs = offeredRows(every, (spec) => spec);
  const hashOf = (key: KeyObject) => (key.asymmetricKeyType === 'ed25519' ? null : 'sha256');

  function expectPairOf(spec: string, pkcs8: Buffer, spki: Uint8Array): void {
    const privateKey = createPrivateKey({ key: pkcs8, format: 'der', type: 'pkcs8' });
    const publicKey = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' });
    expect(createPublicKey(privateKey).equals(publicKey)).toBe(true);
    const signature = sign(hashOf(privateKey), Buffer.from('m'), privateKey);
    expect(verify(hashOf(publicKey), Buffer.from('m'), publicKey, signature)).toBe(true);
    const details = publicKey.asymmetricKeyDetails ?? {};
    if (spec.startsWith('RSA_')) expect(details).toMatchObject({ modulusLength: Number(spec.slice(4)) });
    else expect(details.namedCurve ?? publicKey.asymmetricKeyType).toBe(curveOf[spec as DataKeyPairSpec] ?? 'ed25519');
  }

  test.each(specs)('%s: PKCS#8 and public key match, with and without plaintext', async (spec) => {
    const request = { KeyId, EncryptionContext, KeyPairSpec: spec };
    const {
      $metadata: _,
      PrivateKeyPlaintext,
      PrivateKeyCiphertextBlob,
      PublicKey,
      ...rest
    } = await service.kms.generateDataKeyPair(request);
    expectPairOf(spec, Buffer.from(PrivateKeyPlaintext!), PublicKey!);
    expect((await opened(PrivateKeyCiphertextBlob)).equals(PrivateKeyPlaintext!)).toBe(true);
    expect(rest).toEqual({ KeyId: Arn, KeyMaterialId, KeyPairSpec: spec });

    const sealed = await service.kms.generateDataKeyPairWithoutPlaintext(request);
    const { $metadata: __, PrivateKeyCiphertextBlob: blob, PublicKey: spki, ...others } = sealed;
    expectPairOf(spec, await opened(blob), spki!);
    expect(others).toEqual({ KeyId: Arn, KeyMaterialId, KeyPairSpec: spec });
    expect(spki).not.toEqual(PublicKey);
  });

  test.each(specs.filter((spec) => !spec.startsWith('RSA_')))(
    '%s: many pairs in a row have the right length, also when a number starts with zeros',
    async (KeyPairSpec) => {
      for (let each = 0; each < 60; each++) {
        const { PrivateKeyPlaintext, PublicKey } = await service.kms.generateDataKeyPair({ KeyId, KeyPairSpec });
        expectPairOf(KeyPairSpec, Buffer.from(PrivateKeyPlaintext!), PublicKey!);
      }
    },
  );

  test('what the token lacks is refused with a sentence', async () => {
    for (const KeyPairSpec of every.filter((spec) => !specs.includes(spec))) {
      const { name, message } = await refusal(service.kms.generateDataKeyPair({ KeyId, KeyPairSpec }));
      expect({ spec: KeyPairSpec, name }).toEqual({ spec: KeyPairSpec, name: 'UnsupportedOperationException' });
      expect(message).toMatch(/^The token does not offer .+\.$/);
    }
  });

  test('SM2 and unknown specs are refused', async () => {
    const sm2 = service.kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'SM2' });
    expect((await refusal(sm2)).name).toBe('UnsupportedOperationException');
    const unknown = service.kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'RSA_1024' as never });
    expect((await refusal(unknown)).name).toBe('ValidationException');
  });

  test('leave nothing in the token or among the keys', async () => {
    const before = (await service.kms.listKeys({})).Keys!.length;
    await service.kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' });
    expect((await service.kms.listKeys({})).Keys).toHaveLength(before);
  });
});

test.each(['generateDataKey', 'generateDataKeyWithoutPlaintext'] as const)('%s needs a symmetric key', async (name) => {
  const rsa = await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  expect((await refusal(service.kms[name]({ KeyId: rsa.KeyId, KeySpec: 'AES_256' }))).name).toBe(
    'InvalidKeyUsageException',
  );
  const hmac = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  expect((await refusal(service.kms[name]({ KeyId: hmac.KeyId, KeySpec: 'AES_256' }))).name).toBe(
    'InvalidKeyUsageException',
  );
});

test('generateDataKeyPair needs a symmetric key', async () => {
  const rsa = await service.newKey({ KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' });
  const call = service.kms.generateDataKeyPair({ KeyId: rsa.KeyId, KeyPairSpec: 'ECC_NIST_P256' });
  expect((await refusal(call)).name).toBe('InvalidKeyUsageException');
});

describe('GenerateRandom', () => {
  test.each([1, 32, 1024])('gives %i bytes, others each time', async (NumberOfBytes) => {
    const [first, second] = await Promise.all([1, 2].map(() => service.kms.generateRandom({ NumberOfBytes })));
    expect(first?.Plaintext).toHaveLength(NumberOfBytes);
    if (NumberOfBytes > 1) expect(first?.Plaintext).not.toEqual(second?.Plaintext);
  });

  test('needs a number of bytes, within its bounds, and no custom key store', async () => {
    expect(await refusal(service.kms.generateRandom({}))).toEqual({
      name: 'ValidationException',
      message: 'NumberOfBytes is required.',
    });
    for (const NumberOfBytes of [0, 1025]) {
      expect((await refusal(service.kms.generateRandom({ NumberOfBytes }))).name).toBe('ValidationException');
    }
    const elsewhere = service.kms.generateRandom({ NumberOfBytes: 1, CustomKeyStoreId: 'cks-1234567890abcdef0' });
    expect((await refusal(elsewhere)).name).toBe('CustomKeyStoreNotFoundException');
  });
});
