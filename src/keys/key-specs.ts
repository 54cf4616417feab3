import type {
  EncryptionAlgorithmSpec,
  KeySpec,
  KeyUsageType,
  MacAlgorithmSpec,
  SigningAlgorithmSpec,
} from '@aws-sdk/client-kms';
import { decodeEcPoint, decodeEd25519Point } from '../encoding/ec-point.js';
import { type MlDsaName, mlDsaSpki } from '../encoding/ml-dsa-spki.js';
import { type EcCurveName, ed25519, namedCurves } from '../encoding/named-curves.js';
import { ecPkcs8, ed25519Pkcs8, rsaPkcs8 } from '../encoding/pkcs8.js';
import { ecSpki, ed25519Spki, rsaSpki } from '../encoding/spki.js';
import type { Attributes } from '../token/attributes.js';
import {
  aesKey,
  ecKeyPair,
  edwardsKeyPair,
  hmacKey,
  type KeyPairGeneration,
  mlDsaKeyPair,
  rsaKeyPair,
  type SecretKeyGeneration,
} from '../token/key-templates.js';
import { aes256Gcm, type EncryptionAlgorithm, oaep, oaepSplit } from './algorithms/encryption.js';
import { ecdh, type KeyAgreementAlgorithm } from './algorithms/key-agreement.js';
import { hmac, type MacAlgorithm } from './algorithms/mac.js';
import { ecdsa, eddsa, eddsaPrehashed, mlDsa, pkcs1, pss, type SigningAlgorithm } from './algorithms/signing.js';

/** The algorithms of a usage, each with its ways in the order of preference: the first that the token can do is taken. */
export interface AlgorithmsOfUsage {
  ENCRYPT_DECRYPT: { readonly [A in EncryptionAlgorithmSpec]?: readonly EncryptionAlgorithm[] };
  SIGN_VERIFY: { readonly [A in SigningAlgorithmSpec]?: readonly SigningAlgorithm[] };
  GENERATE_VERIFY_MAC: { readonly [A in MacAlgorithmSpec]?: readonly MacAlgorithm[] };
  KEY_AGREEMENT: { readonly ECDH?: readonly KeyAgreementAlgorithm[] };
}
export type SupportedUsage = keyof AlgorithmsOfUsage;

type Usages = { readonly [U in SupportedUsage]?: AlgorithmsOfUsage[U] };

interface SecretKeySpec {
  readonly kind: 'secret';
  readonly generate: SecretKeyGeneration;
  readonly usages: Usages;
}

export interface KeyPairSpec {
  readonly kind: 'pair';
  readonly generate: KeyPairGeneration;
  readonly usages: Usages;
  /** True when GenerateDataKeyPair makes such pairs. */
  readonly dataKeyPair: boolean;
  /** DER SubjectPublicKeyInfo, and unencrypted DER PKCS#8, of what the token's attributes say. */
  readonly encodePublic: (publicValue: Attributes) => Buffer;
  readonly encodePrivate: (publicValue: Attributes, privateValue: Attributes) => Buffer;
}

/** A key spec of KMS that no token can be asked for through this service, and why. */
interface UnsupportedKeySpec {
  readonly kind: 'unsupported';
  readonly reason: string;
}

export type KeySpecRow = SecretKeySpec | KeyPairSpec | UnsupportedKeySpec;

const rsa = (modulusBits: number): KeyPairSpec => ({
  kind: 'pair',
  generate: rsaKeyPair(modulusBits),
  usages: {
    ENCRYPT_DECRYPT: {
      RSAES_OAEP_SHA_1: [oaep('sha1', modulusBits), oaepSplit('sha1', modulusBits)],
      RSAES_OAEP_SHA_256: [oaep('sha256', modulusBits), oaepSplit('sha256', modulusBits)],
    },
    SIGN_VERIFY: {
      RSASSA_PKCS1_V1_5_SHA_256: [pkcs1('sha256', modulusBits)],
      RSASSA_PKCS1_V1_5_SHA_384: [pkcs1('sha384', modulusBits)],
      RSASSA_PKCS1_V1_5_SHA_512: [pkcs1('sha512', modulusBits)],
      RSASSA_PSS_SHA_256: [pss('sha256', modulusBits)],
      RSASSA_PSS_SHA_384: [pss('sha384', modulusBits)],
      RSASSA_PSS_SHA_512: [pss('sha512', modulusBits)],
    },
  },
  dataKeyPair: true,
  encodePublic: (pub) =>
    rsaSpki({ modulus: taken(pub, 'CKA_MODULUS'), publicExponent: taken(pub, 'CKA_PUBLIC_EXPONENT') }),
  encodePrivate: (pub, priv) =>
    rsaPkcs8({
      modulus: taken(pub, 'CKA_MODULUS'),
      publicExponent: taken(pub, 'CKA_PUBLIC_EXPONENT'),
      privateExponent: taken(priv, 'CKA_PRIVATE_EXPONENT'),
      prime1: taken(priv, 'CKA_PRIME_1'),
      prime2: taken(priv, 'CKA_PRIME_2'),
      exponent1: taken(priv, 'CKA_EXPONENT_1'),
      exponent2: taken(priv, 'CKA_EXPONENT_2'),
      coefficient: taken(priv, 'CKA_COEFFICIENT'),
    }),
});

const ec = (curve: EcCurveName, usages: Usages): KeyPairSpec => ({
  kind: 'pair',
  generate: ecKeyPair(namedCurves[curve].ecParams),
  usages,
  dataKeyPair: true,
  encodePublic: (pub) => ecSpki(curve, decodeEcPoint(taken(pub, 'CKA_EC_POINT'), namedCurves[curve].fieldBytes)),
  encodePrivate: (pub, priv) =>
    ecPkcs8(curve, taken(priv, 'CKA_VALUE'), decodeEcPoint(taken(pub, 'CKA_EC_POINT'), namedCurves[curve].fieldBytes)),
});

const hmacSpec = (bytes: number, algorithms: AlgorithmsOfUsage['GENERATE_VERIFY_MAC']): SecretKeySpec => ({
  kind: 'secret',
  generate: hmacKey(bytes),
  usages: { GENERATE_VERIFY_MAC: algorithms },
});

const unsupported = (reason: string): UnsupportedKeySpec => ({ kind: 'unsupported', reason });
const needsMlKem = unsupported('ML-KEM needs C_EncapsulateKey of PKCS#11 3.2, which this service does not reach yet.');

const mlDsaSpec = (name: MlDsaName, parameterSet: 1 | 2 | 3): KeyPairSpec => ({
  kind: 'pair',
  generate: mlDsaKeyPair(parameterSet),
  usages: { SIGN_VERIFY: { ML_DSA_SHAKE_256: [mlDsa(parameterSet)] } },
  dataKeyPair: false,
  encodePublic: (pub) => mlDsaSpki(name, taken(pub, 'CKA_VALUE')),
  encodePrivate: () => {
    throw new Error('KMS has no data key pairs of ML-DSA');
  },
});

/**
 * How KMS maps onto PKCS#11: one row per key spec. What a row holds is what DescribeKey lists, what the token is asked
 * to generate, and how each algorithm is done; adding an algorithm is adding a row.
 */
export const keySpecs: Readonly<Record<KeySpec, KeySpecRow>> = {
  SYMMETRIC_DEFAULT: {
    kind: 'secret',
    generate: aesKey,
    usages: { ENCRYPT_DECRYPT: { SYMMETRIC_DEFAULT: [aes256Gcm] } },
  },
  RSA_2048: rsa(2048),
  RSA_3072: rsa(3072),
  RSA_4096: rsa(4096),
  ECC_NIST_P256: ec('P-256', {
    SIGN_VERIFY: { ECDSA_SHA_256: [ecdsa('sha256', 'P-256')] },
    KEY_AGREEMENT: { ECDH: [ecdh('P-256')] },
  }),
  ECC_NIST_P384: ec('P-384', {
    SIGN_VERIFY: { ECDSA_SHA_384: [ecdsa('sha384', 'P-384')] },
    KEY_AGREEMENT: { ECDH: [ecdh('P-384')] },
  }),
  ECC_NIST_P521: ec('P-521', {
    SIGN_VERIFY: { ECDSA_SHA_512: [ecdsa('sha512', 'P-521')] },
    KEY_AGREEMENT: { ECDH: [ecdh('P-521')] },
  }),
  ECC_SECG_P256K1: ec('secp256k1', { SIGN_VERIFY: { ECDSA_SHA_256: [ecdsa('sha256', 'secp256k1')] } }),
  ECC_NIST_EDWARDS25519: {
    kind: 'pair',
    generate: edwardsKeyPair(ed25519.ecParams.oid),
    usages: { SIGN_VERIFY: { ED25519_SHA_512: [eddsa()], ED25519_PH_SHA_512: [eddsaPrehashed()] } },
    dataKeyPair: true,
    encodePublic: (pub) => ed25519Spki(decodeEd25519Point(taken(pub, 'CKA_EC_POINT'))),
    encodePrivate: (_pub, priv) => ed25519Pkcs8(taken(priv, 'CKA_VALUE')),
  },
  HMAC_224: hmacSpec(28, { HMAC_SHA_224: [hmac('sha224')] }),
  HMAC_256: hmacSpec(32, { HMAC_SHA_256: [hmac('sha256')] }),
  HMAC_384: hmacSpec(48, { HMAC_SHA_384: [hmac('sha384')] }),
  HMAC_512: hmacSpec(64, { HMAC_SHA_512: [hmac('sha512')] }),
  ML_DSA_44: mlDsaSpec('ML-DSA-44', 1),
  ML_DSA_65: mlDsaSpec('ML-DSA-65', 2),
  ML_DSA_87: mlDsaSpec('ML-DSA-87', 3),
  ML_KEM_512: needsMlKem,
  ML_KEM_768: needsMlKem,
  ML_KEM_1024: needsMlKem,
  SM2: unsupported('SM2 is a key spec of the AWS Regions in China.'),
};

/** The usages that a key spec has in KMS, as CreateKey checks them. */
export function usagesOf(spec: KeySpec): readonly KeyUsageType[] {
  const row = keySpecs[spec];
  return row.kind === 'unsupported' ? [] : (Object.keys(row.usages) as SupportedUsage[]);
}

function taken(
  attributes: Attributes,
  name: 'CKA_MODULUS' | 'CKA_PUBLIC_EXPONENT' | 'CKA_EC_POINT' | KeyPairGeneration['privateValue'][number],
): Buffer {
  const value = attributes[name];
  if (value === undefined) throw new Error(`the token gave no ${name}`);
  return value;
}
