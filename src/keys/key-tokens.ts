import type { Token } from '../token/token.js';
import type { Capabilities } from './capabilities.js';
import type { KeyRecord } from './key-record.js';

/** A token, and what it can do of KMS. */
export interface KeyToken {
  readonly token: Token;
  readonly capabilities: Capabilities;
}

/** The tokens that hold keys. */
export interface KeyTokens {
  /** The service's own: all keys that are in no custom key store, the sealing key, random numbers. */
  readonly own: KeyToken;
  /** The token that holds a key. @throws KmsError KMSInvalidStateException when its custom key store is not connected */
  of(key: Pick<KeyRecord, 'customKeyStoreId'>): KeyToken | Promise<KeyToken>;
}
