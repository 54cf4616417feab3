import type { Attributes } from './attributes.js';
import { keyType, objectClass } from './attributes.js';
import { type Mechanism, type MechanismName, mechanismType, plain } from './mechanisms.js';

/** How a token makes a key: the PKCS#11 side of a key spec. */
export interface SecretKeyGeneration {
  readonly kind: 'secret';
  readonly mechanism: Mechanism;
  readonly keyType: number;
  /** Length of the key, in bytes. */
  readonly bytes: number;
}

export interface KeyPairGeneration {
  readonly kind: 'pair';
  readonly mechanism: Mechanism;
  readonly keyType: number;
  /** What the public key's template says of the key: CKA_MODULUS_BITS or CKA_EC_PARAMS. */
  readonly domain: Attributes;
  /** Attributes that hold the public key. */
  readonly publicValue: readonly ('CKA_MODULUS' | 'CKA_PUBLIC_EXPONENT' | 'CKA_EC_POINT' | 'CKA_VALUE')[];
  /** Attributes that hold the private key, for key pairs that are made to be given away. */
  readonly privateValue: readonly PrivateValueAttribute[];
}

export type PrivateValueAttribute =
  | 'CKA_VALUE'
  | 'CKA_PRIVATE_EXPONENT'
  | 'CKA_PRIME_1'
  | 'CKA_PRIME_2'
  | 'CKA_EXPONENT_1'
  | 'CKA_EXPONENT_2'
  | 'CKA_COEFFICIENT';

export type KeyGeneration = SecretKeyGeneration | KeyPairGeneration;

export const aesKey: SecretKeyGeneration = {
  kind: 'secret',
  mechanism: plain('AES_KEY_GEN'),
  keyType: keyType.AES,
  bytes: 32,
};

export const hmacKey = (bytes: number): SecretKeyGeneration => ({
  kind: 'secret',
  mechanism: plain('GENERIC_SECRET_KEY_GEN'),
  keyType: keyType.GENERIC_SECRET,
  bytes,
});

export const rsaKeyPair = (modulusBits: number): KeyPairGeneration => ({
  kind: 'pair',
  mechanism: plain('RSA_PKCS_KEY_PAIR_GEN'),
  keyType: keyType.RSA,
  domain: { CKA_MODULUS_BITS: modulusBits, CKA_PUBLIC_EXPONENT: Buffer.from([1, 0, 1]) },
  publicValue: ['CKA_MODULUS', 'CKA_PUBLIC_EXPONENT'],
  privateValue: [
    'CKA_PRIVATE_EXPONENT',
    'CKA_PRIME_1',
    'CKA_PRIME_2',
    'CKA_EXPONENT_1',
    'CKA_EXPONENT_2',
    'CKA_COEFFICIENT',
  ],
});

/** @param parameters DER of CKA_EC_PARAMS */
export const ecKeyPair = (parameters: Buffer): KeyPairGeneration => ({
  kind: 'pair',
  mechanism: plain('EC_KEY_PAIR_GEN'),
  keyType: keyType.EC,
  domain: { CKA_EC_PARAMS: parameters },
  publicValue: ['CKA_EC_POINT'],
  privateValue: ['CKA_VALUE'],
});

/** @param parameters DER of CKA_EC_PARAMS */
export const edwardsKeyPair = (parameters: Buffer): KeyPairGeneration => ({
  ...ecKeyPair(parameters),
  mechanism: plain('EC_EDWARDS_KEY_PAIR_GEN'),
  keyType: keyType.EC_EDWARDS,
});

/** @param parameterSet CKP_ML_DSA_44, _65, _87: 1, 2, 3 (PKCS#11 v3.2, ML-DSA) */
export const mlDsaKeyPair = (parameterSet: 1 | 2 | 3): KeyPairGeneration => ({
  kind: 'pair',
  mechanism: plain('ML_DSA_KEY_PAIR_GEN'),
  keyType: keyType.ML_DSA,
  domain: { CKA_PARAMETER_SET: parameterSet },
  publicValue: ['CKA_VALUE'],
  privateValue: [],
});

/** What a key may be used for; nothing else is allowed to it. */
export interface KeyPermissions {
  readonly uses: readonly KeyUse[];
  /** CKA_ALLOWED_MECHANISMS. */
  readonly mechanisms: readonly MechanismName[];
}
export type KeyUse = 'encrypt' | 'decrypt' | 'sign' | 'derive' | 'unwrap';

/** Where an object is found again: CKA_ID, and a CKA_LABEL for the person who looks into the token. */
export interface ObjectNames {
  readonly id: Buffer;
  readonly label: string;
}

const allowed = ({ mechanisms }: KeyPermissions) => ({
  CKA_ALLOWED_MECHANISMS: mechanisms.map((name) => mechanismType[name]),
});

/** In the token, found by CKA_ID, seen only by who has logged in. */
const tokenObject = ({ id, label }: ObjectNames) =>
  ({ CKA_TOKEN: true, CKA_PRIVATE: true, CKA_ID: id, CKA_LABEL: label }) as const;

/** Its value cannot be read (CKA_SENSITIVE), nor leave wrapped (CKA_EXTRACTABLE false): the promise of this service. */
const protectedValue = { CKA_SENSITIVE: true, CKA_EXTRACTABLE: false } as const;

const permits = (uses: readonly KeyUse[], use: KeyUse) => uses.includes(use);

/**
 * A symmetric or HMAC key. CKA_MODIFIABLE and CKA_COPYABLE stay true so that a hot key can be copied into a session
 * object; a copy can only be more protected than its original, and both protections are one-way (PKCS#11 v3.0, 4.4.1).
 */
export function secretKeyTemplate(
  generation: SecretKeyGeneration,
  names: ObjectNames,
  permissions: KeyPermissions,
): Attributes {
  const { uses } = permissions;
  return {
    CKA_CLASS: objectClass.secret,
    CKA_KEY_TYPE: generation.keyType,
    CKA_VALUE_LEN: generation.bytes,
    ...tokenObject(names),
    ...protectedValue,
    CKA_MODIFIABLE: true,
    CKA_COPYABLE: true,
    CKA_ENCRYPT: permits(uses, 'encrypt'),
    CKA_DECRYPT: permits(uses, 'encrypt'),
    CKA_SIGN: permits(uses, 'sign'),
    CKA_VERIFY: permits(uses, 'sign'),
    CKA_DERIVE: false,
    CKA_WRAP: false,
    CKA_UNWRAP: false,
    ...allowed(permissions),
  };
}

/** The private key of a pair: not modifiable and not copyable, as nothing needs it. */
export function privateKeyTemplate(
  generation: KeyPairGeneration,
  names: ObjectNames,
  permissions: KeyPermissions,
): Attributes {
  const { uses } = permissions;
  return {
    CKA_CLASS: objectClass.private,
    CKA_KEY_TYPE: generation.keyType,
    ...tokenObject(names),
    ...protectedValue,
    CKA_MODIFIABLE: false,
    CKA_COPYABLE: false,
    CKA_DECRYPT: permits(uses, 'encrypt') || permits(uses, 'decrypt'),
    CKA_SIGN: permits(uses, 'sign'),
    CKA_SIGN_RECOVER: false,
    CKA_DERIVE: permits(uses, 'derive'),
    CKA_UNWRAP: permits(uses, 'unwrap'),
    ...allowed(permissions),
  };
}

/** The public key of a pair, in the token so that Verify and Encrypt happen there too. */
export function publicKeyTemplate(
  generation: KeyPairGeneration,
  names: ObjectNames,
  permissions: KeyPermissions,
): Attributes {
  const { uses } = permissions;
  return {
    CKA_CLASS: objectClass.public,
    CKA_KEY_TYPE: generation.keyType,
    ...generation.domain,
    ...tokenObject(names),
    CKA_PRIVATE: false,
    CKA_MODIFIABLE: false,
    CKA_COPYABLE: false,
    CKA_ENCRYPT: permits(uses, 'encrypt'),
    CKA_VERIFY: permits(uses, 'sign'),
    CKA_VERIFY_RECOVER: false,
    CKA_WRAP: false,
    // NSS has it true for EC keys otherwise
    CKA_DERIVE: false,
  };
}

/** A key pair that is made to be given away (GenerateDataKeyPair): gone with its session, its value readable. */
export function disclosedKeyPairTemplates(generation: KeyPairGeneration): { public: Attributes; private: Attributes } {
  return {
    public: {
      CKA_CLASS: objectClass.public,
      CKA_KEY_TYPE: generation.keyType,
      ...generation.domain,
      CKA_TOKEN: false,
      CKA_PRIVATE: false,
      CKA_VERIFY: true,
    },
    private: {
      CKA_CLASS: objectClass.private,
      CKA_KEY_TYPE: generation.keyType,
      CKA_TOKEN: false,
      CKA_PRIVATE: true,
      CKA_SENSITIVE: false,
      CKA_EXTRACTABLE: true,
      CKA_SIGN: true,
    },
  };
}

/** The output of a key agreement: gone with its session, its value readable. @param bytes length of the secret */
export function sharedSecretTemplate(bytes: number): Attributes {
  return {
    CKA_CLASS: objectClass.secret,
    CKA_KEY_TYPE: keyType.GENERIC_SECRET,
    CKA_VALUE_LEN: bytes,
    CKA_TOKEN: false,
    CKA_PRIVATE: true,
    CKA_SENSITIVE: false,
    CKA_EXTRACTABLE: true,
  };
}
