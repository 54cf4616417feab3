import {
  constants,
  createCipheriv,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  publicEncrypt,
  randomBytes,
} from 'node:crypto';
import type {
  AlgorithmSpec,
  ImportKeyMaterialRequest,
  ImportKeyMaterialResponse,
  KeySpec,
  WrappingKeySpec,
} from '@aws-sdk/client-kms';
import type { Service } from './service.js';

/** GetParametersForImport's answer. */
export interface Parameters {
  readonly PublicKey: Uint8Array;
  readonly ImportToken: Uint8Array;
}

/** The hash of OAEP, as node:crypto names it. */
export function hashOf(algorithm: AlgorithmSpec): 'sha1' | 'sha256' {
  return algorithm.endsWith('SHA_1') ? 'sha1' : 'sha256';
}

/** RSAES-OAEP under the wrapping key. */
export function encryptFor({ PublicKey }: Pick<Parameters, 'PublicKey'>, hash: string, data: Buffer): Buffer {
  const key = createPublicKey({ key: Buffer.from(PublicKey), format: 'der', type: 'spki' });
  return publicEncrypt({ key, padding: constants.RSA_PKCS1_OAEP_PADDING, oaepHash: hash }, data);
}

/** AES-KWP (RFC 5649), by OpenSSL. */
export function keyWrap(aesKey: Buffer, data: Buffer): Buffer {
  const cipher = createCipheriv(`id-aes${aesKey.length * 8}-wrap-pad`, aesKey, Buffer.from('a65959a6', 'hex'));
  return Buffer.concat([cipher.update(data), cipher.final()]);
}

/** What a client of AWS KMS does with its key material before it sends it. */
export function wrap(parameters: Pick<Parameters, 'PublicKey'>, algorithm: AlgorithmSpec, material: Buffer): Buffer {
  if (!algorithm.startsWith('RSA_AES')) return encryptFor(parameters, hashOf(algorithm), material);
  const aesKey = randomBytes(32);
  return Buffer.concat([encryptFor(parameters, hashOf(algorithm), aesKey), keyWrap(aesKey, material)]);
}

export interface ImportOptions extends Partial<ImportKeyMaterialRequest> {
  readonly algorithm?: AlgorithmSpec;
  readonly wrappingKeySpec?: WrappingKeySpec;
}

/** Gets parameters, wraps, imports: without an expiry unless one is given. */
export async function importInto(
  { kms }: Pick<Service, 'kms'>,
  KeyId: string,
  material: Buffer,
  { algorithm = 'RSAES_OAEP_SHA_256', wrappingKeySpec = 'RSA_2048', ...input }: ImportOptions = {},
): Promise<ImportKeyMaterialResponse> {
  const parameters = await kms.getParametersForImport({
    KeyId,
    WrappingAlgorithm: algorithm,
    WrappingKeySpec: wrappingKeySpec,
  });
  return kms.importKeyMaterial({
    KeyId,
    ImportToken: parameters.ImportToken,
    EncryptedKeyMaterial: wrap(parameters as Parameters, algorithm, material),
    ...(input.ValidTo === undefined && { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' }),
    ...input,
  });
}

export const pkcs8 = (key: KeyObject): Buffer => key.export({ type: 'pkcs8', format: 'der' });
export const spki = (key: KeyObject): Buffer => key.export({ type: 'spki', format: 'der' });

const pairs: Record<string, () => { publicKey: KeyObject; privateKey: KeyObject }> = {
  RSA_2048: () => generateKeyPairSync('rsa', { modulusLength: 2048 }),
  RSA_3072: () => generateKeyPairSync('rsa', { modulusLength: 3072 }),
  RSA_4096: () => generateKeyPairSync('rsa', { modulusLength: 4096 }),
  ECC_NIST_P256: () => generateKeyPairSync('ec', { namedCurve: 'prime256v1' }),
  ECC_NIST_P384: () => generateKeyPairSync('ec', { namedCurve: 'secp384r1' }),
  ECC_NIST_P521: () => generateKeyPairSync('ec', { namedCurve: 'secp521r1' }),
  ECC_SECG_P256K1: () => generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
  ECC_NIST_EDWARDS25519: () => generateKeyPairSync('ed25519'),
};

/** A key pair of a key spec, made outside. */
export function newPair(spec: KeySpec): { publicKey: KeyObject; privateKey: KeyObject } {
  const make = pairs[spec];
  if (make === undefined) throw new Error(`${spec} is no key pair`);
  return make();
}
