import type { ConnectionErrorCodeType } from '@aws-sdk/client-kms';
import type { KeyObject } from '../token/object-handles.js';
import type { Token } from '../token/token.js';
import type { Capabilities } from './capabilities.js';
import type { KeyRecord } from './key-record.js';
import type { KeyStoreRecord } from './key-store-repository.js';

/** A token, and what it can do of KMS. */
export interface KeyToken {
  readonly token: Token;
  readonly capabilities: Capabilities;
}

/** The tokens that hold keys. */
export interface KeyTokens {
  /** The service's own: all keys that are in no custom key store, the sealing key, random numbers. */
  readonly own: KeyToken;
  /** The token that holds a key. @throws KmsError KMSInvalidStateException when its custom key store cannot be used */
  of(key: Pick<KeyRecord, 'arn' | 'customKeyStoreId'>): KeyToken | Promise<KeyToken>;
  readonly keyStores: KeyStoreTokens;
}

/** The tokens of the configuration that can be custom key stores. */
export interface KeyStoreTokens {
  /** True when the configuration has a token of this CloudHsmClusterId. */
  isDeclared(clusterId: string): boolean;
  /** True when the module shows that token; nobody logs in. */
  isPresent(clusterId: string): boolean;
  /**
   * The token of a store.
   *
   * @throws KmsError CustomKeyStoreNotFoundException; CustomKeyStoreInvalidStateException when it is not connected, or
   * its token cannot be opened
   */
  of(keyStoreId: string): Promise<KeyToken>;
  /** Logs in to the token of a store that is being connected. @returns why not, when it fails */
  connect(keyStore: KeyStoreRecord): Promise<ConnectionErrorCodeType | undefined>;
  /** Lets go of a store's token, if this process has opened it, when the calls in flight are over. */
  disconnect(keyStoreId: string): void;
  /** True when that token takes the PIN and shows all the objects. */
  holds(clusterId: string, pin: string, objects: readonly KeyObject[]): Promise<boolean>;
}
