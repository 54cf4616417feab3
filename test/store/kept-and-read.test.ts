import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { sql } from 'kysely';
import { administratorAccessArn } from '../../src/authorization/aws-managed-policies.js';
import { Iam } from '../../src/authorization/iam/iam.js';
import { Identities } from '../../src/authorization/identities.js';
import { StoredPolicies } from '../../src/authorization/stored-policies.js';
import { AliasRepository } from '../../src/keys/alias-repository.js';
import { GrantRepository } from '../../src/keys/grant-repository.js';
import { newMaterial } from '../../src/keys/key-record.js';
import { KeyRepository, type NewKey } from '../../src/keys/key-repository.js';
import { KeyStoreRepository } from '../../src/keys/key-store-repository.js';
import { PublishedKeys } from '../../src/keys/published-keys.js';
import { deleteTags, putTags } from '../../src/keys/tags.js';
import type { Store } from '../../src/store/store.js';
import type { Sealer } from '../../src/token/sealing.js';
import { TestStore } from '../service/store.js';
import { testedDatabase } from '../service/tested-database.js';

/**
 * Whatever two processes change in whatever order, what each has in memory afterwards is what a process without any
 * memory reads.
 */
const account = '111122223333';
const at = new Date('2026-01-02T03:04:05Z');
const statement = (Effect: string) =>
  JSON.stringify({ Version: '2012-10-17', Statement: [{ Effect, Action: 'kms:*', Resource: '*' }] });
const trust = (Effect: string) =>
  JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ Effect, Principal: { AWS: account }, Action: 'sts:AssumeRole' }],
  });

const keyIds = ['key-1', 'key-2', 'key-3'];
const aliasNames = ['alias/a', 'alias/b'];
const names = ['bob', 'eve'];
const arnOf = (kind: string, name: string) => `arn:aws:iam::${account}:${kind}/${name}`;
const accessKeyOf = (name: string) => `AKIA${name.toUpperCase().padEnd(16, 'X')}`;
const grantees = [[arnOf('user', 'bob')], [arnOf('user', 'bob'), arnOf('user', 'eve')]];

/** One for all: what is compiled of the same text is the same, and can be compared. */
const policies = new StoredPolicies(() => {});

/** What one process has in memory, over its store. */
function kept(store: Store) {
  const sealer = { seal: async (_: string, plain: Buffer) => plain, open: async (_: string, sealed: Buffer) => sealed };
  const keys = new KeyRepository(store, { region: 'us-east-1', accountId: account }, 100);
  return {
    store,
    keys,
    aliases: new AliasRepository(store, keys.home, 50),
    grants: new GrantRepository(store, 50),
    keyStores: new KeyStoreRepository(store, sealer as unknown as Sealer, 10),
    identities: new Identities(store, sealer as unknown as Sealer, account, policies),
    published: new PublishedKeys(store, keys),
    iam: <T>(work: (iam: Iam) => Promise<T>) => store.change((change) => work(new Iam(change, account, at))),
  };
}
type Kept = ReturnType<typeof kept>;

/** All that requests are decided by. */
async function seenBy({ keys, aliases, grants, keyStores, identities, published, store }: Kept): Promise<unknown> {
  const stores = await store.db.selectFrom('custom_key_stores').select('id').orderBy('id').execute();
  const each = async <T>(ids: readonly string[], find: (id: string) => T) => Promise.all(ids.map(find));
  return {
    keys: await each(keyIds, (id) => keys.find(id)),
    aliases: await each(aliasNames, (name) => aliases.find(name)),
    grants: await each(keyIds, (id) => Promise.all(grantees.map((list) => sorted(grants.ofGrantees(id, list))))),
    keyStores: await each(
      stores.map(({ id }) => id),
      (id) => keyStores.find(id),
    ),
    accessKeys: await each(names, (name) => identities.find(accessKeyOf(name))),
    roles: await each(names, (name) => identities.findRole(arnOf('role', name))),
    published: [...(await published.find())],
  };
}

async function sorted(found: ReturnType<GrantRepository['ofGrantees']>) {
  return [...(await found)].sort((one, other) => (one.id < other.id ? -1 : 1));
}

const publicKey = Buffer.from(
  'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==',
  'base64',
);

function newKey(id: string, customKeyStoreId: string | undefined): NewKey {
  const material = newMaterial(Buffer.alloc(32, id), publicKey, at);
  return {
    id,
    spec: 'ECC_NIST_P256',
    usage: 'SIGN_VERIFY',
    origin: 'AWS_KMS',
    state: 'Enabled',
    description: '',
    policy: { text: statement('Allow'), principals: new Map() },
    createdAt: at,
    deletionAt: undefined,
    pendingWindowDays: undefined,
    multiRegion: false,
    currentMaterial: material,
    customKeyStoreId,
    rotation: undefined,
    materials: new Map([[material.id, material]]),
    tags: new Map([['hsm-kms:publish', 'jwks']]),
  };
}

/** The key, as this process knows it. */
async function existing({ keys }: Kept, id: string) {
  const key = await keys.find(id);
  if (key === undefined) throw new Error(`there is no ${id}`);
  return key;
}

async function firstKeyStore({ keyStores }: Kept) {
  return (await keyStores.list('', 1))[0];
}

async function expectKeyStore(by: Kept) {
  const found = await firstKeyStore(by);
  if (found === undefined) throw new Error('there is no key store');
  return found;
}

/** Everything that changes what is kept. One that the store refuses changes nothing. */
const changes: Readonly<Record<string, (by: Kept, key: string, name: string, flag: boolean) => Promise<unknown>>> = {
  createKey: async (by, key, _, flag) => by.keys.insert(newKey(key, flag ? (await firstKeyStore(by))?.id : undefined)),
  disableOrEnable: async (by, key, _, flag) =>
    by.keys.change(await existing(by, key), { state: flag ? 'Enabled' : 'Disabled' }),
  putKeyPolicy: async (by, key, _, flag) =>
    by.keys.change(await existing(by, key), {
      policy: { text: statement(flag ? 'Allow' : 'Deny'), principals: new Map() },
    }),
  tag: async (by, key, name, flag) =>
    by.keys.change(await existing(by, key), {}, (record) =>
      putTags(record, new Map([['hsm-kms:publish', flag ? 'jwks' : name]])),
    ),
  untag: async (by, key) =>
    by.keys.change(await existing(by, key), {}, (record) => deleteTags(record, ['hsm-kms:publish'])),
  deleteKey: (by, key) => by.keys.delete(key),
  createAlias: async (by, key, _, flag) =>
    by.aliases.create(flag ? 'alias/a' : 'alias/b', (await existing(by, key)).id, at),
  moveAlias: async (by, key, _, flag) =>
    by.aliases.update(flag ? 'alias/a' : 'alias/b', (await existing(by, key)).id, at),
  deleteAlias: (by, _key, _name, flag) => by.aliases.delete(flag ? 'alias/a' : 'alias/b'),
  grant: async (by, key, name, flag) =>
    by.grants.create(await existing(by, key), {
      keyId: key,
      name: flag ? 'named' : '',
      granteePrincipal: arnOf('user', name),
      granteeServicePrincipal: undefined,
      retiringPrincipal: undefined,
      retiringServicePrincipal: undefined,
      issuingAccount: account,
      operations: ['Sign'],
      constraints: undefined,
      createdAt: at,
      principals: new Map(),
    }),
  revoke: async (by, key) => {
    const [grant] = await by.grants.listOfKey(key, {}, '', 1);
    return grant && by.grants.delete(key, grant.id);
  },
  createKeyStore: (by, _key, name) =>
    by.keyStores.create({ name, clusterId: name, trustAnchorCertificate: '', createdAt: at }, 'pin'),
  connectOrNot: async (by, _key, _name, flag) =>
    by.keyStores.change(await expectKeyStore(by), { connectionState: flag ? 'CONNECTED' : 'DISCONNECTED' }),
  deleteKeyStore: async (by) => by.keyStores.delete(await expectKeyStore(by)),
  createUser: (by, _key, name) => by.iam(({ users }) => users.create({ name }, at)),
  deleteAccessKey: (by, _key, name) => by.iam(({ accessKeys }) => accessKeys.delete(accessKeyOf(name))),
  deleteUser: (by, _key, name) =>
    by.iam(async ({ users, accessKeys }) => {
      for (const { accessKeyId } of await accessKeys.list(name)) await accessKeys.delete(accessKeyId, name);
      for (const policy of (await users.listPolicies(name)).keys()) await users.deletePolicy(name, policy);
      for (const { arn } of await users.listAttached(name)) await users.detach(name, arn);
      await users.delete(name);
    }),
  createAccessKey: (by, _key, name) =>
    by.iam(({ accessKeys }) => accessKeys.create(name, accessKeyOf(name), Buffer.from(name), at)),
  activate: (by, _key, name, flag) =>
    by.iam(({ accessKeys }) => accessKeys.setActive(accessKeyOf(name), undefined, flag)),
  tagUser: (by, key, name) => by.iam(({ users }) => users.tag(name, new Map([['team', key]]))),
  untagUser: (by, _key, name) => by.iam(({ users }) => users.untag(name, ['team'])),
  putUserPolicy: (by, _key, name, flag) =>
    by.iam(({ users }) => users.putPolicy(name, 'inline', statement(flag ? 'Allow' : 'Deny'))),
  takeUserPolicy: (by, _key, name) => by.iam(({ users }) => users.deletePolicy(name, 'inline')),
  createPolicy: (by) => by.iam(({ policies }) => policies.create({ name: 'own', document: statement('Allow') }, at)),
  updatePolicy: (by, _key, _name, flag) =>
    by.iam(({ policies }) => policies.update(arnOf('policy', 'own'), statement(flag ? 'Allow' : 'Deny'), at)),
  attach: (by, _key, name, flag) =>
    by.iam(({ users }) => users.attach(name, flag ? administratorAccessArn : arnOf('policy', 'own'))),
  detach: (by, _key, name, flag) =>
    by.iam(({ users }) => users.detach(name, flag ? administratorAccessArn : arnOf('policy', 'own'))),
  boundary: (by, _key, name, flag) =>
    by.iam(({ users }) => users.setBoundary(name, flag ? arnOf('policy', 'own') : undefined)),
  createRole: (by, _key, name) =>
    by.iam(({ roles }) => roles.create({ name, role: { trustPolicy: trust('Allow') } }, at)),
  updateRole: (by, _key, name, flag) =>
    by.iam(({ roles }) => roles.updateRole(name, { trustPolicy: trust(flag ? 'Allow' : 'Deny') })),
  attachToRole: (by, _key, name) => by.iam(({ roles }) => roles.attach(name, arnOf('policy', 'own'))),
  detachFromRole: (by, _key, name) => by.iam(({ roles }) => roles.detach(name, arnOf('policy', 'own'))),
  deleteRole: (by, _key, name) => by.iam(({ roles }) => roles.delete(name)),
  sealAll: (by) => by.store.sealAll(async () => true),
  severalAtOnce: async (by, key, name) =>
    by.keys.change(await existing(by, key), { description: name }, async (record, change) => {
      await putTags(record, new Map([[name, key]]));
      await new Iam(change, account, at).users.tag(name, new Map([['team', key]]));
      await change.delete('aliases', 'alias/a');
      const times = { created_at: 1, updated_at: 1 };
      await change.insert('aliases', { name: 'alias/a', key_id: key, ...times });
    }),
  deletePolicy: (by) => by.iam(({ policies }) => policies.delete(arnOf('policy', 'own'))),
};

const step = fc.record({
  what: fc.constantFrom(...Object.keys(changes)),
  by: fc.nat(1),
  key: fc.constantFrom(...keyIds),
  name: fc.constantFrom(...names),
  flag: fc.boolean(),
  /** Which of the processes look at everything then. */
  lookers: fc.subarray([0, 1]),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** Each change, where it can be made: what is deleted comes last. */
const isDeletion = (what: string) => what.startsWith('delete');
const everything = ['createKeyStore', ...Object.keys(changes)]
  .toSorted((one, other) => Number(isDeletion(one)) - Number(isDeletion(other)))
  .map((what, index): Step => ({ what, by: index % 2, key: 'key-1', name: 'bob', flag: true, lookers: [0, 1] }));

test('what is in memory is what the store says', async () => {
  const opened = new TestStore();
  await opened.migrate();
  const stores = [opened.another(), opened.another()] as const;
  const processes = stores.map(kept);
  const happened = new Set<string>();
  const hear = async () => {
    for (const store of stores) await opened.untilHeard(store);
  };
  const run = async (steps: readonly Step[]) => {
    for (const { what, by, key, name, flag, lookers } of steps) {
      const done = await changes[what]?.(processes[by] as Kept, key, name, flag).then(
        () => true,
        () => false,
      );
      if (done) happened.add(what);
      await hear();
      if (lookers.length === 0) continue;
      const truth = await seenBy(kept(opened.store));
      for (const looker of lookers) expect(await seenBy(processes[looker] as Kept)).toEqual(truth);
    }
  };
  await hear();
  await run(everything);
  expect([...happened].sort()).toEqual(Object.keys(changes).sort());
  const numRuns = testedDatabase.title === 'SQLite' ? 12 : 4;
  const sequences = fc.array(step, { minLength: 20, maxLength: 60, size: 'max' });
  await fc.assert(fc.asyncProperty(sequences, run), { numRuns, endOnFailure: true });
  // memory was used, too
  for (const { hits } of stores[0].cacheUses.values()) expect(hits).toBeGreaterThan(0);
  for (const store of stores) await store.close();
  await opened.end();
});

test('what belonged elsewhere before somebody else wrote it is forgotten there, too, when it is deleted', async () => {
  const opened = new TestStore();
  await opened.migrate();
  const stores = [opened.another(), opened.another()] as const;
  const [one, other] = [kept(stores[0]), kept(stores[1])];
  for (const id of ['key-1', 'key-2']) await one.keys.insert(newKey(id, undefined));
  await one.aliases.create('alias/a', 'key-1', at);
  for (const store of stores) await opened.untilHeard(store);
  expect((await other.keys.find('key-1'))?.aliases).toEqual(['alias/a']);
  await sql`update aliases set key_id = 'key-2'`.execute(opened.store.db);
  await one.aliases.delete('alias/a');
  for (const store of stores) await opened.untilHeard(store);
  expect((await other.keys.find('key-1'))?.aliases).toEqual([]);
  for (const store of stores) await store.close();
  await opened.end();
});
