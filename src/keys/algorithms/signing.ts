import { constants, createHash, type KeyObject, verify as verifyOutside } from 'node:crypto';
import type { MessageType } from '@aws-sdk/client-kms';
import { KmsError } from '../../contract/kms-error.js';
import { digestInfo } from '../../encoding/digest-info.js';
import { fromDer, toDer } from '../../encoding/ecdsa-signature.js';
import { type EcCurveName, namedCurves } from '../../encoding/named-curves.js';
import { ed25519ph, type Mechanism, type MechanismName, plain, rsaPss } from '../../token/mechanisms.js';
import type { Token } from '../../token/token.js';
import type { KeyMaterial } from '../key-record.js';

type SigningHash = 'sha256' | 'sha384' | 'sha512';
const digestBytes = { sha256: 32, sha384: 48, sha512: 64 } as const;

/** A signing algorithm, as KMS describes it and as the token does it. */
export interface SigningAlgorithm {
  readonly mechanisms: readonly MechanismName[];
  /** Message types that KMS takes for it -> what the token is given to sign. */
  readonly input: { readonly [T in MessageType]?: (message: Buffer, name: string) => Buffer };
  readonly mechanism: Mechanism;
  /** Longest raw signature, in bytes. */
  readonly signatureBytes: number;
  /** The token's form of a signature to KMS's, and back; undefined for what is no signature at all. */
  readonly encode: (raw: Buffer) => Buffer;
  readonly decode: (signature: Buffer) => Buffer | undefined;
  /** True when the token takes long: see KeyCall. */
  readonly slow: boolean;
  /** How to tell that the token does it right. */
  readonly proof: SignatureProof;
}

/** A second opinion on a signature over a RAW message, by node:crypto; or a published answer of a deterministic algorithm. */
export type SignatureProof =
  | { readonly verifies: (publicKey: KeyObject, message: Buffer, signature: Buffer) => boolean }
  /** node:crypto does not know the algorithm: the token verifies its own signatures, and refuses others. */
  | { readonly byTokenOnly: true }
  | { readonly knownAnswer: { readonly privateValue: Buffer; readonly message: Buffer; readonly signature: Buffer } };

const verifiedBy = (
  hash: SigningHash | null,
  padding: { padding?: number; saltLength?: number } = {},
): SignatureProof => ({
  verifies: (key, message, signature) => verifyOutside(hash, message, { key, ...padding }, signature),
});

const asIs = { encode: (raw: Buffer) => raw, decode: (signature: Buffer) => signature };

/** Messages are hashed here, keys are used in the token: RAW and DIGEST of one message give the same signature. */
function hashed(hash: SigningHash, wrap: (digest: Buffer) => Buffer = (digest) => digest): SigningAlgorithm['input'] {
  return {
    RAW: (message) => wrap(createHash(hash).update(message).digest()),
    DIGEST: (digest, name) => wrap(checkedDigest(digest, hash, name)),
  };
}

function checkedDigest(digest: Buffer, hash: SigningHash, name: string): Buffer {
  if (digest.length !== digestBytes[hash]) {
    throw new KmsError('ValidationException', `Digest is invalid length for algorithm ${name}.`);
  }
  return digest;
}

/** RSASSA_PSS: MGF1 with the same hash, a salt as long as the hash. */
export const pss = (hash: SigningHash, modulusBits: number): SigningAlgorithm => ({
  mechanisms: ['RSA_PKCS_PSS'],
  input: hashed(hash),
  mechanism: rsaPss(hash, digestBytes[hash]),
  signatureBytes: modulusBits / 8,
  ...asIs,
  slow: true,
  proof: verifiedBy(hash, { padding: constants.RSA_PKCS1_PSS_PADDING, saltLength: digestBytes[hash] }),
});

/** RSASSA_PKCS1_V1_5: CKM_RSA_PKCS signs the DigestInfo that it is given. */
export const pkcs1 = (hash: SigningHash, modulusBits: number): SigningAlgorithm => ({
  mechanisms: ['RSA_PKCS'],
  input: hashed(hash, (digest) => digestInfo(hash, digest)),
  mechanism: plain('RSA_PKCS'),
  signatureBytes: modulusBits / 8,
  ...asIs,
  slow: true,
  proof: verifiedBy(hash, { padding: constants.RSA_PKCS1_PADDING }),
});

/** ECDSA: PKCS#11 has r||s, KMS has DER ECDSA-Sig-Value. */
export const ecdsa = (hash: SigningHash, curve: EcCurveName): SigningAlgorithm => ({
  mechanisms: ['ECDSA'],
  input: hashed(hash),
  mechanism: plain('ECDSA'),
  signatureBytes: 2 * namedCurves[curve].orderBytes,
  encode: toDer,
  decode: (signature) => fromDer(signature, namedCurves[curve].orderBytes),
  slow: false,
  proof: verifiedBy(hash),
});

/** Pure Ed25519 (RFC 8032): the message itself is signed, so there is no DIGEST. */
export const eddsa = (): SigningAlgorithm => ({
  mechanisms: ['EDDSA'],
  input: { RAW: (message) => message },
  mechanism: plain('EDDSA'),
  signatureBytes: 64,
  ...asIs,
  slow: false,
  proof: verifiedBy(null),
});

/** Ed25519ph over a SHA-512 digest, which the algorithm hashes once more, as KMS defines it. */
export const eddsaPrehashed = (): SigningAlgorithm => ({
  ...eddsa(),
  input: { DIGEST: (digest, name) => checkedDigest(digest, 'sha512', name) },
  mechanism: ed25519ph(),
  // RFC 8032, 7.3. SoftHSM2 2.6 answers with a pure Ed25519 signature, so a verification by the token proves nothing.
  proof: {
    knownAnswer: {
      privateValue: Buffer.from('833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42', 'hex'),
      message: Buffer.from('abc'),
      signature: Buffer.from(
        '98a70222f0b8121aa9d30f813d683f809e462b469c7ff87639499bb94e6dae4131f85042463c2a355a2003d062adf5aaa10b8c61e636062aaad11c2a26083406',
        'hex',
      ),
    },
  },
});

/** Length of a signature per parameter set, in bytes (FIPS 204, table 2). */
const mlDsaSignatureBytes = { 1: 2420, 2: 3309, 3: 4627 } as const;

/** ML-DSA (FIPS 204) with an empty context. */
export const mlDsa = (parameterSet: keyof typeof mlDsaSignatureBytes): SigningAlgorithm => ({
  mechanisms: ['ML_DSA'],
  input: { RAW: (message) => message, EXTERNAL_MU: refuseExternalMu },
  mechanism: plain('ML_DSA'),
  signatureBytes: mlDsaSignatureBytes[parameterSet],
  ...asIs,
  slow: true,
  proof: { byTokenOnly: true },
});

const muBytes = 64;

function refuseExternalMu(mu: Buffer): never {
  if (mu.length !== muBytes)
    throw new KmsError('ValidationException', `A message of type EXTERNAL_MU has ${muBytes} bytes.`);
  throw new KmsError(
    'UnsupportedOperationException',
    'MessageType EXTERNAL_MU is not supported: PKCS#11 has no mechanism that takes mu in place of the message.',
  );
}

/** @throws KmsError ValidationException when the algorithm does not take that type of message, or the digest's length */
function tokenInput(algorithm: SigningAlgorithm, name: string, message: Buffer, type: MessageType): Buffer {
  const input = algorithm.input[type];
  if (input === undefined) {
    throw new KmsError('ValidationException', `MessageType ${type} is not compatible with signing algorithm ${name}.`);
  }
  return input(message, name);
}

/** A message to sign or to verify. */
export interface SigningRequest {
  readonly material: KeyMaterial;
  readonly algorithm: SigningAlgorithm;
  /** KMS's name of the algorithm, for messages. */
  readonly name: string;
  readonly message: Buffer;
  readonly messageType: MessageType;
}

/** The signature in KMS's form. @throws KmsError ValidationException; TokenError */
export async function sign(token: Token, request: SigningRequest): Promise<Buffer> {
  const { material, algorithm } = request;
  const data = tokenInput(algorithm, request.name, request.message, request.messageType);
  const raw = await token.sign(
    {
      key: material.objects.private,
      mechanism: algorithm.mechanism,
      outputBytes: algorithm.signatureBytes,
      slow: algorithm.slow,
    },
    data,
  );
  return algorithm.encode(raw);
}

/** True when the signature, in KMS's form, is this key's. @throws KmsError ValidationException; TokenError */
export async function verify(token: Token, request: SigningRequest, signature: Buffer): Promise<boolean> {
  const { material, algorithm } = request;
  const data = tokenInput(algorithm, request.name, request.message, request.messageType);
  const raw = algorithm.decode(signature);
  if (raw === undefined) return false;
  return token.verify({ key: material.objects.public, mechanism: algorithm.mechanism }, data, raw);
}
