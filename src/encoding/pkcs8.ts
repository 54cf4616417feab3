/*
 * PrivateKeyInfo (RFC 5208, RFC 5958) without encryption, laid out as `openssl pkcs8 -topk8 -nocrypt` does.
 *
 * Private parts and asn1js: writing, asn1js copies values several times and the copies are out of reach. So it writes a
 * frame, in which zeros stand for the private parts, and those are then copied into their places. Reading, asn1js gives
 * views and copies nothing. Out of reach remain: the numbers that it makes of INTEGERs up to 3 bytes, and, where a
 * public point has to be derived, what OpenSSL holds until the garbage collector frees it.
 */
import { createECDH, createPrivateKey, createPublicKey, randomBytes } from 'node:crypto';
import * as asn1 from 'asn1js';
import {
  bitsOf,
  bufferOver,
  decodeDer,
  elementsOf,
  encodeDer,
  isNull,
  octetsOf,
  oidOf,
  plainView,
  positiveIntegerOf,
} from './der.js';
import { curveOfOid, type EcCurveName, ed25519, namedCurves } from './named-curves.js';
import { assertUncompressed, ecAlgorithm, ed25519Algorithm, keyAlgorithmOids, rsaAlgorithm } from './spki.js';
import { derIntegerLength, toFixedWidth, withoutLeadingZeros } from './unsigned-integer.js';

/** Class of context-specific tags in asn1js. */
const contextSpecific = 3;

/** The numbers of an RSA private key, in the order of RSAPrivateKey (RFC 8017 section A.1.2). */
const rsaParts = [
  'modulus',
  'publicExponent',
  'privateExponent',
  'prime1',
  'prime2',
  'exponent1',
  'exponent2',
  'coefficient',
] as const;

/** Unsigned and big-endian; named as in RFC 8017 and as PKCS#11's CKA_ attributes. */
export type RsaPrivateKey = Readonly<Record<(typeof rsaParts)[number], Buffer>>;

export interface EcPrivateKey {
  readonly curve: EcCurveName;
  /** Unsigned and big-endian, as wide as the group order. */
  readonly privateValue: Buffer;
  /** Uncompressed: 04||X||Y. */
  readonly point: Buffer;
}

export interface Ed25519PrivateKey {
  /** 32 bytes, "private key" in RFC 8032 section 5.1.5. */
  readonly seed: Buffer;
  /** 32 bytes. */
  readonly point: Buffer;
}

/** What `parsePkcs8` found. */
export type Pkcs8Key =
  | ({ readonly type: 'RSA' } & RsaPrivateKey)
  | ({ readonly type: 'EC' } & EcPrivateKey)
  | ({ readonly type: 'Ed25519' } & Ed25519PrivateKey);

/**
 * PrivateKeyInfo of an RSA key.
 *
 * @param key attributes from the token; leading zeros allowed
 * @returns DER; private, the caller zeroes it
 * @throws RangeError when a part is empty
 */
export function rsaPkcs8(key: RsaPrivateKey): Buffer {
  const numbers = rsaParts.map((part) => withoutLeadingZeros(key[part]));
  const frame = new asn1.Sequence({
    value: [
      new asn1.Integer({ value: 0 }),
      ...numbers.map((number) => new asn1.Integer({ valueHex: new Uint8Array(derIntegerLength(number)) })),
    ],
  });
  const der = privateKeyInfo(rsaAlgorithm(), frame);
  const [, ...places] = elementsOf(privateKeyIn(der)) ?? [];
  for (const [index, number] of numbers.entries()) fillEnd(contentsOf(places[index]), number);
  return der;
}

/**
 * PrivateKeyInfo of an EC key, its ECPrivateKey (RFC 5915 section 3) with the public key and without parameters.
 *
 * @param privateValue CKA_VALUE: unsigned big-endian, of any width; written as wide as the group order
 * @param point 04||X||Y
 * @returns DER; private, the caller zeroes it
 * @throws RangeError when a part does not fit the curve
 */
export function ecPkcs8(curve: EcCurveName, privateValue: Buffer, point: Buffer): Buffer {
  const { orderBytes } = namedCurves[curve];
  const number = withoutLeadingZeros(privateValue);
  if (number.length > orderBytes) throw new RangeError(`The private value is too long for ${curve}`);
  assertUncompressed(curve, point);
  const frame = new asn1.Sequence({
    value: [
      new asn1.Integer({ value: 1 }),
      new asn1.OctetString({ valueHex: new Uint8Array(orderBytes) }),
      new asn1.Constructed({
        idBlock: { tagClass: contextSpecific, tagNumber: 1 },
        value: [new asn1.BitString({ valueHex: plainView(point) })],
      }),
    ],
  });
  const der = privateKeyInfo(ecAlgorithm(namedCurves[curve]), frame);
  fillEnd(contentsOf(elementsOf(privateKeyIn(der))?.[1]), number);
  return der;
}

/**
 * PrivateKeyInfo of an Ed25519 key (RFC 8410 section 7), without the public key.
 *
 * @param seed 32 bytes
 * @returns DER; private, the caller zeroes it
 * @throws RangeError when `seed` has another length
 */
export function ed25519Pkcs8(seed: Buffer): Buffer {
  if (seed.length !== ed25519.orderBytes) throw new RangeError('An Ed25519 seed has 32 bytes');
  const der = privateKeyInfo(ed25519Algorithm(), new asn1.OctetString({ valueHex: new Uint8Array(seed.length) }));
  fillEnd(contentsOf(privateKeyIn(der)), seed);
  return der;
}

function privateKeyInfo(algorithm: asn1.Sequence, privateKey: asn1.AsnType): Buffer {
  const octets = new asn1.OctetString({ valueHex: privateKey.toBER() });
  return encodeDer(new asn1.Sequence({ value: [new asn1.Integer({ value: 0 }), algorithm, octets] }));
}

/** The privateKey of a PrivateKeyInfo, parsed; its values are views of `der`. */
function privateKeyIn(der: Buffer): asn1.AsnType | undefined {
  const octets = octetsOf(elementsOf(decodeDer(der))?.[2]);
  return octets && decodeDer(octets);
}

/** The contents of an INTEGER or OCTET STRING of a frame, as a view to write into. */
function contentsOf(block: asn1.AsnType | undefined): Buffer {
  if (block instanceof asn1.Integer || block instanceof asn1.OctetString) {
    return bufferOver(block.valueBlock.valueHexView);
  }
  throw new TypeError('The frame of a private key is not as it was written');
}

function fillEnd(place: Buffer, bytes: Buffer): void {
  bytes.copy(place, place.length - bytes.length);
}

/**
 * Reads a private key that is to be imported: RSA with two primes, EC on a curve of `namedCurves`, Ed25519. Versions 1
 * and 2 of PrivateKeyInfo; attributes are passed over. An EC private value must lie in [1, n-1], and a public key that
 * stands beside a private one must belong to it. Whether the numbers of an RSA key belong together is not checked: use
 * the key once in the token.
 *
 * @param der one DER value, untrusted; not changed, the caller zeroes it
 * @returns the parts, as copies which the caller zeroes with `zeroPrivateParts`; undefined when `der` is something
 *   else; never throws
 */
export function parsePkcs8(der: Buffer): Pkcs8Key | undefined {
  const [version, algorithm, privateKey, ...optional] = elementsOf(decodeDer(der)) ?? [];
  const [oid, parameters, ...surplus] = elementsOf(algorithm) ?? [];
  const octets = octetsOf(privateKey);
  const publicKey = optionalFields(version, optional);
  if (octets === undefined || surplus.length > 0 || publicKey === undefined) return undefined;
  const name = oidOf(oid);
  if (name === keyAlgorithmOids.RSA) return parseRsa(octets, parameters);
  if (name === keyAlgorithmOids.EC) return parseEc(octets, parameters, publicKey);
  if (name === keyAlgorithmOids.Ed25519) return parseEd25519(octets, parameters, publicKey);
  return undefined;
}

/** The bytes of a `publicKey [1] IMPLICIT BIT STRING`, empty when there is none; undefined when the fields are wrong. */
function optionalFields(version: asn1.AsnType | undefined, fields: asn1.AsnType[]): Buffer | undefined {
  const isSecond = isInteger(version, 1);
  if (!isSecond && !isInteger(version, 0)) return undefined;
  const rest = isContext(fields[0], 0) && fields[0] instanceof asn1.Constructed ? fields.slice(1) : fields;
  const [publicKey, ...surplus] = rest;
  if (publicKey === undefined) return Buffer.alloc(0);
  if (!isSecond || surplus.length > 0 || !isContext(publicKey, 1)) return undefined;
  if (!(publicKey instanceof asn1.Primitive)) return undefined;
  const bits = bufferOver(publicKey.valueBlock.valueHexView);
  // The first byte of a BIT STRING counts the unused bits of its last.
  return bits.length > 1 && bits[0] === 0 ? bits.subarray(1) : undefined;
}

function isContext(block: asn1.AsnType | undefined, tagNumber: number): boolean {
  return block?.idBlock.tagClass === contextSpecific && block.idBlock.tagNumber === tagNumber;
}

function isInteger(block: asn1.AsnType | undefined, value: number): boolean {
  if (!(block instanceof asn1.Integer)) return false;
  const { valueHexView } = block.valueBlock;
  return valueHexView.length === 1 && valueHexView[0] === value;
}

function parseRsa(octets: Buffer, parameters: asn1.AsnType | undefined): Pkcs8Key | undefined {
  if (!isNull(parameters)) return undefined;
  // Version 0 is "two primes"; with more of them there is a tenth element.
  const [version, ...numbers] = elementsOf(decodeDer(octets)) ?? [];
  if (!isInteger(version, 0) || numbers.length !== rsaParts.length) return undefined;
  const [modulus, publicExponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient] =
    numbers.map(positiveIntegerOf);
  if (!modulus || !publicExponent || !privateExponent || !prime1 || !prime2) return undefined;
  if (!exponent1 || !exponent2 || !coefficient) return undefined;
  return {
    type: 'RSA',
    modulus: copyOf(modulus),
    publicExponent: copyOf(publicExponent),
    privateExponent: copyOf(privateExponent),
    prime1: copyOf(prime1),
    prime2: copyOf(prime2),
    exponent1: copyOf(exponent1),
    exponent2: copyOf(exponent2),
    coefficient: copyOf(coefficient),
  };
}

function parseEc(octets: Buffer, parameters: asn1.AsnType | undefined, outerPoint: Buffer): Pkcs8Key | undefined {
  const curve = curveOfOid(oidOf(parameters) ?? '');
  const [version, value, ...optional] = elementsOf(decodeDer(octets)) ?? [];
  const number = octetsOf(value);
  if (curve === undefined || !isInteger(version, 1) || number === undefined) return undefined;
  if (number.length === 0 || number.length > curve.orderBytes) return undefined;

  // parameters [0] EXPLICIT and publicKey [1] EXPLICIT, both optional (RFC 5915 section 3).
  const innerParameters = explicit(optional[0], 0);
  const publicKey = innerParameters === undefined ? optional[0] : optional[1];
  const expectedLength = (innerParameters === undefined ? 0 : 1) + (publicKey === undefined ? 0 : 1);
  if (optional.length !== expectedLength) return undefined;
  if (innerParameters !== undefined && oidOf(innerParameters) !== curve.oid) return undefined;
  const innerPoint = publicKey === undefined ? Buffer.alloc(0) : bitsOf(explicit(publicKey, 1));
  if (innerPoint === undefined) return undefined;

  const privateValue = toFixedWidth(number, curve.orderBytes);
  const points = ecPointsOf(curve.opensslName, privateValue);
  const claimed = [outerPoint, innerPoint].filter((point) => point.length > 0);
  if (points && claimed.every((claim) => points.some((point) => point.equals(claim)))) {
    return { type: 'EC', curve: curve.name, privateValue, point: points[0] };
  }
  privateValue.fill(0);
  return undefined;
}

/** What is in `[tagNumber] EXPLICIT`; undefined when `block` is something else. */
function explicit(block: asn1.AsnType | undefined, tagNumber: number): asn1.AsnType | undefined {
  if (!(block instanceof asn1.Constructed) || !isContext(block, tagNumber)) return undefined;
  return block.valueBlock.value.length === 1 ? block.valueBlock.value[0] : undefined;
}

/** The public point in its uncompressed and its compressed form; undefined when the value is not in [1, n-1]. */
function ecPointsOf(opensslName: string, privateValue: Buffer): [Buffer, Buffer] | undefined {
  try {
    const ecdh = createECDH(opensslName);
    ecdh.setPrivateKey(privateValue);
    return [ecdh.getPublicKey(null, 'uncompressed'), ecdh.getPublicKey(null, 'compressed')];
  } catch {
    return undefined;
  }
}

function parseEd25519(octets: Buffer, parameters: asn1.AsnType | undefined, claimed: Buffer): Pkcs8Key | undefined {
  // CurvePrivateKey ::= OCTET STRING, inside the OCTET STRING that every PrivateKeyInfo has.
  const seed = octetsOf(decodeDer(octets));
  if (parameters !== undefined || seed?.length !== ed25519.orderBytes) return undefined;
  const point = ed25519PointOf(seed);
  if (claimed.length > 0 && !claimed.equals(point)) return undefined;
  return { type: 'Ed25519', seed: copyOf(seed), point };
}

function ed25519PointOf(seed: Buffer): Buffer {
  const der = ed25519Pkcs8(seed);
  // A module that shares OpenSSL with Node (SoftHSM2) leaves its errors in the thread's queue, where createPrivateKey
  // takes them for its own. This empties the queue.
  randomBytes(1);
  try {
    const publicKey = createPublicKey(createPrivateKey({ key: der, format: 'der', type: 'pkcs8' }));
    const spki = publicKey.export({ format: 'der', type: 'spki' });
    return spki.subarray(spki.length - ed25519.fieldBytes);
  } finally {
    der.fill(0);
  }
}

/** In memory of its own: zeroing it must not wait for Node's shared pool. */
function copyOf(bytes: Buffer): Buffer {
  const copy = Buffer.alloc(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Zeroes all parts of a key that `parsePkcs8` returned, the public ones with them. */
export function zeroPrivateParts(key: Pkcs8Key): void {
  for (const part of Object.values(key)) if (Buffer.isBuffer(part)) part.fill(0);
}
