import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { changedLines } from '../../../src/authorization/iam/changed-lines.js';
import { Iam } from '../../../src/authorization/iam/iam.js';
import {
  type Change,
  type Declaration,
  type DeclaredPrincipal,
  reconcile,
} from '../../../src/authorization/iam/reconciliation.js';
import { iamOf } from '../../service/iam.js';
import { TestStore } from '../../service/store.js';

const account = '111122223333';
const at = new Date('2026-01-02T03:04:05Z');
const text = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const allow = (Action: string) => text({ Effect: 'Allow', Action, Resource: '*' });
const trustOf = (name: string) =>
  text({ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${account}:${name}` }, Action: 'sts:AssumeRole' });
const own = `arn:aws:iam::${account}:policy/own`;
const other = `arn:aws:iam::${account}:policy/other`;

const nothing: DeclaredPrincipal = {
  path: '/',
  tags: new Map(),
  policies: new Map(),
  attachedPolicies: [],
  permissionsBoundary: undefined,
};
const role = { trustPolicy: trustOf('user/alice'), description: undefined, maxSessionSeconds: 3600 };
/** All that can be declared. */
const full: Declaration = {
  policies: new Map([
    ['own', { path: '/', description: 'mine', document: allow('kms:Sign') }],
    ['other', { path: '/', description: undefined, document: allow('kms:Verify') }],
  ]),
  users: new Map([
    [
      'alice',
      {
        path: '/x/',
        tags: new Map([['team', 'red']]),
        policies: new Map([['inline', allow('kms:List*')]]),
        attachedPolicies: [own],
        permissionsBoundary: other,
      },
    ],
    ['bob', nothing],
  ]),
  roles: new Map([
    // trusts one that is declared after it
    ['first', { ...nothing, role: { ...role, trustPolicy: trustOf('role/second') } }],
    [
      'second',
      {
        ...nothing,
        tags: new Map([['a', 'b']]),
        role: { ...role, trustPolicy: trustOf('user/x/alice'), description: 'signs' },
      },
    ],
  ]),
};
const alice = full.users.get('alice')!;
const withAlice = (changes: Partial<DeclaredPrincipal>): Declaration => ({
  ...full,
  users: new Map([...full.users, ['alice', { ...alice, ...changes }]]),
});
const second = full.roles.get('second')!;
const withSecond = (changes: Partial<NonNullable<DeclaredPrincipal['role']>>): Declaration => ({
  ...full,
  roles: new Map([...full.roles, ['second', { ...second, role: { ...second.role!, ...changes } }]]),
});

let opened: TestStore;
let iam: Iam;
beforeEach(async () => {
  opened = new TestStore();
  await opened.migrate();
  iam = iamOf(opened.store, account, at);
});
afterEach(() => opened.end());

const apply = (declaration: Declaration, prune = false) =>
  opened.store.change((transaction) => reconcile(new Iam(transaction, account, at), declaration, prune));
const marks = (changes: readonly Change[]) => changes.map(({ mark, what }) => `${mark} ${what}`);

test('all that is declared is made, roles too that trust each other; doing it again does nothing', async () => {
  expect(marks(await apply(full))).toEqual([
    ...['+ policy own', '+ policy other', '+ user alice', '+ user bob', '+ role first', '+ role second'],
  ]);
  expect(await iam.users.get('alice')).toMatchObject({ path: '/x/', permissions_boundary: other });
  expect((await iam.users.listAttached('alice')).map(({ arn }) => arn)).toEqual([own]);
  expect(await iam.roles.get('first')).toMatchObject({ trust_policy: trustOf('role/second'), description: null });
  expect(await iam.roles.get('second')).toMatchObject({ description: 'signs', max_session_seconds: 3600 });
  expect(await apply(full)).toEqual([]);
  expect(await apply(full, true)).toEqual([]);
});

const differences: [string, Declaration, string, string[]][] = [
  ['a tag', withAlice({ tags: new Map([['team', 'blue']]) }), '~ user alice', ['~ tag team=blue (was red)']],
  [
    'a tag in another case',
    withAlice({ tags: new Map([['Team', 'red']]) }),
    '~ user alice',
    ['- tag team=red', '+ tag Team=red'],
  ],
  ['no tags', withAlice({ tags: new Map() }), '~ user alice', ['- tag team=red']],
  [
    'another inline policy',
    withAlice({ policies: new Map([['inline', allow('kms:Get*')]]) }),
    '~ user alice',
    ['~ policy inline', '    -       "Action": "kms:List*",', '    +       "Action": "kms:Get*",'],
  ],
  [
    'attached policies',
    withAlice({ attachedPolicies: [other] }),
    '~ user alice',
    [`- attached ${own}`, `+ attached ${other}`],
  ],
  ['no boundary', withAlice({ permissionsBoundary: undefined }), '~ user alice', [`- permissions boundary ${other}`]],
  [
    'another boundary',
    withAlice({ permissionsBoundary: own }),
    '~ user alice',
    [`~ permissions boundary ${own} (was ${other})`],
  ],
  [
    'another duration',
    withSecond({ maxSessionSeconds: 7200 }),
    '~ role second',
    ['~ longest session 7200 s (was 3600 s)'],
  ],
  ['no description', withSecond({ description: undefined }), '~ role second', ['- description signs']],
  [
    'another trust',
    withSecond({ trustPolicy: trustOf('user/bob') }),
    '~ role second',
    [
      '~ trust policy',
      `    -         "AWS": "arn:aws:iam::${account}:user/x/alice"`,
      `    +         "AWS": "arn:aws:iam::${account}:user/bob"`,
    ],
  ],
];

describe('what is declared otherwise is changed, and nothing else', () => {
  test.each(differences)('%s', async (_what, declaration, what, lines) => {
    await apply(full);
    const changes = await apply(declaration);
    expect(marks(changes)).toEqual([what]);
    expect(changes[0]?.lines).toEqual(lines);
    expect(await apply(declaration)).toEqual([]);
  });
});

test('somebody trusted who was made anew is trusted anew, when it is applied again', async () => {
  await apply(full);
  const before = (await iam.roles.get('second')).trust_principals;
  await iam.users.deletePolicy('alice', 'inline');
  await iam.users.detach('alice', own);
  await iam.users.delete('alice');
  const changes = await apply(full);
  expect(marks(changes)).toEqual(['+ user alice', '~ role second']);
  expect(changes[1]?.lines).toEqual(['~ trust policy, for somebody whom it names was made anew']);
  const { trust_principals: after } = await iam.roles.get('second');
  const { arn, unique_id } = await iam.users.get('alice');
  expect(after).toBe(JSON.stringify({ [arn]: unique_id }));
  expect(after).not.toBe(before);
  expect(await apply(full)).toEqual([]);
});

test('a policy that is written otherwise and means the same is no change', async () => {
  await apply(full);
  const policies = new Map(
    [...full.policies].map(([name, policy]) => [
      name,
      { ...policy, document: JSON.stringify(JSON.parse(policy.document), null, 7) },
    ]),
  );
  expect(await apply({ ...full, policies })).toEqual([]);
  expect((await iam.policies.find(own)).version).toBe(1);
});

test('a managed policy gets a new version, for whoever has it', async () => {
  await apply(full);
  const policies = new Map([
    ...full.policies,
    ['own', { path: '/', description: 'mine', document: allow('kms:Decrypt') }],
  ]);
  expect(marks(await apply({ ...full, policies }))).toEqual(['~ policy own']);
  expect(await iam.policies.find(own)).toMatchObject({ version: 2, document: allow('kms:Decrypt') });
});

test('who is not declared is left alone; with prune, deleted with access keys and policies', async () => {
  await apply(full);
  await iam.accessKeys.create('alice', 'AKIA1', Buffer.alloc(1), at);
  const less: Declaration = { policies: new Map(), users: new Map([['bob', nothing]]), roles: new Map() };
  expect(await apply(less)).toEqual([]);
  const changes = await apply(less, true);
  expect(marks(changes)).toEqual(['- role first', '- role second', '- user alice', '- policy other', '- policy own']);
  expect(changes[2]?.lines).toEqual(['- access key AKIA1']);
  const { db } = opened.store;
  for (const table of [
    'access_keys',
    'inline_policies',
    'attached_policies',
    'principal_tags',
    'managed_policies',
  ] as const) {
    expect(await db.selectFrom(table).selectAll().execute()).toEqual([]);
  }
});

const faults: [string, Declaration, string, RegExp][] = [
  [
    'a policy that is malformed',
    withAlice({ policies: new Map([['p', '{']]) }),
    'MalformedPolicyDocument',
    /^user alice: .*invalid Json/,
  ],
  [
    'a policy that does not exist',
    withAlice({ attachedPolicies: [`${own}x`] }),
    'NoSuchEntity',
    /^user alice: .*ownx does not exist/,
  ],
  [
    'a path that changes',
    withAlice({ path: '/y/' }),
    'ValidationError',
    /^user alice: the path, \/x\/, .+cannot be changed to \/y\//,
  ],
  [
    'a trusted user that is not there',
    withSecond({ trustPolicy: trustOf('user/eve') }),
    'MalformedPolicyDocument',
    /^role second: Invalid principal/,
  ],
  ['a session that is too long', withSecond({ maxSessionSeconds: 1e6 }), 'ValidationError', /^role second: /],
  [
    'two users that differ in case only',
    { ...full, users: new Map([...full.users, ['BOB', nothing]]) },
    'EntityAlreadyExists',
    /^user BOB: /,
  ],
  [
    'another description of a policy',
    { ...full, policies: new Map([['own', { ...full.policies.get('own')!, description: 'x' }]]) },
    'ValidationError',
    /^policy own: the description/,
  ],
];

describe('what cannot be done leaves everything as it was', () => {
  test.each(faults)('%s', async (_what, declaration, code, sentence) => {
    await apply(full);
    const changed = withAlice({ tags: new Map([['team', 'blue']]) });
    const both = {
      ...declaration,
      users: new Map([
        ...declaration.users,
        ['aaron', nothing],
        ...(declaration.users === full.users ? changed.users : []),
      ]),
    };
    await expect(apply(both)).rejects.toMatchObject({ code, message: expect.stringMatching(sentence) });
    expect(await apply(full)).toEqual([]);
    expect(await iam.users.find('aaron')).toBeUndefined();
  });
});

test.each<[string, string | undefined, string | undefined, string[]]>([
  ['new', undefined, '{"a":1}', ['+ policy', '    + {', '    +   "a": 1', '    + }']],
  ['gone', '{"a":1}', undefined, ['- policy', '    - {', '    -   "a": 1', '    - }']],
  [
    'changed in its middle',
    '{"a":1,"b":2,"c":3}',
    '{"a":1,"b":4,"c":3}',
    ['~ policy', '    -   "b": 2,', '    +   "b": 4,'],
  ],
  ['repeated', '[1,1]', '[1,1,1]', ['~ policy', '    +   1,']],
  ['no JSON', 'one\ntwo', '{}', ['~ policy', '    - one', '    - two', '    + {}']],
])('the lines of a policy that is %s', (_what, before, after, lines) => {
  expect(changedLines('policy', before, after)).toEqual(lines);
});
