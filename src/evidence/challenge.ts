import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { canonicalJson } from './canonical-json.js';

/** What a key is asked to sign: it says of itself that it is nothing else, whatever the nonce. */
export function challengeText(facts: {
  /** ARN, or the name of a key that has none. */
  readonly key: string;
  /** KeyMaterialId. */
  readonly material: string;
  /** Hexadecimal digits. */
  readonly nonce: string;
  /** ISO 8601. */
  readonly madeAt: string;
}): Buffer {
  return Buffer.from(canonicalJson({ purpose: 'hsm-kms evidence challenge', ...facts }));
}

interface Verification {
  /** KeyObject.asymmetricKeyType of its keys. */
  readonly key: string;
  readonly hash: 'sha256' | 'sha384' | 'sha512' | null;
  readonly padding?: { readonly padding: number; readonly saltLength?: number };
}
const pkcs1 = (hash: 'sha256' | 'sha384' | 'sha512'): Verification => ({
  key: 'rsa',
  hash,
  padding: { padding: constants.RSA_PKCS1_PADDING },
});
const pss = (hash: 'sha256' | 'sha384' | 'sha512', saltLength: number): Verification => ({
  key: 'rsa',
  hash,
  padding: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength },
});

/** KMS's SigningAlgorithmSpec -> how node:crypto verifies it. */
const verifications: Readonly<Record<string, Verification>> = {
  RSASSA_PKCS1_V1_5_SHA_256: pkcs1('sha256'),
  RSASSA_PKCS1_V1_5_SHA_384: pkcs1('sha384'),
  RSASSA_PKCS1_V1_5_SHA_512: pkcs1('sha512'),
  RSASSA_PSS_SHA_256: pss('sha256', 32),
  RSASSA_PSS_SHA_384: pss('sha384', 48),
  RSASSA_PSS_SHA_512: pss('sha512', 64),
  ECDSA_SHA_256: { key: 'ec', hash: 'sha256' },
  ECDSA_SHA_384: { key: 'ec', hash: 'sha384' },
  ECDSA_SHA_512: { key: 'ec', hash: 'sha512' },
  ED25519_SHA_512: { key: 'ed25519', hash: null },
};

/**
 * Whether a signature is a public key's, by node:crypto.
 *
 * @param publicKey DER SubjectPublicKeyInfo
 * @returns undefined where that is not known here: ML-DSA, which Node.js 20 does not have
 */
export function isSignatureOf(
  publicKey: Buffer,
  algorithm: string,
  message: Buffer,
  signature: Buffer,
): boolean | undefined {
  const verification = verifications[algorithm];
  if (verification === undefined) return undefined;
  let key: KeyObject;
  try {
    key = createPublicKey({ key: publicKey, format: 'der', type: 'spki' });
  } catch {
    return undefined;
  }
  // node:crypto would overlook a padding that is none of the key's
  if (key.asymmetricKeyType !== verification.key) return false;
  try {
    return verify(verification.hash, message, { key, ...verification.padding }, signature);
  } catch {
    // what has no signature's form
    return false;
  }
}
