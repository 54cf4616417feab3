import { X509Certificate } from 'node:crypto';
import type { CustomKeyStoresListEntry } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import { StaleKeyError } from '../keys/key-repository.js';
import { type KeyStoreRecord, keyStoreInvalidState, keyStoreNotFound } from '../keys/key-store-repository.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

/** Objects of the store's token that another token must have too before the store may move to it: the newest ones. */
const comparedObjects = 10;

/** @throws KmsError CustomKeyStoreNotFoundException */
async function keyStoreOf({ keyStores }: Kms, id: string): Promise<KeyStoreRecord> {
  const keyStore = await keyStores.find(id);
  if (keyStore === undefined) throw keyStoreNotFound(id);
  return keyStore;
}

/** @throws KmsError CustomKeyStoreInvalidStateException */
function expectState({ id, connectionState }: KeyStoreRecord, ...allowed: KeyStoreRecord['connectionState'][]): void {
  if (!allowed.includes(connectionState)) throw keyStoreInvalidState(id, connectionState ?? 'DISCONNECTED');
}

/** @throws KmsError UnsupportedOperationException for external key stores */
function refuseExternal(input: object): void {
  const isExternal = ([name, value]: [string, unknown]) =>
    name.startsWith('Xks') ? value !== undefined : name === 'CustomKeyStoreType' && value === 'EXTERNAL_KEY_STORE';
  if (Object.entries(input).some(isExternal)) {
    throw new KmsError(
      'UnsupportedOperationException',
      'External key stores are not supported: a custom key store is a PKCS#11 token of the configuration, of type AWS_CLOUDHSM.',
    );
  }
}

/** @throws KmsError IncorrectTrustAnchorException for what is no PEM certificate */
function checkTrustAnchor(certificate: string): void {
  try {
    if (!certificate.includes('-----BEGIN CERTIFICATE-----')) throw new Error('it is not PEM');
    new X509Certificate(certificate);
  } catch (error) {
    throw new KmsError('IncorrectTrustAnchorException', 'The trust anchor certificate is not a PEM certificate.', {
      cause: error,
    });
  }
}

/** @throws KmsError CloudHsmClusterNotFoundException, CloudHsmClusterNotActiveException */
function checkCluster({ tokens: { keyStores } }: Kms, clusterId: string): void {
  if (!keyStores.isDeclared(clusterId)) {
    throw new KmsError('CloudHsmClusterNotFoundException', `The CloudHSM cluster ${clusterId} does not exist.`);
  }
  if (!keyStores.isPresent(clusterId)) {
    throw new KmsError('CloudHsmClusterNotActiveException', `The CloudHSM cluster ${clusterId} is not active.`);
  }
}

export const createCustomKeyStore = operation('CreateCustomKeyStore', {
  async run(input, { kms }) {
    refuseExternal(input);
    const { CustomKeyStoreName: name, CloudHsmClusterId, TrustAnchorCertificate, KeyStorePassword } = input;
    if (CloudHsmClusterId === undefined || TrustAnchorCertificate === undefined || KeyStorePassword === undefined) {
      throw new KmsError(
        'ValidationException',
        'CloudHsmClusterId, TrustAnchorCertificate and KeyStorePassword are required for custom key stores of type AWS_CLOUDHSM.',
      );
    }
    checkCluster(kms, CloudHsmClusterId);
    checkTrustAnchor(TrustAnchorCertificate);
    const CustomKeyStoreId = await kms.keyStores.create(
      {
        name,
        clusterId: CloudHsmClusterId,
        trustAnchorCertificate: TrustAnchorCertificate,
        createdAt: kms.now(),
      },
      KeyStorePassword,
    );
    return { CustomKeyStoreId };
  },
});

function entryOf(keyStore: KeyStoreRecord): CustomKeyStoresListEntry {
  return {
    CustomKeyStoreId: keyStore.id,
    CustomKeyStoreName: keyStore.name,
    CustomKeyStoreType: 'AWS_CLOUDHSM',
    CloudHsmClusterId: keyStore.clusterId,
    TrustAnchorCertificate: keyStore.trustAnchorCertificate,
    ConnectionState: keyStore.connectionState,
    ConnectionErrorCode: keyStore.connectionError,
    CreationDate: keyStore.createdAt,
  };
}

export const describeCustomKeyStores = operation('DescribeCustomKeyStores', {
  async run(input, { kms }) {
    const { CustomKeyStoreId: id, CustomKeyStoreName: name } = input;
    const asked = pageOf('DescribeCustomKeyStores', input, { usual: 100, most: 1000 });
    if (id !== undefined && name !== undefined) {
      throw new KmsError(
        'ValidationException',
        'You cannot specify CustomKeyStoreId and CustomKeyStoreName in the same request.',
      );
    }
    if (id !== undefined) return { CustomKeyStores: [entryOf(await keyStoreOf(kms, id))], Truncated: false };
    if (name !== undefined) {
      const keyStore = await kms.keyStores.findByName(name);
      if (keyStore === undefined) throw keyStoreNotFound(name);
      return { CustomKeyStores: [entryOf(keyStore)], Truncated: false };
    }
    const found = await kms.keyStores.list(asked.after, asked.limit + 1);
    const { page, ...rest } = pageAnswer('DescribeCustomKeyStores', asked, found, (keyStore) => keyStore.id);
    return { CustomKeyStores: page.map(entryOf), ...rest };
  },
});

/** Waits for the outcome, unlike AWS; a client that polls for it as there finds it at once. */
export const connectCustomKeyStore = operation('ConnectCustomKeyStore', {
  async run({ CustomKeyStoreId }, { kms }) {
    const keyStore = await keyStoreOf(kms, CustomKeyStoreId);
    if (keyStore.connectionState === 'CONNECTED') return {};
    expectState(keyStore, 'DISCONNECTED', 'CONNECTING');
    const connecting = await kms.keyStores.change(keyStore, { connectionState: 'CONNECTING' });
    const connectionError = await kms.tokens.keyStores.connect(connecting);
    try {
      await kms.keyStores.change(
        connecting,
        connectionError === undefined
          ? { connectionState: 'CONNECTED' }
          : { connectionState: 'FAILED', connectionError },
      );
    } catch (error) {
      // somebody has disconnected the store, or connects it too: what they did holds
      if (!(error instanceof StaleKeyError)) throw error;
    }
    return {};
  },
});

/** There is no DISCONNECTING: it would outlive a process that ends in it, and no request would lead out of it. */
export const disconnectCustomKeyStore = operation('DisconnectCustomKeyStore', {
  async run({ CustomKeyStoreId }, { kms }) {
    const keyStore = await keyStoreOf(kms, CustomKeyStoreId);
    expectState(keyStore, 'CONNECTED', 'CONNECTING', 'FAILED');
    await kms.keyStores.change(keyStore, { connectionState: 'DISCONNECTED' });
    kms.tokens.keyStores.disconnect(CustomKeyStoreId);
    return {};
  },
});

/**
 * Throws unless another token has the store's keys: a copy of its token, as a cluster made from a backup is.
 *
 * @throws KmsError CloudHsmClusterNotFoundException, CloudHsmClusterNotActiveException,
 * CloudHsmClusterNotRelatedException
 */
async function checkRelated(kms: Kms, keyStore: KeyStoreRecord, clusterId: string, password: string): Promise<void> {
  checkCluster(kms, clusterId);
  const ids = await kms.keyStores.newestMaterialIds(keyStore, comparedObjects);
  const objects = ids.map((id) => ({ id, class: 'secret' }) as const);
  if (!(await kms.tokens.keyStores.holds(clusterId, password, objects))) {
    throw new KmsError(
      'CloudHsmClusterNotRelatedException',
      `The CloudHSM cluster ${clusterId} does not show the keys of custom key store ${keyStore.id} to the user of this password.`,
    );
  }
}

export const updateCustomKeyStore = operation('UpdateCustomKeyStore', {
  async run(input, { kms }) {
    refuseExternal(input);
    const { CustomKeyStoreId, NewCustomKeyStoreName, KeyStorePassword, CloudHsmClusterId } = input;
    const keyStore = await keyStoreOf(kms, CustomKeyStoreId);
    const isRenamedOnly = KeyStorePassword === undefined && CloudHsmClusterId === undefined;
    expectState(keyStore, 'DISCONNECTED', ...(isRenamedOnly ? (['CONNECTED'] as const) : []));
    if (CloudHsmClusterId !== undefined && CloudHsmClusterId !== keyStore.clusterId) {
      const password = KeyStorePassword ?? (await kms.keyStores.password(keyStore));
      await checkRelated(kms, keyStore, CloudHsmClusterId, password);
    }
    await kms.keyStores.change(keyStore, {
      ...(NewCustomKeyStoreName !== undefined && { name: NewCustomKeyStoreName }),
      ...(CloudHsmClusterId !== undefined && { clusterId: CloudHsmClusterId }),
      password: KeyStorePassword,
    });
    return {};
  },
});

export const deleteCustomKeyStore = operation('DeleteCustomKeyStore', {
  async run({ CustomKeyStoreId }, { kms }) {
    const keyStore = await keyStoreOf(kms, CustomKeyStoreId);
    expectState(keyStore, 'DISCONNECTED');
    await kms.keyStores.delete(keyStore);
    return {};
  },
});

export const customKeyStoreOperations = [
  connectCustomKeyStore,
  createCustomKeyStore,
  deleteCustomKeyStore,
  describeCustomKeyStores,
  disconnectCustomKeyStore,
  updateCustomKeyStore,
] as const;
