import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { administratorAccessArn } from '../../src/authorization/aws-managed-policies.js';
import { Iam } from '../../src/authorization/iam/iam.js';
import { Identities } from '../../src/authorization/identities.js';
import { administratorAccess } from '../../src/authorization/policy/administrator-access.js';
import { type Principal, sessionPrincipal } from '../../src/authorization/principal.js';
import { type BrokenPolicy, StoredPolicies } from '../../src/authorization/stored-policies.js';
import type { Store } from '../../src/store/store.js';
import type { Sealer } from '../../src/token/sealing.js';
import { iamOf } from '../service/iam.js';
import { TestStore } from '../service/store.js';
import { testedDatabase } from '../service/tested-database.js';

const account = '111122223333';
const at = new Date('2026-01-02T03:04:05Z');
const text = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const allow = text({ Effect: 'Allow', Action: 'kms:*', Resource: '*' });
const deny = text({ Effect: 'Deny', Action: 'kms:*', Resource: '*' });
const id = 'AKIAXXXXXXXXXXXXXXXX';
const bob = `arn:aws:iam::${account}:user/x/bob`;

let opened: TestStore;
let other: Store;
let iam: Iam;
let identities: Identities;
let broken: BrokenPolicy[];
let secretsOpened: number;

beforeEach(async () => {
  opened = new TestStore();
  await opened.migrate();
  // as another process has one
  other = opened.another();
  iam = iamOf(other, account, at);
  await iam.users.create({ name: 'bob', path: '/x/', tags: new Map([['team', 'red']]) }, at);
  await iam.accessKeys.create('bob', id, Buffer.from('sealed secret'), at);
  broken = [];
  secretsOpened = 0;
  const sealer = {
    open: async (purpose: string, sealed: Buffer) => {
      secretsOpened++;
      return purpose === `secret access key of ${id}` ? sealed.subarray('sealed '.length) : undefined;
    },
  } as Sealer;
  identities = new Identities(opened.store, sealer, account, new StoredPolicies((policy) => broken.push(policy)));
});
afterEach(async () => {
  await other.close();
  await opened.end();
});

/** As another process changes identities. */
const change = <T>(work: (iam: Iam) => Promise<T>): Promise<T> =>
  other.change((transaction) => work(new Iam(transaction, account, at)));

async function principal(): Promise<Principal> {
  const found = await identities.find(id);
  if (found === undefined) throw new Error('there is no such access key');
  return found.principal;
}

test('an access key comes with all that decisions need of its user', async () => {
  await iam.users.putPolicy('bob', 'b-inline', allow);
  await iam.users.putPolicy('bob', 'a-inline', deny);
  await iam.users.attach('bob', administratorAccessArn);
  const { arn: own } = await iam.policies.create({ name: 'own', document: allow }, at);
  await iam.users.setBoundary('bob', own);
  const found = await identities.find(id);
  expect(found?.secretAccessKey.toString()).toBe('secret');
  expect(found?.principal).toMatchObject({
    arn: bob,
    accountId: account,
    kind: 'user',
    name: 'bob',
    tags: new Map([['team', 'red']]),
  });
  expect(found?.principal.uniqueId).toMatch(/^AIDA/);
  expect(found?.principal.policyNames).toEqual(['a-inline', 'b-inline', administratorAccessArn]);
  const effects = found?.principal.identityPolicies.map(({ statements }) => statements[0]?.effect);
  expect(effects).toEqual(['Deny', 'Allow', 'Allow']);
  expect(found?.principal.identityPolicies[2]).toBe(administratorAccess);
  expect(found?.principal.permissionsBoundary?.statements).toHaveLength(1);
  expect(await identities.findUser(bob)).toEqual(found?.principal);
});

test('what is cached is found without a promise, until anything changes; secrets are opened once', async () => {
  expect(identities.find(id)).toBeInstanceOf(Promise);
  await opened.untilHeard();
  await principal();
  const first = identities.find(id);
  expect(first).not.toBeInstanceOf(Promise);
  expect(identities.find(id)).toBe(first);
  await change(({ users }) => users.tag('bob', new Map([['team', 'blue']])));
  await opened.untilHeard();
  expect(identities.find(id)).toBeInstanceOf(Promise);
  expect((await principal()).tags.get('team')).toBe('blue');
  expect(secretsOpened).toBe(1);
});

test('the same text is compiled once, whoever has it, and after changes too', async () => {
  await iam.users.putPolicy('bob', 'one', allow);
  await iam.users.putPolicy('bob', 'two', allow);
  const [one, two] = (await principal()).identityPolicies;
  expect(one).toBe(two);
  await change(({ users }) => users.tag('bob', new Map([['a', 'b']])));
  await opened.untilHeard();
  expect((await principal()).identityPolicies[0]).toBe(one);
});

test('a Deny that is moved between two reads is not overlooked', async () => {
  const { arn } = await iam.policies.create({ name: 'deny', document: deny }, at);
  // after inline policies were read, and before attached ones are
  const { store, directory } = opened;
  const read = store.read.bind(store);
  let moves = 0;
  store.read = (work) =>
    read((db) => {
      const selectFrom = db.selectFrom.bind(db) as (table: string) => unknown;
      const move = (table: string) => {
        if (table === 'attached_policies') {
          moves++;
          testedDatabase.query(directory, 'insert into inline_policies values (?, ?, ?)', [bob, 'deny', deny]);
          testedDatabase.query(directory, 'delete from attached_policies', []);
        }
        return selectFrom(table);
      };
      db.selectFrom = move as typeof db.selectFrom;
      return work(db);
    });
  await iam.users.attach('bob', arn);
  expect((await principal()).policyNames).toEqual([arn]);
  expect(moves).toBe(1);
});

test.each<[string, (iam: Iam) => Promise<unknown>]>([
  ['an access key that is inactive', ({ accessKeys }) => accessKeys.setActive(id, 'bob', false)],
  ['an access key that is deleted', ({ accessKeys }) => accessKeys.delete(id)],
])('%s is not found', async (_what, work) => {
  await principal();
  await change(work);
  await opened.untilHeard();
  expect(await identities.find(id)).toBeUndefined();
});

test('a secret that was sealed by another token is an error', async () => {
  await iam.accessKeys.create('bob', 'AKIAOTHER', Buffer.from('sealed secret'), at);
  await expect(identities.find('AKIAOTHER')).rejects.toThrow(/AKIAOTHER was not sealed by this token/);
});

describe('what is broken in the store denies, and is told once', () => {
  const cases: [string, () => Promise<unknown>, RegExp][] = [
    [
      'an inline policy',
      () => other.db.insertInto('inline_policies').values({ principal_arn: bob, name: 'p', document: '{' }).execute(),
      /^p of .*bob$/,
    ],
    [
      'a managed policy that is gone',
      () =>
        other.db
          .insertInto('attached_policies')
          .values({ principal_arn: bob, policy_arn: 'arn:aws:iam::aws:policy/Unknown' })
          .execute(),
      /policy\/Unknown$/,
    ],
    [
      'a boundary that is gone',
      () => other.db.updateTable('principals').set({ permissions_boundary: 'arn:gone' }).execute(),
      /^arn:gone$/,
    ],
  ];
  test.each(cases)('%s', async (_what, spoil, owner) => {
    await spoil();
    await other.sealAll(async () => true);
    const { identityPolicies, permissionsBoundary } = await principal();
    const [policy = permissionsBoundary] = identityPolicies;
    expect(policy?.broken).toEqual(expect.any(String));
    expect(policy?.statements).toMatchObject([{ effect: 'Deny' }]);
    await other.change(async () => {});
    await principal();
    expect(broken).toEqual([{ owner: expect.stringMatching(owner), kind: 'identity', reason: policy?.broken }]);
  });
});

test('a role is found by its ARN, and a session of it is a principal with its policies', async () => {
  const trustPolicy = text({ Effect: 'Allow', Principal: { AWS: bob }, Action: 'sts:AssumeRole' });
  const tags = new Map([
    ['team', 'red'],
    ['floor', '7'],
  ]);
  const { arn } = await iam.roles.create(
    { name: 'signer', path: '/y/', tags, role: { trustPolicy, maxSessionSeconds: 7200 } },
    at,
  );
  await iam.roles.putPolicy('signer', 'p', allow);
  expect(await identities.findRole(bob)).toBeUndefined();
  expect(await identities.findUser(arn)).toBeUndefined();
  const role = await identities.findRole(arn);
  expect(identities.findRole(arn)).toBe(role);
  expect(role).toMatchObject({ arn, name: 'signer', maxSessionSeconds: 7200, policyNames: ['p'], tags });
  expect(role?.trustPolicy.broken).toBeUndefined();
  expect(role?.trustedPrincipals).toEqual(new Map([[bob, (await iam.users.get('bob')).unique_id]]));
  const session = {
    sessionName: 'me',
    tags: new Map([['Team', 'blue']]),
    sessionPolicies: undefined,
    issuedAt: at,
    sourceIdentity: undefined,
  };
  expect(sessionPrincipal(role!, session)).toMatchObject({
    arn: `arn:aws:sts::${account}:assumed-role/signer/me`,
    kind: 'role-session',
    uniqueId: `${role?.uniqueId}:me`,
    roleArn: arn,
    tags: new Map([
      ['floor', '7'],
      ['Team', 'blue'],
    ]),
    identityPolicies: role?.identityPolicies,
    tokenIssuedAt: at,
  });
});

test('the first administrator is the oldest user that is one', async () => {
  expect(await identities.firstAdministrator()).toBeUndefined();
  await iam.users.create({ name: 'alice' }, new Date(at.getTime() + 1));
  await iam.users.attach('alice', administratorAccessArn);
  expect((await identities.firstAdministrator())?.name).toBe('alice');
  await iam.users.attach('bob', administratorAccessArn);
  expect((await identities.firstAdministrator())?.name).toBe('bob');
});

test.each([
  [bob, false],
  [`arn:aws:iam::${account}:user/bob`, true],
  [`arn:aws:iam::${account}:user/x/BOB`, true],
  [`arn:aws:iam::${account}:root`, false],
  [`arn:aws:iam::444455556666:user/eve`, false],
  [`arn:aws:iam::${account}:role/signer`, false],
  [`arn:aws:iam::${account}:role/x/signer`, true],
  [`arn:aws:sts::${account}:assumed-role/signer/me`, false],
  [`arn:aws:sts::${account}:assumed-role/other/me`, true],
])('whether %s is missing: %j', async (arn, isMissing) => {
  await iam.roles.create(
    {
      name: 'signer',
      role: { trustPolicy: text({ Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' }) },
    },
    at,
  );
  expect((await identities.named([arn])).missing).toEqual(isMissing ? [arn] : []);
});
