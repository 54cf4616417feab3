import { createECDH, createHash, createHmac, createPublicKey, ECDH, randomBytes, verify } from 'node:crypto';
import { encodeEcPoint } from '../../encoding/ec-point.js';
import { type EcCurveName, ed25519, namedCurves } from '../../encoding/named-curves.js';
import { type Pkcs8Key, parsePkcs8, zeroPrivateParts } from '../../encoding/pkcs8.js';
import { ecSpki, ed25519Spki, rsaSpki } from '../../encoding/spki.js';
import { toFixedWidth, withoutLeadingZeros } from '../../encoding/unsigned-integer.js';
import { type Attributes, keyType, objectClass } from '../../token/attributes.js';
import type { ImportedObject, ImportSession } from '../../token/import-session.js';
import { mechanismType, plain } from '../../token/mechanisms.js';
import type { ImportableSpec } from './importable-specs.js';
import type { Incoming } from './unwrapping-ways.js';

/** The public half of a private key that is imported. */
export interface PublicHalf {
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
  /** What a public key object holds. */
  readonly attributes: Attributes;
}

/** Key material that fits its key spec. */
export interface IdentifiedMaterial {
  /** 32 bytes that the same material of the same key always has, and no other material. */
  readonly fingerprint: Buffer;
  /** Undefined for a symmetric or HMAC key. */
  readonly publicHalf: PublicHalf | undefined;
  /** Makes an object of the material. @param attributes all but the value. @throws TokenError */
  readonly make: (attributes: Attributes) => Promise<ImportedObject>;
}

/** Reads back what keeps key material in the token. @throws Error when the token made something else; TokenError */
export function expectProtected(session: ImportSession, object: ImportedObject): void {
  const { CKA_SENSITIVE, CKA_EXTRACTABLE } = session.read(object, ['CKA_SENSITIVE', 'CKA_EXTRACTABLE']);
  if (!CKA_SENSITIVE || CKA_EXTRACTABLE) throw new Error('the token made an object that can be read');
}

type Make = IdentifiedMaterial['make'];

/**
 * Finds out what key material it is. Where it must not leave the token, session objects of it answer: a MAC, the public
 * attributes, a key agreement with the curve's base point.
 *
 * @param keyId the KMS key that it is for: the same material has another fingerprint in another key
 * @returns undefined when it does not fit the key spec
 * @throws TokenError, also when the token finds that it does not decrypt or is no such key
 */
export async function identify(
  session: ImportSession,
  incoming: Incoming,
  spec: ImportableSpec,
  keyId: string,
): Promise<IdentifiedMaterial | undefined> {
  if ('plaintext' in incoming) return identifyDisclosed(session, incoming.plaintext, spec, keyId);
  const { make } = incoming;
  if (spec.kind === 'secret') {
    const fingerprint = await secretFingerprint(session, make, spec, keyId);
    return fingerprint && { fingerprint, publicHalf: undefined, make };
  }
  const publicHalf = await publicHalfInToken(session, make, spec);
  return publicHalf && { fingerprint: publicFingerprint(publicHalf), publicHalf, make };
}

/** A session object of the material that shows nothing of it. */
const testObject = {
  CKA_TOKEN: false,
  CKA_PRIVATE: true,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
} as const satisfies Attributes;

function publicFingerprint({ publicKey }: PublicHalf): Buffer {
  return createHash('sha256').update(publicKey).digest();
}

/** The length is part of it, as HMAC fills a short key up with zeros, and hashes a long one. */
function secretFingerprintInput(keyId: string, bytes: number): Buffer {
  return Buffer.from(`hsm-kms key material\0${keyId}\0${bytes}`);
}

const fits = (bytes: number, spec: ImportableSpec & { kind: 'secret' }) =>
  bytes >= spec.leastBytes && bytes <= spec.mostBytes;

async function secretFingerprint(
  session: ImportSession,
  make: Make,
  spec: ImportableSpec & { kind: 'secret' },
  keyId: string,
): Promise<Buffer | undefined> {
  const object = await make({
    ...testObject,
    CKA_CLASS: objectClass.secret,
    CKA_KEY_TYPE: keyType.GENERIC_SECRET,
    CKA_SIGN: true,
    CKA_ALLOWED_MECHANISMS: [mechanismType.SHA256_HMAC],
  });
  const bytes = session.read(object, ['CKA_VALUE_LEN']).CKA_VALUE_LEN;
  return fits(bytes, spec) ? session.mac(object, secretFingerprintInput(keyId, bytes)) : undefined;
}

async function publicHalfInToken(
  session: ImportSession,
  make: Make,
  spec: Exclude<ImportableSpec, { kind: 'secret' }>,
): Promise<PublicHalf | undefined> {
  if (spec.kind === 'RSA') return rsaInToken(session, make, spec.modulusBits);
  if (spec.kind === 'EC') return ecInToken(session, make, spec.curve);
  throw new Error('no attribute of an Ed25519 private key tells its public key');
}

async function rsaInToken(session: ImportSession, make: Make, modulusBits: number): Promise<PublicHalf | undefined> {
  const object = await make({
    ...testObject,
    CKA_CLASS: objectClass.private,
    CKA_KEY_TYPE: keyType.RSA,
    CKA_SIGN: true,
    CKA_ALLOWED_MECHANISMS: [mechanismType.RSA_PKCS],
  });
  const read = session.read(object, ['CKA_MODULUS', 'CKA_PUBLIC_EXPONENT']);
  return rsaPublicHalf(read.CKA_MODULUS, read.CKA_PUBLIC_EXPONENT, modulusBits);
}

/** @returns undefined unless the modulus has exactly the key spec's bits and the exponent is an odd number above 1 */
function rsaPublicHalf(modulus: Buffer, publicExponent: Buffer, modulusBits: number): PublicHalf | undefined {
  if (modulus.length === 0 || publicExponent.length === 0) return undefined;
  const n = withoutLeadingZeros(modulus);
  const e = withoutLeadingZeros(publicExponent);
  const isWhole = n.length === modulusBits / 8 && n.readUInt8(0) > 0x7f;
  const isOdd = (n.readUInt8(n.length - 1) & e.readUInt8(e.length - 1) & 1) === 1;
  const isOne = e.length === 1 && e[0] === 1;
  // with large moduli OpenSSL takes no longer exponents; a verification would take as long as a signature
  if (!isWhole || !isOdd || isOne || e.length > 8) return undefined;
  return {
    publicKey: rsaSpki({ modulus: n, publicExponent: e }),
    attributes: { CKA_MODULUS: n, CKA_PUBLIC_EXPONENT: e },
  };
}

function ecPublicHalf(curve: EcCurveName, point: Buffer): PublicHalf {
  return {
    publicKey: ecSpki(curve, point),
    attributes: { CKA_EC_PARAMS: namedCurves[curve].ecParams, CKA_EC_POINT: encodeEcPoint(point) },
  };
}

/** The base point, uncompressed: the public key of the private value 1. */
function basePointOf(curve: EcCurveName): Buffer {
  const { opensslName, orderBytes } = namedCurves[curve];
  const one = createECDH(opensslName);
  one.setPrivateKey(toFixedWidth(Buffer.from([1]), orderBytes));
  return one.getPublicKey();
}

/**
 * A key agreement with the base point gives the x coordinate of the public key (ECDH of a private value d with a point P
 * is the x of d * P). Which of the two points with that x it is, a signature tells.
 */
async function ecInToken(session: ImportSession, make: Make, curve: EcCurveName): Promise<PublicHalf | undefined> {
  const object = await make({
    ...testObject,
    CKA_CLASS: objectClass.private,
    CKA_KEY_TYPE: keyType.EC,
    CKA_SIGN: true,
    CKA_DERIVE: true,
    CKA_ALLOWED_MECHANISMS: [mechanismType.ECDSA, mechanismType.ECDH1_DERIVE],
  });
  const { ecParams, fieldBytes, orderBytes, opensslName } = namedCurves[curve];
  if (!session.read(object, ['CKA_EC_PARAMS']).CKA_EC_PARAMS.equals(ecParams)) return undefined;
  const x = toFixedWidth(session.sharedSecret(object, basePointOf(curve), fieldBytes), fieldBytes);
  const message = randomBytes(32);
  const digest = createHash('sha256').update(message).digest();
  const signature = session.sign(object, plain('ECDSA'), digest, 2 * orderBytes);
  for (const sign of [2, 3]) {
    const compressed = Buffer.concat([Buffer.from([sign]), x]);
    const point = ECDH.convertKey(compressed, opensslName, undefined, undefined, 'uncompressed') as Buffer;
    const half = ecPublicHalf(curve, point);
    const key = createPublicKey({ key: half.publicKey, format: 'der', type: 'spki' });
    if (verify('sha256', message, { key, dsaEncoding: 'ieee-p1363' }, signature)) return half;
  }
  return undefined;
}

/** Material that passes through this service. */
function identifyDisclosed(
  session: ImportSession,
  plaintext: Buffer,
  spec: ImportableSpec,
  keyId: string,
): IdentifiedMaterial | undefined {
  if (spec.kind === 'secret') {
    if (!fits(plaintext.length, spec)) return undefined;
    return {
      fingerprint: createHmac('sha256', plaintext).update(secretFingerprintInput(keyId, plaintext.length)).digest(),
      publicHalf: undefined,
      make: async (attributes) => session.create({ ...attributes, CKA_VALUE: plaintext }),
    };
  }
  const key = parsePkcs8(plaintext);
  const publicHalf = key && publicHalfOf(key, spec);
  if (key === undefined || publicHalf === undefined) {
    if (key) zeroPrivateParts(key);
    return undefined;
  }
  zeroPrivateParts(key);
  return {
    fingerprint: publicFingerprint(publicHalf),
    publicHalf,
    make: async (attributes) => createPrivate(session, attributes, plaintext),
  };
}

/** @returns undefined when it is a key of another kind, curve or size */
function publicHalfOf(key: Pkcs8Key, spec: Exclude<ImportableSpec, { kind: 'secret' }>): PublicHalf | undefined {
  if (key.type === 'RSA' && spec.kind === 'RSA') {
    return rsaPublicHalf(Buffer.from(key.modulus), Buffer.from(key.publicExponent), spec.modulusBits);
  }
  if (key.type === 'EC' && spec.kind === 'EC' && key.curve === spec.curve) {
    return ecPublicHalf(key.curve, Buffer.from(key.point));
  }
  if (key.type === 'Ed25519' && spec.kind === 'Ed25519') {
    const point = Buffer.from(key.point);
    return {
      publicKey: ed25519Spki(point),
      attributes: { CKA_EC_PARAMS: ed25519.ecParams.oid, CKA_EC_POINT: encodeEcPoint(point) },
    };
  }
  return undefined;
}

/** C_CreateObject of a private key. @param pkcs8 parsed before, and now again: its parts are kept no longer than needed */
function createPrivate(session: ImportSession, attributes: Attributes, pkcs8: Buffer): ImportedObject {
  const key = parsePkcs8(pkcs8);
  if (key === undefined) throw new Error('the key material is no longer there');
  try {
    return session.create({ ...attributes, ...privateValueOf(key) });
  } finally {
    zeroPrivateParts(key);
  }
}

function privateValueOf(key: Pkcs8Key): Attributes {
  if (key.type === 'EC') return { CKA_EC_PARAMS: namedCurves[key.curve].ecParams, CKA_VALUE: key.privateValue };
  if (key.type === 'Ed25519') return { CKA_EC_PARAMS: ed25519.ecParams.oid, CKA_VALUE: key.seed };
  return {
    CKA_MODULUS: key.modulus,
    CKA_PUBLIC_EXPONENT: key.publicExponent,
    CKA_PRIVATE_EXPONENT: key.privateExponent,
    CKA_PRIME_1: key.prime1,
    CKA_PRIME_2: key.prime2,
    CKA_EXPONENT_1: key.exponent1,
    CKA_EXPONENT_2: key.exponent2,
    CKA_COEFFICIENT: key.coefficient,
  };
}
