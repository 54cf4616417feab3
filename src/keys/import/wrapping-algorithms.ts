import type { AlgorithmSpec, KeySpec, WrappingKeySpec } from '@aws-sdk/client-kms';
import { KmsError } from '../../contract/kms-error.js';
import type { OaepHash } from '../../encoding/oaep.js';
import { type ImportableSpec, importableSpecs, type MaterialKind } from './importable-specs.js';

/** How key material is encrypted on its way here. */
export interface WrappingAlgorithm {
  readonly name: AlgorithmSpec;
  /** OAEP's hash, of its MGF1 too. */
  readonly hash: OaepHash;
  /**
   * True when the RSA key encrypts an AES key, and that the key material with AES-KWP (RFC 5649); false when it encrypts
   * the key material itself.
   */
  readonly hybrid: boolean;
  /** The material that KMS takes under it. */
  readonly kinds: readonly MaterialKind[];
}

interface RefusedAlgorithm {
  readonly refusal: string;
}

const direct = (name: AlgorithmSpec, hash: OaepHash): WrappingAlgorithm => ({
  name,
  hash,
  hybrid: false,
  kinds: ['secret', 'EC', 'Ed25519'],
});
const hybrid = (name: AlgorithmSpec, hash: OaepHash): WrappingAlgorithm => ({
  name,
  hash,
  hybrid: true,
  kinds: ['RSA', 'EC', 'Ed25519'],
});

/** GetParametersForImport's WrappingAlgorithm (contract A.13). */
export const wrappingAlgorithms: Readonly<Record<AlgorithmSpec, WrappingAlgorithm | RefusedAlgorithm>> = {
  RSAES_OAEP_SHA_1: direct('RSAES_OAEP_SHA_1', 'sha1'),
  RSAES_OAEP_SHA_256: direct('RSAES_OAEP_SHA_256', 'sha256'),
  RSA_AES_KEY_WRAP_SHA_1: hybrid('RSA_AES_KEY_WRAP_SHA_1', 'sha1'),
  RSA_AES_KEY_WRAP_SHA_256: hybrid('RSA_AES_KEY_WRAP_SHA_256', 'sha256'),
  RSAES_PKCS1_V1_5: { refusal: 'Algorithm RSAES_PKCS1_V1_5 has not been supported since October 10, 2023.' },
  SM2PKE: { refusal: 'Algorithm SM2PKE is supported in the AWS Regions in China only.' },
};

const wrappingKeyBits: Readonly<Record<WrappingKeySpec, number | undefined>> = {
  RSA_2048: 2048,
  RSA_3072: 3072,
  RSA_4096: 4096,
  SM2: undefined,
};

/** What a request for import parameters comes down to. */
export interface Wrapping {
  readonly spec: ImportableSpec;
  readonly algorithm: WrappingAlgorithm;
  readonly wrappingKeyBits: number;
}

function unsupported(message: string): KmsError {
  return new KmsError('UnsupportedOperationException', message);
}

/** What key material of a key spec is. @throws KmsError UnsupportedOperationException when none can be imported */
export function importableSpecOf(spec: KeySpec): ImportableSpec {
  const importable = importableSpecs[spec];
  if (importable === undefined) throw unsupported(`Key material cannot be imported into keys with KeySpec ${spec}.`);
  return importable;
}

/** @throws KmsError UnsupportedOperationException when material of that key spec does not travel in that way */
export function wrappingOf(keySpec: KeySpec, name: AlgorithmSpec, wrappingKeySpec: WrappingKeySpec): Wrapping {
  const spec = importableSpecOf(keySpec);
  const bits = wrappingKeyBits[wrappingKeySpec];
  if (bits === undefined) {
    throw unsupported(`WrappingKeySpec ${wrappingKeySpec} is supported in the AWS Regions in China only.`);
  }
  const algorithm = wrappingAlgorithms[name];
  if ('refusal' in algorithm) throw unsupported(algorithm.refusal);
  if (!algorithm.kinds.includes(spec.kind)) {
    throw unsupported(`Algorithm ${name} cannot be used to wrap key material for KeySpec ${keySpec}.`);
  }
  // its PKCS#8 is longer than what OAEP takes with 2048 bits, whether or not it holds the public key
  if (!algorithm.hybrid && keySpec === 'ECC_NIST_P521' && wrappingKeySpec === 'RSA_2048') {
    throw unsupported(`Algorithm ${name} and WrappingKeySpec RSA_2048 cannot be used to wrap ${keySpec} key material.`);
  }
  return { spec, algorithm, wrappingKeyBits: bits };
}
