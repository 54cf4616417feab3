import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { administratorAccessArn } from '../../../src/authorization/aws-managed-policies.js';
import type { Iam } from '../../../src/authorization/iam/iam.js';
import { IamError, type IamErrorCode } from '../../../src/authorization/iam/iam-error.js';
import { iamOf } from '../../service/iam.js';
import { TestStore } from '../../service/store.js';

const account = '111122223333';
const at = new Date('2026-01-02T03:04:05Z');
const text = (...statements: object[]) => JSON.stringify({ Version: '2012-10-17', Statement: statements });
const policy = text({ Effect: 'Allow', Action: 'kms:*', Resource: '*' });
const trust = text({ Effect: 'Allow', Principal: { AWS: account }, Action: 'sts:AssumeRole' });
/** A policy of exactly so many characters that count. */
const policyOf = (size: number) => {
  const empty = text({ Sid: '', Effect: 'Allow', Action: 'kms:*', Resource: '*' });
  return empty.replace('"Sid":""', `"Sid":"${'x'.repeat(size - empty.length)}"`);
};

let opened: TestStore;
let iam: Iam;
beforeEach(async () => {
  opened = new TestStore();
  await opened.migrate();
  iam = iamOf(opened.store, account, at);
  await iam.users.create({ name: 'bob' }, at);
  await iam.roles.create({ name: 'signer', role: { trustPolicy: trust } }, at);
});
afterEach(() => opened.end());

async function refused(call: Promise<unknown>): Promise<[IamErrorCode, string]> {
  const error = await call.then(
    () => 'it was done',
    (thrown: unknown) => thrown,
  );
  if (error instanceof IamError) return [error.code, error.message];
  throw error;
}

const own = `arn:aws:iam::${account}:policy/own`;
const longName = (length: number) => 'n'.repeat(length);

const refusals: [string, () => Promise<unknown>, IamErrorCode, RegExp][] = [
  [
    'a user that is there',
    () => iam.users.create({ name: 'bob' }, at),
    'EntityAlreadyExists',
    /^User with name bob already exists\.$/,
  ],
  ['a user that differs in case only', () => iam.users.create({ name: 'BOB' }, at), 'EntityAlreadyExists', /BOB/],
  [
    'a user with a space',
    () => iam.users.create({ name: 'a b' }, at),
    'ValidationError',
    /^The specified value for userName is invalid\. It must contain only alphanumeric/,
  ],
  ['a user with a line end', () => iam.users.create({ name: 'bob\n' }, at), 'ValidationError', /userName/],
  ['a user without a name', () => iam.users.create({ name: '' }, at), 'ValidationError', /greater than or equal to 1/],
  [
    'a user of 65 characters',
    () => iam.users.create({ name: longName(65) }, at),
    'ValidationError',
    /'userName'.+less than or equal to 64/,
  ],
  ['a path without its end', () => iam.users.create({ name: 'x', path: '/a' }, at), 'ValidationError', /'path'/],
  ['a path with a space', () => iam.users.create({ name: 'x', path: '/a b/' }, at), 'ValidationError', /'path'/],
  [
    'a boundary that is not there',
    () => iam.users.create({ name: 'x', permissionsBoundary: own }, at),
    'NoSuchEntity',
    /own does not exist/,
  ],
  [
    'a user that is not there',
    () => iam.users.get('eve'),
    'NoSuchEntity',
    /^The user with name eve cannot be found\.$/,
  ],
  ['a user in another case', () => iam.users.get('Bob'), 'NoSuchEntity', /Bob/],
  [
    'a role that is not there',
    () => iam.roles.get('bob'),
    'NoSuchEntity',
    /^The role with name bob cannot be found\.$/,
  ],
  [
    'a role for a user that is not there',
    () =>
      iam.roles.create(
        {
          name: 'r',
          role: {
            trustPolicy: text({
              Effect: 'Allow',
              Principal: { AWS: `arn:aws:iam::${account}:user/eve` },
              Action: 'sts:AssumeRole',
            }),
          },
        },
        at,
      ),
    'MalformedPolicyDocument',
    /^Invalid principal in policy: "AWS":"arn:aws:iam::111122223333:user\/eve"$/,
  ],
  [
    'a trust policy without principals',
    () => iam.roles.updateRole('signer', { trustPolicy: policy }),
    'MalformedPolicyDocument',
    /principal/,
  ],
  [
    'a session of a day',
    () => iam.roles.updateRole('signer', { maxSessionSeconds: 86_400 }),
    'ValidationError',
    /3600 and 43200/,
  ],
  ['a policy that is no JSON', () => iam.users.putPolicy('bob', 'p', '{'), 'MalformedPolicyDocument', /invalid Json/],
  [
    'a policy with an unknown element',
    () => iam.users.putPolicy('bob', 'p', text({ Effect: 'Allow', Action: '*', Resource: '*', Foo: 1 })),
    'MalformedPolicyDocument',
    /Foo/,
  ],
  [
    'a policy with an unknown operator',
    () =>
      iam.users.putPolicy(
        'bob',
        'p',
        text({ Effect: 'Allow', Action: '*', Resource: '*', Condition: { StringIs: { 'aws:PrincipalArn': 'b' } } }),
      ),
    'MalformedPolicyDocument',
    /StringIs/,
  ],
  [
    'a policy with principals',
    () => iam.users.putPolicy('bob', 'p', trust),
    'MalformedPolicyDocument',
    /should not specify a principal/,
  ],
  [
    'a policy in another script',
    () => iam.users.putPolicy('bob', 'p', policy.replace('kms', 'клуч')),
    'ValidationError',
    /policyDocument/,
  ],
  ['a policy name with a slash', () => iam.users.putPolicy('bob', 'a/b', policy), 'ValidationError', /policyName/],
  [
    'a policy name of 129 characters',
    () => iam.users.putPolicy('bob', longName(129), policy),
    'ValidationError',
    /less than or equal to 128/,
  ],
  [
    '2049 characters of a user',
    () => iam.users.putPolicy('bob', 'p', policyOf(2049)),
    'LimitExceeded',
    /^Maximum policy size of 2048 bytes exceeded for user bob$/,
  ],
  [
    '10241 characters of a role',
    () => iam.roles.putPolicy('signer', 'p', policyOf(10_241)),
    'LimitExceeded',
    /10240 bytes exceeded for role signer/,
  ],
  [
    '6145 characters of a managed policy',
    () => iam.policies.create({ name: 'own', document: policyOf(6145) }, at),
    'LimitExceeded',
    /PolicySize: 6144/,
  ],
  [
    '2049 characters of trust',
    () =>
      iam.roles.updateRole('signer', { trustPolicy: trust.replace('"Effect"', `"Sid":"${longName(2049)}","Effect"`) }),
    'LimitExceeded',
    /ACLSizePerRole: 2048/,
  ],
  [
    'an inline policy that is not there',
    () => iam.users.deletePolicy('bob', 'p'),
    'NoSuchEntity',
    /^The user policy with name p cannot be found\.$/,
  ],
  [
    'attaching a policy that is not there',
    () => iam.users.attach('bob', own),
    'NoSuchEntity',
    /does not exist or is not attachable/,
  ],
  [
    'detaching a policy that is not attached',
    () => iam.users.detach('bob', administratorAccessArn),
    'NoSuchEntity',
    /was not found/,
  ],
  [
    "changing one of AWS's policies",
    () => iam.policies.update(administratorAccessArn, policy, at),
    'AccessDenied',
    /outside your own account/,
  ],
  [
    "deleting one of AWS's policies",
    () => iam.policies.delete(administratorAccessArn),
    'AccessDenied',
    /outside your own account/,
  ],
  ['a tag of AWS', () => iam.users.tag('bob', new Map([['AWS:x', 'y']])), 'InvalidInput', /reserved/],
  [
    'a tag twice',
    () =>
      iam.users.tag(
        'bob',
        new Map([
          ['a', '1'],
          ['A', '2'],
        ]),
      ),
    'InvalidInput',
    /Duplicate tag keys/,
  ],
  ['a tag with a newline', () => iam.users.tag('bob', new Map([['a\n', '1']])), 'ValidationError', /'tagKey'/],
  ['a long tag value', () => iam.users.tag('bob', new Map([['a', longName(257)]])), 'ValidationError', /'tagValue'/],
  [
    '51 tags',
    () => iam.users.tag('bob', new Map(Array.from({ length: 51 }, (_, n) => [`k${n}`, ''] as const))),
    'LimitExceeded',
    /TagsPerUser: 50/,
  ],
  [
    'an access key of a user that is not there',
    () => iam.accessKeys.create('eve', 'AKIA', Buffer.alloc(1), at),
    'NoSuchEntity',
    /eve/,
  ],
  [
    'an access key that is not there',
    () => iam.accessKeys.delete('AKIAXXXXXXXXXXXXXXXX'),
    'NoSuchEntity',
    /^The Access Key with id AKIAXXXXXXXXXXXXXXXX cannot be found\.$/,
  ],
];

describe('what IAM refuses', () => {
  test.each(refusals)('%s', async (_what, call, code, sentence) => {
    const before = await everything();
    const [refusedWith, message] = await refused(call());
    expect([refusedWith, message]).toEqual([code, expect.stringMatching(sentence)]);
    expect(await everything()).toEqual(before);
  });
});

/** All that the store knows of identities. */
async function everything(): Promise<unknown[]> {
  const tables = ['principals', 'principal_tags', 'inline_policies', 'managed_policies', 'attached_policies'] as const;
  const { db } = opened.store;
  return Promise.all([...tables, 'access_keys' as const].map((table) => db.selectFrom(table).selectAll().execute()));
}

test('names, paths and ids are what AWS makes of them', async () => {
  const user = await iam.users.create({ name: 'a+b=c,d.e@f-g_h', path: '/x/y/' }, at);
  expect(user.arn).toBe(`arn:aws:iam::${account}:user/x/y/a+b=c,d.e@f-g_h`);
  expect(user.unique_id).toMatch(/^AIDA[A-Z2-7]{16}$/);
  const role = await iam.roles.create({ name: 'bob', role: { trustPolicy: trust } }, at);
  expect(role.arn).toBe(`arn:aws:iam::${account}:role/bob`);
  expect(role.unique_id).toMatch(/^AROA[A-Z2-7]{16}$/);
  const { arn, uniqueId } = await iam.policies.create({ name: 'own', path: '/p/', document: policy }, at);
  expect([arn, uniqueId]).toEqual([
    `arn:aws:iam::${account}:policy/p/own`,
    expect.stringMatching(/^ANPA[A-Z2-7]{16}$/),
  ]);
});

test.each([
  ['user', 'users', 'bob', 2_048],
  ['role', 'roles', 'signer', 10_240],
] as const)(
  'the inline policies of a %s share their room, in which white space takes none',
  async (_kind, of, name, room) => {
    const rest = room - policyOf(1_000).length;
    await iam[of].putPolicy(name, 'first', policyOf(1_000));
    await iam[of].putPolicy(name, 'second', policyOf(rest).replaceAll(',', ' ,\n\t  '));
    expect(await refused(iam[of].putPolicy(name, 'third', policy))).toEqual(['LimitExceeded', expect.anything()]);
    // the policy that is replaced makes room
    await iam[of].putPolicy(name, 'second', policyOf(rest));
    expect(await refused(iam[of].putPolicy(name, 'second', policyOf(rest + 1)))).toEqual([
      'LimitExceeded',
      expect.anything(),
    ]);
  },
);

test('a policy is given back as it was put', async () => {
  const written = JSON.stringify(JSON.parse(policy), null, 3);
  await iam.users.putPolicy('bob', 'p', written);
  expect(await iam.users.getPolicy('bob', 'p')).toBe(written);
});

test('what is deleted first, in this order', async () => {
  await iam.accessKeys.create('bob', 'AKIAXXXXXXXXXXXXXXXX', Buffer.alloc(1), at);
  await iam.users.putPolicy('bob', 'p', policy);
  await iam.users.attach('bob', administratorAccessArn);
  const conflict = async (first: string) =>
    expect(await refused(iam.users.delete('bob'))).toEqual([
      'DeleteConflict',
      `Cannot delete entity, must ${first} first.`,
    ]);
  await conflict('delete access keys');
  await iam.accessKeys.delete('AKIAXXXXXXXXXXXXXXXX', 'bob');
  await conflict('delete policies');
  await iam.users.deletePolicy('bob', 'p');
  await conflict('detach all policies');
  await iam.users.detach('bob', administratorAccessArn);
  await iam.users.tag('bob', new Map([['a', 'b']]));
  await iam.users.delete('bob');
  expect(await opened.store.db.selectFrom('principal_tags').selectAll().execute()).toEqual([]);
});

test('a managed policy is deleted when nobody has it, not even as a boundary', async () => {
  await iam.policies.create({ name: 'own', document: policy }, at);
  await iam.users.attach('bob', own);
  await iam.roles.setBoundary('signer', own);
  expect(await iam.policies.holders(own)).toEqual([
    { kind: 'user', name: 'bob', uniqueId: expect.anything(), as: 'policy' },
    { kind: 'role', name: 'signer', uniqueId: expect.anything(), as: 'boundary' },
  ]);
  await iam.users.detach('bob', own);
  expect(await refused(iam.policies.delete(own))).toEqual([
    'DeleteConflict',
    'Cannot delete a policy attached to entities.',
  ]);
  await iam.roles.setBoundary('signer', undefined);
  await iam.policies.delete(own);
  expect(await refused(iam.policies.find(own))).toEqual(['NoSuchEntity', expect.anything()]);
});

test('ten managed policies are attached at the most; one that is attached already changes nothing', async () => {
  const arns: string[] = [];
  for (let n = 0; n < 11; n++) arns.push((await iam.policies.create({ name: `p${n}`, document: policy }, at)).arn);
  for (const arn of arns.slice(0, 10)) await iam.users.attach('bob', arn);
  await iam.users.attach('bob', arns[0]!);
  expect(await refused(iam.users.attach('bob', arns[10]!))).toEqual([
    'LimitExceeded',
    'Cannot exceed quota for PoliciesPerUser: 10',
  ]);
});

test('a tag whose key differs in case only is the same tag', async () => {
  await iam.users.tag(
    'bob',
    new Map([
      ['Team', 'red'],
      ['other', ''],
    ]),
  );
  await iam.users.tag('bob', new Map([['team', 'blue']]));
  expect([...(await iam.users.tags('bob'))]).toEqual([
    ['other', ''],
    ['team', 'blue'],
  ]);
  await iam.users.untag('bob', ['TEAM', 'absent']);
  expect([...(await iam.users.tags('bob'))]).toEqual([['other', '']]);
});

test('access keys are found by user, and not under another', async () => {
  await iam.users.create({ name: 'alice' }, at);
  for (const [user, id] of [
    ['bob', 'AKIA1'],
    ['alice', 'AKIA2'],
    ['bob', 'AKIA3'],
  ] as const) {
    await iam.accessKeys.create(user, id, Buffer.alloc(1), at);
  }
  const ids = async (user?: string) => (await iam.accessKeys.list(user)).map(({ accessKeyId }) => accessKeyId);
  expect([await ids('bob'), await ids('alice'), await ids()]).toEqual([
    ['AKIA1', 'AKIA3'],
    ['AKIA2'],
    ['AKIA1', 'AKIA2', 'AKIA3'],
  ]);
  expect(await refused(iam.accessKeys.create('bob', 'AKIA4', Buffer.alloc(1), at))).toEqual([
    'LimitExceeded',
    'Cannot exceed quota for AccessKeysPerUser: 2',
  ]);
  expect(await refused(iam.accessKeys.delete('AKIA2', 'bob'))).toEqual(['NoSuchEntity', expect.anything()]);
  expect(await refused(iam.accessKeys.setActive('AKIA2', 'bob', false))).toEqual(['NoSuchEntity', expect.anything()]);
});

test('somebody can administer while a user with AdministratorAccess has an active access key', async () => {
  const id = 'AKIAXXXXXXXXXXXXXXXX';
  expect(await iam.hasAdministrator()).toBe(false);
  await iam.users.attach('bob', administratorAccessArn);
  expect(await iam.hasAdministrator()).toBe(false);
  await iam.accessKeys.create('bob', id, Buffer.alloc(1), at);
  expect(await iam.hasAdministrator()).toBe(true);
  await iam.accessKeys.setActive(id, undefined, false);
  expect(await iam.hasAdministrator()).toBe(false);
});
