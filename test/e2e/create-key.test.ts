import type { CreateKeyRequest, KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call } from '../service/http.js';
import { refusal } from '../service/refusal.js';
import { accountId, region, Service } from '../service/service.js';
import { offeredRows, whyLacking } from '../service/tested-token.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const rsaSigning = ['PKCS1_V1_5', 'PSS'].flatMap((scheme) =>
  [256, 384, 512].map((bits) => `RSASSA_${scheme}_SHA_${bits}`),
);
const oaep = ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'];
const usages = [
  'ENCRYPT_DECRYPT',
  'SIGN_VERIFY',
  'GENERATE_VERIFY_MAC',
  'KEY_AGREEMENT',
  'ENCAPSULATE_DECAPSULATE',
] as const;

/** Key spec -> usage -> the algorithms of a key of both. What is not here does not exist. */
const matrix: Partial<Record<KeySpec, Partial<Record<KeyUsageType, string[]>>>> = {
  SYMMETRIC_DEFAULT: { ENCRYPT_DECRYPT: ['SYMMETRIC_DEFAULT'] },
  RSA_2048: { ENCRYPT_DECRYPT: oaep, SIGN_VERIFY: rsaSigning },
  RSA_3072: { ENCRYPT_DECRYPT: oaep, SIGN_VERIFY: rsaSigning },
  RSA_4096: { ENCRYPT_DECRYPT: oaep, SIGN_VERIFY: rsaSigning },
  ECC_NIST_P256: { SIGN_VERIFY: ['ECDSA_SHA_256'], KEY_AGREEMENT: ['ECDH'] },
  ECC_NIST_P384: { SIGN_VERIFY: ['ECDSA_SHA_384'], KEY_AGREEMENT: ['ECDH'] },
  ECC_NIST_P521: { SIGN_VERIFY: ['ECDSA_SHA_512'], KEY_AGREEMENT: ['ECDH'] },
  ECC_SECG_P256K1: { SIGN_VERIFY: ['ECDSA_SHA_256'] },
  // without ED25519_PH_SHA_512: no token that is tested does it
  ECC_NIST_EDWARDS25519: { SIGN_VERIFY: ['ED25519_SHA_512'] },
  HMAC_224: { GENERATE_VERIFY_MAC: ['HMAC_SHA_224'] },
  HMAC_256: { GENERATE_VERIFY_MAC: ['HMAC_SHA_256'] },
  HMAC_384: { GENERATE_VERIFY_MAC: ['HMAC_SHA_384'] },
  HMAC_512: { GENERATE_VERIFY_MAC: ['HMAC_SHA_512'] },
  ML_DSA_44: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
  ML_DSA_65: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
  ML_DSA_87: { SIGN_VERIFY: ['ML_DSA_SHAKE_256'] },
};
const pairs = (Object.keys(matrix) as KeySpec[]).flatMap((spec) =>
  usages.map((usage): [KeySpec, KeyUsageType] => [spec, usage]),
);
const allowed = pairs.filter(([spec, usage]) => matrix[spec]?.[usage]);
const offered = offeredRows(allowed, ([spec]) => spec);
const refused = pairs.filter(([spec, usage]) => !matrix[spec]?.[usage]);

const algorithmMember: Partial<Record<KeyUsageType, string>> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
};

describe.each(offered)('%s for %s', (KeySpec, KeyUsage) => {
  test('is made, enabled, and described alike by CreateKey, DescribeKey and GetPublicKey', async () => {
    const { KeyMetadata } = await service.kms.createKey({ KeySpec, KeyUsage });
    const KeyId = KeyMetadata!.KeyId!;
    const algorithms = { [algorithmMember[KeyUsage]!]: matrix[KeySpec]![KeyUsage] };
    const Arn = `arn:aws:kms:${region}:${accountId}:key/${KeyId}`;
    expect(KeyId).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(KeyMetadata).toEqual({
      ...{ AWSAccountId: accountId, KeyId, Arn, CreationDate: expect.any(Date), Enabled: true, Description: '' },
      ...{ KeyUsage, KeyState: 'Enabled', Origin: 'AWS_KMS', KeyManager: 'CUSTOMER' },
      ...{ CustomerMasterKeySpec: KeySpec, KeySpec, MultiRegion: false, ...algorithms },
      ...(KeySpec === 'SYMMETRIC_DEFAULT' && { CurrentKeyMaterialId: expect.stringMatching(/^[0-9a-f]{64}$/) }),
    });
    expect(Math.abs(KeyMetadata!.CreationDate!.getTime() - Date.now())).toBeLessThan(60_000);
    expect((await service.kms.describeKey({ KeyId })).KeyMetadata).toEqual(KeyMetadata);

    if (/^(RSA|ECC|ML_DSA)_/.test(KeySpec)) {
      const { $metadata: _, ...answer } = await service.kms.getPublicKey({ KeyId });
      const PublicKey = expect.any(Uint8Array);
      expect(answer).toEqual({
        KeyId: Arn,
        PublicKey,
        CustomerMasterKeySpec: KeySpec,
        KeySpec,
        KeyUsage,
        ...algorithms,
      });
    } else {
      const answer = await refusal(service.kms.getPublicKey({ KeyId }));
      expect(answer.name).toBe('UnsupportedOperationException');
    }
  });
});

test.each(refused)('%s for %s is refused', async (KeySpec, KeyUsage) => {
  expect(await refusal(service.kms.createKey({ KeySpec, KeyUsage }))).toEqual({
    name: 'ValidationException',
    message: `KeyUsage ${KeyUsage} is not compatible with KeySpec ${KeySpec}`,
  });
});

test.each(Object.keys(matrix).filter((spec) => spec !== 'SYMMETRIC_DEFAULT') as KeySpec[])(
  '%s needs a key usage',
  async (KeySpec) => {
    expect(await refusal(service.kms.createKey({ KeySpec }))).toEqual({
      name: 'ValidationException',
      message: 'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    });
  },
);

test.each<[KeySpec, KeyUsageType]>([
  ['SM2', 'SIGN_VERIFY'],
  ...allowed.filter(([spec]) => whyLacking(spec)),
  ['ML_KEM_512', 'ENCAPSULATE_DECAPSULATE'],
  ['ML_KEM_768', 'ENCAPSULATE_DECAPSULATE'],
  ['ML_KEM_1024', 'ENCAPSULATE_DECAPSULATE'],
])('%s is refused with a sentence that says what is missing', async (KeySpec, KeyUsage) => {
  const { name, message } = await refusal(service.kms.createKey({ KeySpec, KeyUsage }));
  expect(name).toBe('UnsupportedOperationException');
  expect(message).toMatch(
    new RegExp(`^(KeySpec ${KeySpec} is not supported\\. .+|The token does not offer ${KeySpec} .+)\\.$`),
  );
});

describe('members', () => {
  test('an empty request makes a symmetric key', async () => {
    const { KeyMetadata } = await service.kms.createKey({});
    expect(KeyMetadata).toMatchObject({ KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' });
  });

  test('CustomerMasterKeySpec is an old name of KeySpec, and both together are refused', async () => {
    const request = { CustomerMasterKeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' } as const;
    const { KeyMetadata } = await service.kms.createKey(request);
    expect(KeyMetadata).toMatchObject({ KeySpec: 'ECC_NIST_P256', CustomerMasterKeySpec: 'ECC_NIST_P256' });
    const both = service.kms.createKey({ ...request, KeySpec: 'ECC_NIST_P256' });
    expect((await refusal(both)).name).toBe('ValidationException');
  });

  test.each(['', 'a key 🔑', 'ä'.repeat(8192), '<script>"\\\u0000'])('description %#', async (Description) => {
    const { KeyMetadata } = await service.kms.createKey({ Description });
    expect(KeyMetadata!.Description).toBe(Description);
    expect((await service.kms.describeKey({ KeyId: KeyMetadata!.KeyId })).KeyMetadata!.Description).toBe(Description);
  });

  test('a multi-Region key has an id of its own kind, and names itself as primary', async () => {
    const { KeyMetadata } = await service.kms.createKey({ MultiRegion: true });
    expect(KeyMetadata!.KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
    expect(KeyMetadata).toMatchObject({
      MultiRegion: true,
      MultiRegionConfiguration: {
        MultiRegionKeyType: 'PRIMARY',
        PrimaryKey: { Arn: KeyMetadata!.Arn, Region: region },
        ReplicaKeys: [],
      },
    });
    const { CiphertextBlob } = await service.kms.encrypt({ KeyId: KeyMetadata!.KeyId, Plaintext: Buffer.from('x') });
    expect((await service.kms.decrypt({ CiphertextBlob })).KeyId).toBe(KeyMetadata!.Arn);
  });

  const tags = (count: number) => Array.from({ length: count }, (_, i) => ({ TagKey: `key${i}`, TagValue: 'v' }));
  test('fifty tags are taken', async () => {
    expect((await service.kms.createKey({ Tags: tags(50) })).KeyMetadata?.Enabled).toBe(true);
  });

  test.each<[string, CreateKeyRequest['Tags'], string]>([
    ['one too many', tags(51), 'Too many tags'],
    ['two of one key', [...tags(1), ...tags(1)], 'Duplicate tag keys'],
    ['one of AWS', [{ TagKey: 'aws:x', TagValue: '' }], 'Tags beginning with aws: are reserved'],
    ['one of AWS in capitals', [{ TagKey: 'AWS:x', TagValue: '' }], 'Tags beginning with aws: are reserved'],
  ])('tags are refused: %s', async (_what, Tags, message) => {
    expect(await refusal(service.kms.createKey({ Tags }))).toEqual({ name: 'TagException', message });
  });

  test('a tag key that is too long is refused where it stands', async () => {
    const Tags = [...tags(1), { TagKey: 'x'.repeat(129), TagValue: '' }];
    const { name, message } = await refusal(service.kms.createKey({ Tags }));
    expect(name).toBe('ValidationException');
    expect(message).toMatch(/at 'tags\.2\.member\.tagKey' failed to satisfy constraint: Member must have length less/);
  });

  test('a policy is kept as it was sent', async () => {
    const root = `arn:aws:iam::${accountId}:root`;
    const statement = { Sid: 'all', Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
    const Policy = JSON.stringify({ Version: '2012-10-17', Statement: [statement] }, null, 2);
    expect((await service.kms.createKey({ Policy })).KeyMetadata?.Enabled).toBe(true);
  });

  test.each(['not JSON', '[]', '{}', '{"Statement":1}', '{"Version":"2012-10-17"}'])(
    'a policy that is %s is refused',
    async (Policy) => {
      const { name } = await refusal(service.kms.createKey({ Policy }));
      expect(name).toBe('MalformedPolicyDocumentException');
    },
  );

  test.each<[CreateKeyRequest, string]>([
    [{ CustomKeyStoreId: 'cks-1234567890abcdef0', Origin: 'AWS_CLOUDHSM' }, 'CustomKeyStoreNotFoundException'],
    [{ Origin: 'AWS_CLOUDHSM' }, 'ValidationException|UnsupportedOperationException'],
    [{ Origin: 'EXTERNAL_KEY_STORE', XksKeyId: 'x' }, 'ValidationException|UnsupportedOperationException'],
    [{ XksKeyId: 'x' }, 'ValidationException|UnsupportedOperationException'],
  ])('%j is refused', async (input, name) => {
    expect((await refusal(service.kms.createKey(input))).name).toMatch(new RegExp(`^(${name})$`));
  });

  test('unknown members and nulls are as good as absent', async () => {
    const answer = await call(service, 'CreateKey', { KeySpec: null, Tags: null, Unheard: { of: [1, 2] } });
    expect(JSON.parse(answer.body).KeyMetadata).toMatchObject({ KeySpec: 'SYMMETRIC_DEFAULT' });
  });

  test('a request that is refused leaves no key', async () => {
    const before = (await service.kms.listKeys({ Limit: 1000 })).Keys!.length;
    await refusal(service.kms.createKey({ Tags: tags(51) }));
    await refusal(service.kms.createKey({ KeySpec: 'RSA_2048', KeyUsage: 'KEY_AGREEMENT' }));
    expect((await service.kms.listKeys({ Limit: 1000 })).Keys).toHaveLength(before);
  });
});
