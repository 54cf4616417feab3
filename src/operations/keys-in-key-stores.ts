import type { CreateKeyRequest } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { KeyRecord } from '../keys/key-record.js';
import { type KeyStoreRecord, keyStoreNotFound } from '../keys/key-store-repository.js';
import type { KeyToken } from '../keys/key-tokens.js';
import type { Kms } from './kms.js';

/** Where a new key is to live, when that is not the service's own token. */
export interface KeyStorePlace {
  readonly keyStore: KeyStoreRecord;
  readonly keyToken: KeyToken;
}

/**
 * The custom key store that a new key is to live in.
 *
 * @returns undefined for a key in the service's own token
 * @throws KmsError when the request does not fit together, or the store cannot take the key
 */
export async function keyStoreForNewKey(kms: Kms, input: CreateKeyRequest): Promise<KeyStorePlace | undefined> {
  const { Origin = 'AWS_KMS', CustomKeyStoreId, XksKeyId } = input;
  if (Origin === 'EXTERNAL_KEY_STORE' || XksKeyId !== undefined) {
    throw new KmsError(
      'UnsupportedOperationException',
      'External key stores are not supported: keys live in PKCS#11 tokens.',
    );
  }
  if (CustomKeyStoreId === undefined) {
    if (Origin === 'AWS_CLOUDHSM') {
      throw new KmsError('ValidationException', 'CustomKeyStoreId is required with the Origin AWS_CLOUDHSM.');
    }
    return undefined;
  }
  if (Origin !== 'AWS_CLOUDHSM') {
    throw new KmsError('ValidationException', `CustomKeyStoreId is not valid with the Origin ${Origin}.`);
  }
  if ((input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT') !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError(
      'UnsupportedOperationException',
      'Only symmetric encryption keys (SYMMETRIC_DEFAULT) can be created in a custom key store.',
    );
  }
  if (input.MultiRegion) {
    throw new KmsError('UnsupportedOperationException', 'A custom key store cannot hold multi-Region keys.');
  }
  const keyStore = await kms.keyStores.find(CustomKeyStoreId);
  if (keyStore === undefined) throw keyStoreNotFound(CustomKeyStoreId);
  return { keyStore, keyToken: await kms.tokens.keyStores.of(CustomKeyStoreId) };
}

/** @throws KmsError UnsupportedOperationException for what AWS has for keys in its own key store only */
export function refuseInKeyStore(key: KeyRecord): void {
  if (key.customKeyStoreId === undefined) return;
  throw new KmsError('UnsupportedOperationException', `${key.arn} is in a custom key store.`);
}
