import { createPublicKey } from 'node:crypto';
import { parseInput } from '../contract/input.js';
import type { OperationName, OperationTypes } from '../contract/operation-types.js';
import { wrapMaterial } from '../keys/import/import-capabilities.js';
import { wrappingOf } from '../keys/import/wrapping-algorithms.js';
import type { KeyRecord } from '../keys/key-record.js';
import { getParametersForImport, importKeyMaterial } from '../operations/key-import.js';
import type { Kms } from '../operations/kms.js';
import type { Operation } from '../operations/operation.js';

const WrappingKeySpec = 'RSA_2048';

/**
 * Imports the material of a seeded key as a client would: the token makes a wrapping key, the material is encrypted
 * under it, and the token takes it in.
 *
 * @param key one that waits for its first material
 * @param material a secret key's bytes, or a private key as DER PKCS#8
 * @throws KmsError; TokenError
 */
export async function importSeededMaterial(kms: Kms, key: KeyRecord, material: Buffer): Promise<void> {
  const isSecret = key.spec === 'SYMMETRIC_DEFAULT' || key.spec.startsWith('HMAC_');
  const WrappingAlgorithm = isSecret ? 'RSAES_OAEP_SHA_256' : 'RSA_AES_KEY_WRAP_SHA_256';
  const call = { kms, key };
  const { PublicKey, ImportToken } = await ask('GetParametersForImport', getParametersForImport, call, {
    ...{ KeyId: key.arn, WrappingAlgorithm, WrappingKeySpec },
  });
  const wrappingKey = createPublicKey({ key: Buffer.from(PublicKey ?? []), format: 'der', type: 'spki' });
  const { algorithm } = wrappingOf(key.spec, WrappingAlgorithm, WrappingKeySpec);
  await ask('ImportKeyMaterial', importKeyMaterial, call, {
    KeyId: key.arn,
    ImportToken: Buffer.from(ImportToken ?? []).toString('base64'),
    EncryptedKeyMaterial: wrapMaterial(wrappingKey, algorithm, material).toString('base64'),
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
  });
}

/** An operation's own lines: who runs the service needs no permission. @throws KmsError */
async function ask<N extends OperationName>(
  name: N,
  { run }: Operation,
  call: { readonly kms: Kms; readonly key: KeyRecord },
  body: object,
): Promise<OperationTypes[N]['output']> {
  const input = parseInput(name, Buffer.from(JSON.stringify(body)));
  return (await run(input as never, call as never)) as OperationTypes[N]['output'];
}
