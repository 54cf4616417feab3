import type { DeclaredQuota, RequestQuota } from './request-quotas.js';

/** Requests per second of cryptographic operations with symmetric keys, where a Region has more than 10,000. */
const symmetricRates: Readonly<Record<string, number>> = {
  'ap-northeast-1': 20_000,
  'ap-southeast-1': 20_000,
  'ap-southeast-2': 20_000,
  'eu-central-1': 20_000,
  'eu-west-1': 100_000,
  'eu-west-2': 20_000,
  'us-east-1': 100_000,
  'us-east-2': 20_000,
  'us-west-2': 100_000,
};
const usualSymmetricRate = 10_000;

/** RSA data key pairs: requests, and in how many seconds. */
const rsaPairs = { RSA_2048: [20, 1], RSA_3072: [4, 1], RSA_4096: [1, 1] } as const;
const chineseRsaPairs = { RSA_2048: [1, 1], RSA_3072: [1, 2], RSA_4096: [1, 10] } as const;
const otherPairs: Readonly<Record<string, number>> = {
  ECC_NIST_P256: 100,
  ECC_NIST_P384: 100,
  ECC_NIST_P521: 100,
  ECC_SECG_P256K1: 100,
  ECC_NIST_EDWARDS25519: 100,
  SM2: 25,
};

/** Requests per second of each operation that shares its quota with no other. */
const rates: Readonly<Record<string, number>> = {
  CancelKeyDeletion: 5,
  ConnectCustomKeyStore: 5,
  CreateAlias: 5,
  CreateCustomKeyStore: 5,
  CreateGrant: 50,
  CreateKey: 5,
  DeleteAlias: 15,
  DeleteCustomKeyStore: 5,
  DeleteImportedKeyMaterial: 15,
  DescribeCustomKeyStores: 5,
  DescribeKey: 2_000,
  DisableKey: 5,
  DisableKeyRotation: 5,
  DisconnectCustomKeyStore: 5,
  EnableKey: 5,
  EnableKeyRotation: 15,
  GetKeyLastUsage: 5,
  GetKeyPolicy: 1_000,
  GetKeyRotationStatus: 1_000,
  GetParametersForImport: 1,
  GetPublicKey: 2_000,
  ImportKeyMaterial: 15,
  ListAliases: 500,
  ListGrants: 100,
  ListKeyPolicies: 100,
  ListKeyRotations: 100,
  ListKeys: 500,
  ListResourceTags: 2_000,
  ListRetirableGrants: 100,
  PutKeyPolicy: 15,
  ReplicateKey: 5,
  RetireGrant: 50,
  RevokeGrant: 50,
  RotateKeyOnDemand: 5,
  ScheduleKeyDeletion: 15,
  TagResource: 10,
  UntagResource: 5,
  UpdateAlias: 5,
  UpdateCustomKeyStore: 5,
  UpdateKeyDescription: 5,
  UpdatePrimaryRegion: 5,
};

/** The quotas of a setting, the word `aws` replaced by AWS's. @param region whose numbers they are */
export function allQuotas(declared: readonly DeclaredQuota[], region: string): RequestQuota[] {
  return declared.flatMap((each) => (each === 'aws' ? awsRequestQuotas(region) : each));
}

/**
 * The request quotas that AWS gives an account in a Region before it asks for more.
 *
 * @see https://docs.aws.amazon.com/kms/latest/developerguide/requests-per-second.html
 */
function awsRequestQuotas(region: string): RequestQuota[] {
  const perAccount = (quota: Pick<RequestQuota, 'operations' | 'keySpecs' | 'requests'> & { seconds?: number }) =>
    ({ per: 'account', seconds: 1, ...quota }) as const;
  const pairs = Object.entries(region.startsWith('cn-') ? chineseRsaPairs : rsaPairs);
  const pairOperations = ['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'];
  const withAnyKey = ['Decrypt', 'Encrypt', 'ReEncrypt'];
  const ofSymmetricKeys = [...withAnyKey, 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext'];
  return [
    perAccount({
      operations: [...ofSymmetricKeys, 'GenerateMac', 'GenerateRandom', 'VerifyMac'],
      keySpecs: ['SYMMETRIC_DEFAULT', 'HMAC_*'],
      requests: symmetricRates[region] ?? usualSymmetricRate,
    }),
    perAccount({ operations: [...withAnyKey, 'Sign', 'Verify'], keySpecs: ['RSA_*'], requests: 1_000 }),
    perAccount({ operations: ['Sign', 'Verify'], keySpecs: ['ML_DSA_*'], requests: 1_000 }),
    perAccount({
      operations: [...withAnyKey, 'DeriveSharedSecret', 'Sign', 'Verify'],
      keySpecs: ['ECC_*', 'SM2'],
      requests: 1_000,
    }),
    { operations: [...ofSymmetricKeys, 'DeriveSharedSecret'], per: 'keyStore', requests: 1_800, seconds: 1 },
    ...pairs.map(([spec, [requests, seconds]]) =>
      perAccount({ operations: pairOperations, keySpecs: [spec], requests, seconds }),
    ),
    ...Object.entries(otherPairs).map(([spec, requests]) =>
      perAccount({ operations: pairOperations, keySpecs: [spec], requests }),
    ),
    ...Object.entries(rates).map(([operation, requests]) => perAccount({ operations: [operation], requests })),
  ];
}
