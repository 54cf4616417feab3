import { constants, createPublicKey, type KeyObject, verify } from 'node:crypto';
import { Null } from 'asn1js';
import { AlgorithmIdentifier, RSASSAPSSParams } from 'pkijs';
import { namedCurves } from '../encoding/named-curves.js';

type Hash = 'sha256' | 'sha384' | 'sha512';

/** A KMS signing algorithm, as X.509 names it. */
interface SignatureAlgorithm {
  /** What `kindOfKey` says of the keys that it is for. */
  readonly key: string;
  /** Undefined where the message itself is signed. */
  readonly hash: Hash | undefined;
  readonly oid: string;
  /** Parameters of the AlgorithmIdentifier; undefined where they are absent. */
  readonly parameters?: () => Null | ReturnType<RSASSAPSSParams['toSchema']>;
  readonly padding?: { readonly padding: number; readonly saltLength?: number };
}

/** Object identifiers and lengths of digests (RFC 8017 appendix B.1). */
const hashes = {
  sha256: { oid: '2.16.840.1.101.3.4.2.1', bytes: 32 },
  sha384: { oid: '2.16.840.1.101.3.4.2.2', bytes: 48 },
  sha512: { oid: '2.16.840.1.101.3.4.2.3', bytes: 64 },
} as const;
const pssOid = '1.2.840.113549.1.1.10';
const mgf1Oid = '1.2.840.113549.1.1.8';

const pkcs1 = (hash: Hash, oid: string): SignatureAlgorithm => ({
  ...{ key: 'rsa', hash, oid },
  parameters: () => new Null(),
  padding: { padding: constants.RSA_PKCS1_PADDING },
});

const pss = (hash: Hash): SignatureAlgorithm => ({
  ...{ key: 'rsa', hash, oid: pssOid },
  parameters: () => pssParameters(hash).toSchema(),
  padding: { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: hashes[hash].bytes },
});

/** RSASSA-PSS-params: MGF1 with the same hash, a salt as long as it (RFC 4055 section 3.1). */
function pssParameters(hash: Hash): RSASSAPSSParams {
  const hashAlgorithm = new AlgorithmIdentifier({ algorithmId: hashes[hash].oid, algorithmParams: new Null() });
  const maskGenAlgorithm = new AlgorithmIdentifier({
    algorithmId: mgf1Oid,
    algorithmParams: hashAlgorithm.toSchema(),
  });
  return new RSASSAPSSParams({ hashAlgorithm, maskGenAlgorithm, saltLength: hashes[hash].bytes });
}

/** RFC 5758 section 3.2, RFC 4055 section 5, RFC 8410 section 3. */
const signatureAlgorithms = {
  RSASSA_PKCS1_V1_5_SHA_256: pkcs1('sha256', '1.2.840.113549.1.1.11'),
  RSASSA_PKCS1_V1_5_SHA_384: pkcs1('sha384', '1.2.840.113549.1.1.12'),
  RSASSA_PKCS1_V1_5_SHA_512: pkcs1('sha512', '1.2.840.113549.1.1.13'),
  RSASSA_PSS_SHA_256: pss('sha256'),
  RSASSA_PSS_SHA_384: pss('sha384'),
  RSASSA_PSS_SHA_512: pss('sha512'),
  ECDSA_SHA_256: { key: namedCurves['P-256'].opensslName, hash: 'sha256', oid: '1.2.840.10045.4.3.2' },
  ECDSA_SHA_384: { key: namedCurves['P-384'].opensslName, hash: 'sha384', oid: '1.2.840.10045.4.3.3' },
  ECDSA_SHA_512: { key: namedCurves['P-521'].opensslName, hash: 'sha512', oid: '1.2.840.10045.4.3.4' },
  ED25519_SHA_512: { key: 'ed25519', hash: undefined, oid: '1.3.101.112' },
} as const satisfies Record<string, SignatureAlgorithm>;

/** A signing algorithm by KMS's name. */
export type SignatureAlgorithmName = keyof typeof signatureAlgorithms;

const rows: readonly (readonly [SignatureAlgorithmName, SignatureAlgorithm])[] = Object.entries(
  signatureAlgorithms,
) as [SignatureAlgorithmName, SignatureAlgorithm][];

/** Shortest RSA modulus, in bits. */
const leastModulusBits = 2048;
/** Smallest RSA exponent (FIPS 186-5, 5.1): with 1 anybody signs. */
const leastExponent = 65_537n;

/** rsa, ed25519, or what OpenSSL calls the curve; undefined for keys that certificates are not made for here. */
function kindOfKey({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): string | undefined {
  const { modulusLength = 0, publicExponent = 0n, namedCurve } = asymmetricKeyDetails ?? {};
  if (asymmetricKeyType === 'rsa' && (modulusLength < leastModulusBits || publicExponent < leastExponent))
    return undefined;
  const kind = asymmetricKeyType === 'ec' ? namedCurve : asymmetricKeyType;
  return rows.some(([, { key }]) => key === kind) ? kind : undefined;
}

/**
 * A public key that a certificate can be about.
 *
 * @param spki DER SubjectPublicKeyInfo
 * @throws Error with a sentence, for other keys
 */
export function certifiableKey(spki: Buffer): KeyObject {
  let key: KeyObject | undefined;
  try {
    key = createPublicKey({ key: spki, format: 'der', type: 'spki' });
  } catch {
    // what OpenSSL does not read is refused below
  }
  if (key === undefined || kindOfKey(key) === undefined) {
    throw new Error(
      `Certificates are for RSA keys of at least ${leastModulusBits} bits and an exponent of at least ${leastExponent}, and for keys on P-256, P-384, P-521 and Ed25519.`,
    );
  }
  return key;
}

/** The algorithms that sign with a key, the usual one first. @throws Error with a sentence, for keys that have none */
export function algorithmsOf(spki: Buffer): readonly SignatureAlgorithmName[] {
  const kind = kindOfKey(certifiableKey(spki));
  return rows.filter(([, { key }]) => key === kind).map(([name]) => name);
}

/** The hash of the message that is signed; undefined where the message itself is. */
export function hashOf(name: SignatureAlgorithmName): Hash | undefined {
  return signatureAlgorithms[name].hash;
}

/** AlgorithmIdentifier of a signature. */
export function signatureIdentifier(name: SignatureAlgorithmName): AlgorithmIdentifier {
  const { oid, parameters }: SignatureAlgorithm = signatureAlgorithms[name];
  return new AlgorithmIdentifier({ algorithmId: oid, ...(parameters && { algorithmParams: parameters() }) });
}

/** The algorithm that an AlgorithmIdentifier names; undefined for others. */
export function algorithmOfIdentifier(identifier: AlgorithmIdentifier): SignatureAlgorithmName | undefined {
  const hash = identifier.algorithmId === pssOid ? pssHash(identifier) : undefined;
  const isIt = (row: SignatureAlgorithm) =>
    row.oid === identifier.algorithmId && (row.oid !== pssOid || row.hash === hash);
  return rows.find(([, row]) => isIt(row))?.[0];
}

/** The hash of RSASSA-PSS-params that are as `pssParameters` makes them; undefined for others. */
function pssHash({ algorithmParams }: AlgorithmIdentifier): Hash | undefined {
  if (algorithmParams === undefined) return undefined;
  const { hashAlgorithm, maskGenAlgorithm, saltLength } = new RSASSAPSSParams({ schema: algorithmParams });
  const names = Object.keys(hashes) as Hash[];
  const hash = names.find((name) => hashes[name].oid === hashAlgorithm.algorithmId);
  if (hash === undefined || maskGenAlgorithm.algorithmId !== mgf1Oid) return undefined;
  const mask = new AlgorithmIdentifier({ schema: maskGenAlgorithm.algorithmParams });
  return mask.algorithmId === hashAlgorithm.algorithmId && saltLength === hashes[hash].bytes ? hash : undefined;
}

/**
 * Whether a signature, in X.509's form, is the key's. A stranger may sign with any hash by any curve.
 *
 * @param spki DER SubjectPublicKeyInfo
 */
export function isSignedBy(spki: Buffer, name: SignatureAlgorithmName, data: Buffer, signature: Buffer): boolean {
  const { key: kind, hash, padding }: SignatureAlgorithm = signatureAlgorithms[name];
  const key = certifiableKey(spki);
  const type = kind === 'rsa' || kind === 'ed25519' ? kind : 'ec';
  return key.asymmetricKeyType === type && verify(hash, data, { key, ...padding }, signature);
}
