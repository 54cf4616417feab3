import type { KeySpec } from '@aws-sdk/client-kms';
import type { EcCurveName } from '../../encoding/named-curves.js';

/** What key material of a key spec is: raw bytes within a range of lengths, or a private key as PKCS#8. */
export type ImportableSpec =
  | { readonly kind: 'secret'; readonly leastBytes: number; readonly mostBytes: number }
  | { readonly kind: 'RSA'; readonly modulusBits: number }
  | { readonly kind: 'EC'; readonly curve: EcCurveName }
  | { readonly kind: 'Ed25519' };

export type MaterialKind = ImportableSpec['kind'];

const secret = (leastBytes: number, mostBytes: number): ImportableSpec => ({ kind: 'secret', leastBytes, mostBytes });

/**
 * The key specs whose material can be imported (KMS Developer Guide, Requirements for imported key material). An HMAC
 * key is as long as its hash at least and as its hash's block at most, as RFC 2104 hashes longer ones first.
 */
export const importableSpecs: { readonly [S in KeySpec]?: ImportableSpec } = {
  SYMMETRIC_DEFAULT: secret(32, 32),
  HMAC_224: secret(28, 64),
  HMAC_256: secret(32, 64),
  HMAC_384: secret(48, 128),
  HMAC_512: secret(64, 128),
  RSA_2048: { kind: 'RSA', modulusBits: 2048 },
  RSA_3072: { kind: 'RSA', modulusBits: 3072 },
  RSA_4096: { kind: 'RSA', modulusBits: 4096 },
  ECC_NIST_P256: { kind: 'EC', curve: 'P-256' },
  ECC_NIST_P384: { kind: 'EC', curve: 'P-384' },
  ECC_NIST_P521: { kind: 'EC', curve: 'P-521' },
  ECC_SECG_P256K1: { kind: 'EC', curve: 'secp256k1' },
  ECC_NIST_EDWARDS25519: { kind: 'Ed25519' },
};
