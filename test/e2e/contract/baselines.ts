import type { OperationName } from '../../../src/contract/operation-types.js';
import { accountId, region } from '../../service/service.js';
import type { Kind, World } from './world.js';

/** A valid request for an operation. */
export interface Baseline {
  /** The member that names the key, and the kind of key that the operation works with. */
  readonly key?: { readonly from: string; readonly kind: Kind; readonly aliases?: true };
  /** The other members. */
  readonly with?: (world: World) => object;
  /** The exception that it ends with, once it is found valid: what it names is not there. Undefined when it succeeds. */
  readonly ends?: string;
}

export const principal = `arn:aws:iam::${accountId}:root`;
export const absentKeyStore = 'cks-1234567890abcdef0';
const absentGrant = 'a'.repeat(64);

const key = (kind: Kind, from = 'KeyId') => ({ key: { from, kind } }) as const;
const keyOrAlias = (kind: Kind, from = 'KeyId') => ({ key: { from, kind, aliases: true } }) as const;
const ecdsa = { SigningAlgorithm: 'ECDSA_SHA_256' };
const hmac = { MacAlgorithm: 'HMAC_SHA_256' };
const keyStore = { with: () => ({ CustomKeyStoreId: absentKeyStore }), ends: 'CustomKeyStoreNotFoundException' };

/** By operation. Which identifiers it takes is the contract's part A.2. */
export const baselines: Readonly<Record<OperationName, Baseline>> = {
  CancelKeyDeletion: { ...key('symmetric'), ends: 'KMSInvalidStateException' },
  ConnectCustomKeyStore: keyStore,
  CreateAlias: { ...key('symmetric', 'TargetKeyId'), with: (world) => ({ AliasName: world.newAlias() }) },
  CreateCustomKeyStore: {
    with: () => ({
      CustomKeyStoreName: 'store',
      CloudHsmClusterId: 'cluster-aaaaaaaaaaa',
      TrustAnchorCertificate: 'certificate',
      KeyStorePassword: 'password',
    }),
    ends: 'CloudHsmClusterNotFoundException',
  },
  CreateGrant: { ...key('symmetric'), with: () => ({ GranteePrincipal: principal, Operations: ['Encrypt'] }) },
  CreateKey: {},
  Decapsulate: {
    ...keyOrAlias('symmetric'),
    with: ({ bytes }) => ({ SharedSecretCiphertextBlob: bytes, EncapsulationAlgorithm: 'ML_KEM' }),
    ends: 'UnsupportedOperationException',
  },
  Decrypt: { ...keyOrAlias('symmetric'), with: ({ ciphertext }) => ({ CiphertextBlob: ciphertext }) },
  DeleteAlias: { with: () => ({ AliasName: 'alias/absent' }), ends: 'NotFoundException' },
  DeleteCustomKeyStore: keyStore,
  DeleteImportedKeyMaterial: key('external'),
  DeriveSharedSecret: {
    ...keyOrAlias('agreement'),
    with: ({ publicKey }) => ({ KeyAgreementAlgorithm: 'ECDH', PublicKey: publicKey }),
  },
  DescribeCustomKeyStores: {},
  DescribeKey: keyOrAlias('symmetric'),
  DisableKey: key('toggled'),
  DisableKeyRotation: key('symmetric'),
  DisconnectCustomKeyStore: keyStore,
  EnableKey: key('toggled'),
  EnableKeyRotation: key('symmetric'),
  Encapsulate: {
    ...keyOrAlias('symmetric'),
    with: () => ({ EncapsulationAlgorithm: 'ML_KEM' }),
    ends: 'UnsupportedOperationException',
  },
  Encrypt: { ...keyOrAlias('symmetric'), with: ({ bytes }) => ({ Plaintext: bytes }) },
  GenerateDataKey: { ...keyOrAlias('symmetric'), with: () => ({ KeySpec: 'AES_256' }) },
  GenerateDataKeyPair: { ...keyOrAlias('symmetric'), with: () => ({ KeyPairSpec: 'ECC_NIST_P256' }) },
  GenerateDataKeyPairWithoutPlaintext: { ...keyOrAlias('symmetric'), with: () => ({ KeyPairSpec: 'ECC_NIST_P256' }) },
  GenerateDataKeyWithoutPlaintext: { ...keyOrAlias('symmetric'), with: () => ({ KeySpec: 'AES_256' }) },
  GenerateMac: { ...keyOrAlias('mac'), with: ({ bytes }) => ({ Message: bytes, ...hmac }) },
  GenerateRandom: { with: () => ({ NumberOfBytes: 8 }) },
  GetKeyLastUsage: key('symmetric'),
  GetKeyPolicy: key('symmetric'),
  GetKeyRotationStatus: key('symmetric'),
  GetParametersForImport: {
    ...key('external'),
    with: () => ({ WrappingAlgorithm: 'RSAES_OAEP_SHA_256', WrappingKeySpec: 'RSA_2048' }),
  },
  GetPublicKey: keyOrAlias('signing'),
  ImportKeyMaterial: {
    ...key('external'),
    with: ({ bytes }) => ({
      ImportToken: bytes,
      EncryptedKeyMaterial: bytes,
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    }),
    ends: 'InvalidImportTokenException',
  },
  ListAliases: key('symmetric'),
  ListGrants: key('symmetric'),
  ListKeyPolicies: key('symmetric'),
  ListKeyRotations: key('symmetric'),
  ListKeys: {},
  ListResourceTags: key('symmetric'),
  ListRetirableGrants: { with: () => ({ RetiringPrincipal: principal }) },
  PutKeyPolicy: { ...key('symmetric'), with: ({ policy }) => ({ Policy: policy }) },
  ReEncrypt: {
    ...keyOrAlias('symmetric', 'DestinationKeyId'),
    with: ({ ciphertext }) => ({ CiphertextBlob: ciphertext }),
  },
  ReplicateKey: {
    ...key('symmetric'),
    with: () => ({ ReplicaRegion: `not-${region}` }),
    ends: 'UnsupportedOperationException',
  },
  RetireGrant: { ...key('symmetric'), with: () => ({ GrantId: absentGrant }), ends: 'NotFoundException' },
  RevokeGrant: { ...key('symmetric'), with: () => ({ GrantId: absentGrant }), ends: 'NotFoundException' },
  RotateKeyOnDemand: key('symmetric'),
  ScheduleKeyDeletion: { ...key('pending'), ends: 'KMSInvalidStateException' },
  Sign: { ...keyOrAlias('signing'), with: ({ bytes }) => ({ Message: bytes, ...ecdsa }) },
  TagResource: { ...key('symmetric'), with: () => ({ Tags: [{ TagKey: 'key', TagValue: 'value' }] }) },
  UntagResource: { ...key('symmetric'), with: () => ({ TagKeys: ['absent'] }) },
  UpdateAlias: { ...key('symmetric', 'TargetKeyId'), with: () => ({ AliasName: 'alias/symmetric' }) },
  UpdateCustomKeyStore: keyStore,
  UpdateKeyDescription: { ...key('symmetric'), with: () => ({ Description: 'new' }) },
  UpdatePrimaryRegion: {
    ...key('symmetric'),
    with: () => ({ PrimaryRegion: `not-${region}` }),
    ends: 'UnsupportedOperationException',
  },
  Verify: {
    ...keyOrAlias('signing'),
    with: ({ bytes, signature }) => ({ Message: bytes, Signature: signature, ...ecdsa }),
  },
  VerifyMac: { ...keyOrAlias('mac'), with: ({ bytes, mac }) => ({ Message: bytes, Mac: mac, ...hmac }) },
};

/** The request of a baseline. @param keyId what names the key, where an operation takes one; the key's id otherwise */
export function validRequest(operation: OperationName, world: World, keyId?: string): Record<string, unknown> {
  const { key: taken, with: others } = baselines[operation];
  return {
    ...(taken && { [taken.from]: keyId ?? world.keys[taken.kind].KeyId }),
    ...others?.(world),
  };
}
