import { ECDH } from 'node:crypto';
import { BitString, Integer, Null, ObjectIdentifier, Sequence } from 'asn1js';
import { encodeDer, plainView } from './der.js';
import { type EcCurveName, ed25519, type NamedCurve, namedCurves } from './named-curves.js';
import { derIntegerLength, toFixedWidth, withoutLeadingZeros } from './unsigned-integer.js';

/** Algorithm identifiers of SubjectPublicKeyInfo and PrivateKeyInfo. */
export const keyAlgorithmOids = {
  /** rsaEncryption, RFC 3279 section 2.3.1. */
  RSA: '1.2.840.113549.1.1.1',
  /** id-ecPublicKey, RFC 5480 section 2.1.1. */
  EC: '1.2.840.10045.2.1',
  /** id-Ed25519, RFC 8410 section 3. */
  Ed25519: ed25519.oid,
} as const;

/** AlgorithmIdentifier of an RSA key: parameters NULL, as OpenSSL and AWS write it. */
export const rsaAlgorithm = (): Sequence =>
  new Sequence({ value: [new ObjectIdentifier({ value: keyAlgorithmOids.RSA }), new Null()] });

/** AlgorithmIdentifier of an EC key on a named curve. */
export const ecAlgorithm = (curve: NamedCurve): Sequence =>
  new Sequence({
    value: [new ObjectIdentifier({ value: keyAlgorithmOids.EC }), new ObjectIdentifier({ value: curve.oid })],
  });

/** AlgorithmIdentifier of an Ed25519 key: no parameters. */
export const ed25519Algorithm = (): Sequence =>
  new Sequence({ value: [new ObjectIdentifier({ value: keyAlgorithmOids.Ed25519 })] });

/**
 * All that stands before the public key in a SubjectPublicKeyInfo. Where a key has a fixed length these bytes are the
 * same for every key, which makes writing a concatenation and reading a comparison: nothing of a peer's key is parsed.
 */
function prefixOf(algorithm: Sequence, keyLength: number): Buffer {
  const whole = encodeDer(new Sequence({ value: [algorithm, new BitString({ valueHex: new Uint8Array(keyLength) })] }));
  return whole.subarray(0, whole.length - keyLength);
}

interface EcPrefixes {
  readonly curve: NamedCurve;
  readonly uncompressed: Buffer;
  readonly compressed: Buffer;
}

const ecPrefixesOf = (name: EcCurveName): EcPrefixes => {
  const curve = namedCurves[name];
  return {
    curve,
    uncompressed: prefixOf(ecAlgorithm(curve), 1 + 2 * curve.fieldBytes),
    compressed: prefixOf(ecAlgorithm(curve), 1 + curve.fieldBytes),
  };
};

const ecPrefixes: Readonly<Record<EcCurveName, EcPrefixes>> = {
  'P-256': ecPrefixesOf('P-256'),
  'P-384': ecPrefixesOf('P-384'),
  'P-521': ecPrefixesOf('P-521'),
  secp256k1: ecPrefixesOf('secp256k1'),
};

const ed25519Prefix = prefixOf(ed25519Algorithm(), ed25519.fieldBytes);

/**
 * SubjectPublicKeyInfo of an RSA key (RFC 3279 section 2.3.1).
 *
 * @param key CKA_MODULUS and CKA_PUBLIC_EXPONENT: unsigned big-endian, leading zeros allowed
 * @throws RangeError when one of them is empty
 */
export function rsaSpki(key: { readonly modulus: Buffer; readonly publicExponent: Buffer }): Buffer {
  const publicKey = new Sequence({ value: [unsignedInteger(key.modulus), unsignedInteger(key.publicExponent)] });
  return encodeDer(new Sequence({ value: [rsaAlgorithm(), new BitString({ valueHex: publicKey.toBER() })] }));
}

function unsignedInteger(bytes: Buffer): Integer {
  const significant = withoutLeadingZeros(bytes);
  return new Integer({ valueHex: plainView(toFixedWidth(significant, derIntegerLength(significant))) });
}

/**
 * SubjectPublicKeyInfo of an EC key on a named curve, uncompressed (RFC 5480 section 2).
 *
 * @param point 04||X||Y, as `decodeEcPoint` returns it
 * @throws RangeError when `point` has another form or length
 */
export function ecSpki(curve: EcCurveName, point: Buffer): Buffer {
  const { uncompressed } = ecPrefixes[curve];
  assertUncompressed(curve, point);
  return Buffer.concat([uncompressed, point]);
}

/** @throws RangeError unless `point` is 04||X||Y with the curve's coordinate size */
export function assertUncompressed(curve: EcCurveName, point: Buffer): void {
  if (point.length !== 1 + 2 * namedCurves[curve].fieldBytes || point[0] !== 0x04) {
    throw new RangeError(`Not an uncompressed point of ${curve}`);
  }
}

/**
 * SubjectPublicKeyInfo of an Ed25519 key (RFC 8410 section 4).
 *
 * @param point 32 bytes (RFC 8032 section 5.1.2)
 * @throws RangeError when `point` has another length
 */
export function ed25519Spki(point: Buffer): Buffer {
  if (point.length !== ed25519.fieldBytes) throw new RangeError('An Ed25519 point has 32 bytes');
  return Buffer.concat([ed25519Prefix, point]);
}

export interface EcPublicKey {
  readonly curve: EcCurveName;
  /** Uncompressed: 04||X||Y. */
  readonly point: Buffer;
}

/**
 * Reads the public key of an ECDH peer, which nobody vouches for. Accepted is one DER SubjectPublicKeyInfo with a named
 * curve and a point, uncompressed or compressed, that lies **on that curve**: the token may multiply what it is given
 * without looking, and points of other curves make it give away its private value (invalid-curve attack).
 *
 * @returns undefined for anything else; never throws
 */
export function parseEcSpki(der: Buffer): EcPublicKey | undefined {
  for (const { curve, uncompressed, compressed } of Object.values(ecPrefixes)) {
    const encoded =
      contentBehind(uncompressed, 1 + 2 * curve.fieldBytes, der) ??
      contentBehind(compressed, 1 + curve.fieldBytes, der);
    const point = encoded && pointOnCurve(curve, encoded);
    if (point !== undefined) return { curve: curve.name, point };
  }
  return undefined;
}

function contentBehind(prefix: Buffer, length: number, der: Buffer): Buffer | undefined {
  if (der.length !== prefix.length + length || der.compare(prefix, 0, prefix.length, 0, prefix.length) !== 0) {
    return undefined;
  }
  return der.subarray(prefix.length);
}

/**
 * A point of SEC 1 section 2.3.4 in its uncompressed form.
 *
 * @returns undefined when it is not on the curve, has coordinates outside the field, or is in the hybrid form
 */
function pointOnCurve(curve: NamedCurve, encoded: Buffer): Buffer | undefined {
  const form = encoded[0];
  const allowed = encoded.length === 1 + curve.fieldBytes ? form === 0x02 || form === 0x03 : form === 0x04;
  if (!allowed) return undefined;
  try {
    // OpenSSL's EC_POINT_oct2point: range of the coordinates and the curve equation are checked in it.
    const point = ECDH.convertKey(encoded, curve.opensslName, undefined, undefined, 'uncompressed');
    return Buffer.isBuffer(point) ? point : undefined;
  } catch {
    return undefined;
  }
}
