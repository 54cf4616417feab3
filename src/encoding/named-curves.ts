import { ObjectIdentifier, PrintableString } from 'asn1js';
import { encodeDer } from './der.js';

export type EcCurveName = 'P-256' | 'P-384' | 'P-521' | 'secp256k1';

/** A short Weierstrass curve of cofactor 1, as SEC 2 and RFC 5480 name it. */
export interface NamedCurve {
  readonly name: EcCurveName;
  /** namedCurve of RFC 5480 section 2.1.1.1. */
  readonly oid: string;
  /** CKA_EC_PARAMS: the DER of `oid` (PKCS#11 v2.40 mechanisms, section 2.3.3). */
  readonly ecParams: Buffer;
  /** Bytes of one coordinate. */
  readonly fieldBytes: number;
  /** Bytes of the group order, which is the width of a private value and of r and s in a signature. */
  readonly orderBytes: number;
  /** What OpenSSL and node:crypto call it. */
  readonly opensslName: string;
}

const curve = (name: EcCurveName, oid: string, bytes: number, opensslName: string): NamedCurve => ({
  name,
  oid,
  ecParams: encodeDer(new ObjectIdentifier({ value: oid })),
  fieldBytes: bytes,
  orderBytes: bytes,
  opensslName,
});

/** The curves of KMS's ECC_NIST_P* and ECC_SECG_P256K1 key specs. */
export const namedCurves: Readonly<Record<EcCurveName, NamedCurve>> = {
  'P-256': curve('P-256', '1.2.840.10045.3.1.7', 32, 'prime256v1'),
  'P-384': curve('P-384', '1.3.132.0.34', 48, 'secp384r1'),
  'P-521': curve('P-521', '1.3.132.0.35', 66, 'secp521r1'),
  secp256k1: curve('secp256k1', '1.3.132.0.10', 32, 'secp256k1'),
};

const ed25519Oid = '1.3.101.112';

/**
 * Ed25519. Tokens disagree about its CKA_EC_PARAMS: PKCS#11 v3.0 takes the DER of the
 * PrintableString "edwards25519" or of the OID of RFC 8410, and many tokens take only one of the two.
 */
export const ed25519 = {
  name: 'Ed25519',
  oid: ed25519Oid,
  ecParams: {
    curveName: encodeDer(new PrintableString({ value: 'edwards25519' })),
    oid: encodeDer(new ObjectIdentifier({ value: ed25519Oid })),
  },
  /** Bytes of the encoded point (RFC 8032 section 5.1.2). */
  fieldBytes: 32,
  /** Bytes of each half of a signature. */
  orderBytes: 32,
} as const;

/** The curve that a CKA_EC_PARAMS read from a token names, or undefined: explicit parameters are not followed. */
export function curveOfEcParams(ecParams: Buffer): EcCurveName | 'Ed25519' | undefined {
  for (const known of Object.values(namedCurves)) if (known.ecParams.equals(ecParams)) return known.name;
  return Object.values(ed25519.ecParams).some((known) => known.equals(ecParams)) ? 'Ed25519' : undefined;
}

/** The curve with this namedCurve OID (dotted form), or undefined. */
export function curveOfOid(oid: string): NamedCurve | undefined {
  return Object.values(namedCurves).find((known) => known.oid === oid);
}
