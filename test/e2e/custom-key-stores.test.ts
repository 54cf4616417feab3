import type { CreateCustomKeyStoreRequest, CustomKeyStoresListEntry, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { makeToken, setPin } from '../service/further-token.js';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { testedDatabase } from '../service/tested-database.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';

const pins = { a: 'pin-of-store-a', b: 'pin-of-store-b', c: 'pin-of-store-c' };
const clusters = {
  a: 'cluster-aaaaaaaaaaa',
  b: 'cluster-bbbbbbbbbbb',
  c: 'cluster-ccccccccccc',
  absent: 'cluster-ddddddddddd',
};

let service: Service;
let kms: KMS;

beforeAll(async () => {
  service = await Service.start({
    flags: [
      '--key-stores',
      JSON.stringify([
        { clusterId: clusters.a, tokenLabel: 'store a' },
        { clusterId: clusters.b, tokenLabel: 'store b' },
        { clusterId: clusters.c, tokenLabel: 'store c' },
        { clusterId: clusters.absent, tokenLabel: 'there is no such token' },
      ]),
      '--custom-key-store-quota',
      '2',
    ],
  });
  for (const store of ['a', 'b', 'c'] as const) await makeToken(service.dataDir, `store ${store}`, pins[store]);
  // SoftHSM2 looks for tokens when it is initialised
  await service.restart();
  kms = service.kms;
});
afterAll(() => service?.end());

const requestFor = (store: keyof typeof pins, changes: Partial<CreateCustomKeyStoreRequest> = {}) => ({
  CustomKeyStoreName: `store ${store}`,
  CloudHsmClusterId: clusters[store],
  TrustAnchorCertificate: trustAnchorCertificate,
  KeyStorePassword: pins[store],
  ...changes,
});

async function described(CustomKeyStoreId: string): Promise<CustomKeyStoresListEntry> {
  const { CustomKeyStores } = await kms.describeCustomKeyStores({ CustomKeyStoreId });
  return CustomKeyStores?.[0] as CustomKeyStoresListEntry;
}

async function stateOf(id: string): Promise<string> {
  const { ConnectionState, ConnectionErrorCode } = await described(id);
  return ConnectionErrorCode ? `${ConnectionState} ${ConnectionErrorCode}` : (ConnectionState as string);
}

async function withStore(
  store: keyof typeof pins,
  changes: Partial<CreateCustomKeyStoreRequest>,
  use: (id: string) => Promise<void>,
): Promise<void> {
  const { CustomKeyStoreId = '' } = await kms.createCustomKeyStore(requestFor(store, changes));
  try {
    await use(CustomKeyStoreId);
  } finally {
    if ((await stateOf(CustomKeyStoreId)) !== 'DISCONNECTED') await kms.disconnectCustomKeyStore({ CustomKeyStoreId });
    await kms.deleteCustomKeyStore({ CustomKeyStoreId });
  }
}

describe('CreateCustomKeyStore', () => {
  const { TrustAnchorCertificate: _, ...withoutCertificate } = requestFor('a');
  const { KeyStorePassword: __, ...withoutPassword } = requestFor('a');
  const { CloudHsmClusterId: ___, ...withoutCluster } = requestFor('a');
  const xks = { XksProxyUriPath: '/kms/xks/v1' };
  test.each<[string, CreateCustomKeyStoreRequest, string]>([
    [
      'a cluster of no token',
      requestFor('a', { CloudHsmClusterId: 'cluster-2222222222222' }),
      'CloudHsmClusterNotFoundException',
    ],
    [
      'a cluster whose token is absent',
      requestFor('a', { CloudHsmClusterId: clusters.absent }),
      'CloudHsmClusterNotActiveException',
    ],
    ['no certificate', requestFor('a', { TrustAnchorCertificate: 'certificate' }), 'IncorrectTrustAnchorException'],
    [
      'a PEM frame around nothing',
      requestFor('a', { TrustAnchorCertificate: '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----' }),
      'IncorrectTrustAnchorException',
    ],
    ['without certificate', withoutCertificate, 'ValidationException'],
    ['without password', withoutPassword, 'ValidationException'],
    ['without cluster', withoutCluster, 'ValidationException'],
    ['a password of 6 characters', requestFor('a', { KeyStorePassword: '123456' }), 'ValidationException'],
    [
      'an external key store',
      requestFor('a', { CustomKeyStoreType: 'EXTERNAL_KEY_STORE' }),
      'UnsupportedOperationException',
    ],
    ['a member of external key stores', requestFor('a', xks), 'UnsupportedOperationException'],
  ])('%s is refused', async (_what, request, name) => {
    expect(await refusalName(kms.createCustomKeyStore(request))).toBe(name);
    expect((await kms.describeCustomKeyStores({})).CustomKeyStores).toEqual([]);
  });

  test('names and clusters are unique', async () => {
    await withStore('a', {}, async () => {
      const sameName = requestFor('b', { CustomKeyStoreName: 'store a' });
      expect(await refusalName(kms.createCustomKeyStore(sameName))).toBe('CustomKeyStoreNameInUseException');
      const sameCluster = requestFor('a', { CustomKeyStoreName: 'other' });
      expect(await refusalName(kms.createCustomKeyStore(sameCluster))).toBe('CloudHsmClusterInUseException');
    });
  });

  test('there are as many stores as the quota has, and no more', async () => {
    await withStore('a', {}, () =>
      withStore('b', {}, async () => {
        expect(await refusalName(kms.createCustomKeyStore(requestFor('c')))).toBe('LimitExceededException');
      }),
    );
    await withStore('c', {}, async () => {});
  });

  test('the password is nowhere in the data directory or the log', async () => {
    await withStore('a', { KeyStorePassword: 'a-password-to-look-for' }, async (CustomKeyStoreId) => {
      await kms.connectCustomKeyStore({ CustomKeyStoreId });
      expect(await stateOf(CustomKeyStoreId)).toBe('FAILED INVALID_CREDENTIALS');
      const database = testedDatabase.content(service.dataDir);
      expect(database.includes(CustomKeyStoreId)).toBe(true);
      expect(database.includes('a-password-to-look-for')).toBe(false);
      expect(service.stderr).not.toContain('a-password-to-look-for');
    });
  });
});

describe('DescribeCustomKeyStores', () => {
  test('tells of one by id or name, of all in pages, and of the password nothing', async () => {
    await withStore('a', {}, (a) =>
      withStore('b', {}, async (b) => {
        expect(await described(a)).toEqual({
          CustomKeyStoreId: expect.stringMatching(/^cks-[0-9a-f]{17}$/),
          CustomKeyStoreName: 'store a',
          CustomKeyStoreType: 'AWS_CLOUDHSM',
          CloudHsmClusterId: clusters.a,
          TrustAnchorCertificate: trustAnchorCertificate,
          ConnectionState: 'DISCONNECTED',
          CreationDate: expect.any(Date),
        });
        const { CustomKeyStores } = await kms.describeCustomKeyStores({ CustomKeyStoreName: 'store b' });
        expect(CustomKeyStores?.map((each) => each.CustomKeyStoreId)).toEqual([b]);

        const first = await kms.describeCustomKeyStores({ Limit: 1 });
        expect(first.Truncated).toBe(true);
        const second = await kms.describeCustomKeyStores({ Limit: 1, Marker: first.NextMarker });
        expect(second.Truncated).toBe(false);
        const ids = [first, second].flatMap((page) => page.CustomKeyStores?.map((each) => each.CustomKeyStoreId));
        expect(ids).toEqual([a, b].sort());
      }),
    );
  });

  test.each([
    ['id and name', { CustomKeyStoreId: 'cks-0', CustomKeyStoreName: 'store a' }, 'ValidationException'],
    ['an unknown id', { CustomKeyStoreId: 'cks-0' }, 'CustomKeyStoreNotFoundException'],
    ['an unknown name', { CustomKeyStoreName: 'store z' }, 'CustomKeyStoreNotFoundException'],
    ['a marker of nobody', { Marker: 'x' }, 'InvalidMarkerException'],
  ])('%s is refused', async (_what, request, name) => {
    expect(await refusalName(kms.describeCustomKeyStores(request))).toBe(name);
  });
});

describe('connection states', () => {
  const id = (CustomKeyStoreId: string) => ({ CustomKeyStoreId });
  const operations: Record<string, (store: string) => Promise<unknown>> = {
    connect: (store) => kms.connectCustomKeyStore(id(store)),
    disconnect: (store) => kms.disconnectCustomKeyStore(id(store)),
    rename: (store) => kms.updateCustomKeyStore({ ...id(store), NewCustomKeyStoreName: 'renamed' }),
    'new password': (store) => kms.updateCustomKeyStore({ ...id(store), KeyStorePassword: pins.a }),
    delete: (store) => kms.deleteCustomKeyStore(id(store)),
    'create key': (store) => kms.createKey({ Origin: 'AWS_CLOUDHSM', ...id(store) }),
    random: (store) => kms.generateRandom({ NumberOfBytes: 8, ...id(store) }),
  };
  const refusedIn = {
    DISCONNECTED: ['disconnect', 'create key', 'random'],
    CONNECTED: ['new password', 'delete'],
    FAILED: ['connect', 'rename', 'new password', 'delete', 'create key', 'random'],
  };

  test.each(Object.keys(operations))('%s of an unknown store is CustomKeyStoreNotFoundException', async (name) => {
    expect(await refusalName(operations[name]?.('cks-00000000000000000') as Promise<unknown>)).toBe(
      'CustomKeyStoreNotFoundException',
    );
  });

  test.each(['DISCONNECTED', 'CONNECTED', 'FAILED'] as const)('%s', async (state) => {
    await withStore('a', { KeyStorePassword: state === 'FAILED' ? 'not-the-pin' : pins.a }, async (store) => {
      if (state !== 'DISCONNECTED') await kms.connectCustomKeyStore(id(store));
      for (const name of refusedIn[state]) {
        const refused = await refusal(operations[name]?.(store) as Promise<unknown>);
        expect({ operation: name, refused: refused.name }).toEqual({
          operation: name,
          refused: 'CustomKeyStoreInvalidStateException',
        });
      }
      if (!(refusedIn[state] as string[]).includes('rename')) {
        await operations.rename?.(store);
        expect((await described(store)).CustomKeyStoreName).toBe('renamed');
      }
      expect((await described(store)).ConnectionState).toBe(state);
    });
  });

  test('a wrong password is mended by an update; the own token does not notice', async () => {
    await withStore('a', { KeyStorePassword: 'not-the-pin' }, async (store) => {
      await kms.connectCustomKeyStore(id(store));
      expect(await stateOf(store)).toBe('FAILED INVALID_CREDENTIALS');
      expect((await kms.generateRandom({ NumberOfBytes: 8 })).Plaintext).toHaveLength(8);
      await kms.disconnectCustomKeyStore(id(store));
      expect(await stateOf(store)).toBe('DISCONNECTED');
      await kms.updateCustomKeyStore({ ...id(store), KeyStorePassword: pins.a });
      await kms.connectCustomKeyStore(id(store));
      expect(await stateOf(store)).toBe('CONNECTED');
      await kms.connectCustomKeyStore(id(store));
      expect((await kms.generateRandom({ NumberOfBytes: 8, ...id(store) })).Plaintext).toHaveLength(8);
    });
  });

  test('a PIN that was changed behind the service makes the store FAILED at the next login, and no further one is tried', async () => {
    await withStore('b', {}, async (store) => {
      await kms.connectCustomKeyStore(id(store));
      await setPin(service.dataDir, 'store b', pins.b, 'another-pin');
      try {
        await service.restart();
        kms = service.kms;
        expect(await stateOf(store)).toBe('CONNECTED');
        const random = () => kms.generateRandom({ NumberOfBytes: 8, ...id(store) });
        expect(await refusal(random())).toEqual({
          name: 'CustomKeyStoreInvalidStateException',
          message: expect.stringContaining('INVALID_CREDENTIALS'),
        });
        expect(await stateOf(store)).toBe('FAILED INVALID_CREDENTIALS');
      } finally {
        await setPin(service.dataDir, 'store b', 'another-pin', pins.b);
        // SoftHSM2 reads a token's PIN once per process
        await service.restart();
        kms = service.kms;
      }
      expect(await stateOf(store)).toBe('FAILED INVALID_CREDENTIALS');
      await kms.disconnectCustomKeyStore(id(store));
      await kms.connectCustomKeyStore(id(store));
      expect(await stateOf(store)).toBe('CONNECTED');
    });
  });
});

describe('UpdateCustomKeyStore', () => {
  test.each([
    ['a cluster of no token', { CloudHsmClusterId: 'cluster-2222222222222' }, 'CloudHsmClusterNotFoundException'],
    [
      'a token that does not take the password',
      { CloudHsmClusterId: clusters.b },
      'CloudHsmClusterNotRelatedException',
    ],
    ['a member of external key stores', { XksProxyUriPath: '/kms/xks/v1' }, 'UnsupportedOperationException'],
  ])('%s is refused', async (_what, changes, name) => {
    await withStore('a', {}, async (CustomKeyStoreId) => {
      expect(await refusalName(kms.updateCustomKeyStore({ CustomKeyStoreId, ...changes }))).toBe(name);
    });
  });

  test('names and clusters stay unique; a store without keys moves to another token', async () => {
    await withStore('a', {}, async (CustomKeyStoreId) => {
      const toB = { CustomKeyStoreId, CloudHsmClusterId: clusters.b, KeyStorePassword: pins.b };
      await withStore('b', {}, async () => {
        const renamed = kms.updateCustomKeyStore({ CustomKeyStoreId, NewCustomKeyStoreName: 'store b' });
        expect(await refusalName(renamed)).toBe('CustomKeyStoreNameInUseException');
        expect(await refusalName(kms.updateCustomKeyStore(toB))).toBe('CloudHsmClusterNotRelatedException');
      });
      await kms.updateCustomKeyStore(toB);
      await kms.connectCustomKeyStore({ CustomKeyStoreId });
      expect(await stateOf(CustomKeyStoreId)).toBe('CONNECTED');
    });
  });
});
