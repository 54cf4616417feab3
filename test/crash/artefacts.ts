import { createPublicKey, verify } from 'node:crypto';
import type { EncryptionAlgorithmSpec, KeySpec, KMS, SigningAlgorithmSpec } from '@aws-sdk/client-kms';
import { answered } from './answers.js';
import { LossError } from './facet.js';
import type { Artefact, KeyModel } from './model.js';

export const encryptionContext = { of: 'crash test' };

/** How keys of a spec encrypt: symmetric ones with a context. */
export function encryptionOf({ id, isSymmetric }: KeyModel) {
  return isSymmetric
    ? { KeyId: id, EncryptionContext: encryptionContext }
    : { KeyId: id, EncryptionAlgorithm: 'RSAES_OAEP_SHA_256' as EncryptionAlgorithmSpec };
}

export const signingAlgorithms: { readonly [S in KeySpec]?: SigningAlgorithmSpec } = {
  ECC_NIST_P256: 'ECDSA_SHA_256',
  ECC_NIST_EDWARDS25519: 'ED25519_SHA_512',
  RSA_2048: 'RSASSA_PKCS1_V1_5_SHA_256',
};

/** Has the service undo or confirm what was made with a key, and node:crypto confirm a signature. @throws LossError, UnansweredError */
export async function checkArtefact(kms: KMS, artefact: Artefact): Promise<void> {
  const { kind, key } = artefact;
  const name = `a ${kind} of the key ${key.id} (${key.request.KeySpec})`;
  let isGood: boolean;
  try {
    isGood = await checks[kind](kms, artefact as never);
  } catch (error) {
    throw error instanceof LossError ? new LossError(`${name}: ${error.message}`) : error;
  }
  if (!isGood) throw new LossError(`${name} is not good any more`);
}

type OfKind<K extends Artefact['kind']> = Extract<Artefact, { readonly kind: K }>;

const checks: { readonly [K in Artefact['kind']]: (kms: KMS, artefact: OfKind<K>) => Promise<boolean> } = {
  ciphertext: async (kms, { key, blob, plaintext }) => {
    const { Plaintext } = await answered(kms.decrypt({ ...encryptionOf(key), CiphertextBlob: blob }));
    return plaintext.equals(Plaintext ?? Buffer.alloc(0));
  },
  MAC: async (kms, { key, message, value }) => {
    const request = { KeyId: key.id, Message: message, MacAlgorithm: 'HMAC_SHA_256', Mac: value } as const;
    return (await answered(kms.verifyMac(request))).MacValid === true;
  },
  signature: async (kms, { key, message, value }) => {
    const { KeySpec } = key.request;
    const SigningAlgorithm = signingAlgorithms[KeySpec];
    const request = { KeyId: key.id, Message: message, Signature: value, SigningAlgorithm };
    const { SignatureValid } = await answered(kms.verify(request));
    const publicKey = createPublicKey({ key: await publicKeyOf(kms, key), format: 'der', type: 'spki' });
    const digest = KeySpec === 'ECC_NIST_EDWARDS25519' ? null : 'sha256';
    return SignatureValid === true && verify(digest, message, publicKey, value);
  },
};

/** As it was first read. */
async function publicKeyOf(kms: KMS, key: KeyModel): Promise<Buffer> {
  key.publicKey ??= Buffer.from((await answered(kms.getPublicKey({ KeyId: key.id }))).PublicKey ?? []);
  return key.publicKey;
}
