import { describe, expect, test } from '@jest/globals';
import type { ContextPairs, GrantConstraints } from '../../../src/authorization/policy/grants.js';
import {
  account,
  alice,
  ask,
  bob,
  grant,
  otherAccount,
  policy,
  type Question,
  root,
  rootArn,
  session,
  user,
} from './fixtures.js';

const builder = session('Builder', 'ci');
const allowAll = policy('identity', {});
const own = Object.fromEntries([['__proto__', 'x']]) as ContextPairs;

test.each<[string, Question, boolean]>([
  ['the user', { grants: [grant(alice.arn, ['Decrypt'])] }, true],
  ['another user', { grants: [grant(bob.arn, ['Decrypt'])] }, false],
  ['another operation', { grants: [grant(alice.arn, ['Encrypt'])] }, false],
  ['operations have a case', { grants: [grant(alice.arn, ['decrypt'])] }, false],
  ['one of several', { grants: [grant(bob.arn, ['Decrypt']), grant(alice.arn, ['Decrypt'])] }, true],
  ['nothing is put together of two', { grants: [grant(bob.arn, ['Decrypt']), grant(alice.arn, ['Encrypt'])] }, false],
  ['no grants', { grants: [] }, false],
  ['the role', { principal: builder, grants: [grant(builder.roleArn, ['Decrypt'])] }, true],
  ['the session', { principal: builder, grants: [grant(builder.arn, ['Decrypt'])] }, true],
  ['another session', { principal: session('Builder', 'x'), grants: [grant(builder.arn, ['Decrypt'])] }, false],
  ['a service', { grants: [grant(undefined, ['Decrypt'])] }, false],
  ['the account, its root user', { principal: root(), grants: [grant(rootArn, ['Decrypt'])] }, true],
  ['the account, without an identity policy', { grants: [grant(rootArn, ['Decrypt'])] }, false],
  [
    'the account, and an identity policy',
    { grants: [grant(rootArn, ['Decrypt'])], identityPolicies: [allowAll] },
    true,
  ],
  [
    'another account',
    { grants: [grant(`arn:aws:iam::${otherAccount}:root`, ['Decrypt'])], identityPolicies: [allowAll] },
    false,
  ],
  ['ReEncrypt: from', { operation: 'ReEncrypt', part: 0, grants: [grant(alice.arn, ['ReEncryptFrom'])] }, true],
  ['ReEncrypt: to', { operation: 'ReEncrypt', part: 1, grants: [grant(alice.arn, ['ReEncryptFrom'])] }, false],
])('grantee: %s', (_, question, allowed) => {
  expect(ask(question).decision).toBe(allowed ? 'allow' : 'deny');
});

describe('constraints', () => {
  const dept = { Department: 'IT' };
  const both = { Department: 'IT', Purpose: 'Test' };
  test.each<[string, GrantConstraints, ContextPairs | undefined, boolean]>([
    ['none', {}, undefined, true],
    // Examples of the KMS guide, "Using grant constraints".
    ['Equals, the same', { EncryptionContextEquals: dept }, dept, true],
    ['Equals, more', { EncryptionContextEquals: dept }, both, false],
    ['Subset, the same', { EncryptionContextSubset: dept }, dept, true],
    ['Subset, more', { EncryptionContextSubset: dept }, both, true],
    ['Equals, in another order', { EncryptionContextEquals: both }, { Purpose: 'Test', Department: 'IT' }, true],
    ['Equals, less', { EncryptionContextEquals: both }, dept, false],
    ['Subset, less', { EncryptionContextSubset: both }, dept, false],
    ['Equals, another case of the value', { EncryptionContextEquals: dept }, { Department: 'it' }, false],
    ['Equals, another case of the key', { EncryptionContextEquals: dept }, { department: 'IT' }, false],
    ['Subset, another case of the key', { EncryptionContextSubset: dept }, { department: 'IT' }, false],
    ['Equals, no context', { EncryptionContextEquals: dept }, undefined, false],
    ['Subset, no context', { EncryptionContextSubset: dept }, undefined, false],
    ['Equals nothing, no context', { EncryptionContextEquals: {} }, undefined, true],
    ['Equals nothing, a context', { EncryptionContextEquals: {} }, dept, false],
    ['a key of every object', { EncryptionContextSubset: { constructor: 'x' } }, {}, false],
    ['__proto__ as a key', { EncryptionContextSubset: own }, own, true],
    ['__proto__ as a key that is missing', { EncryptionContextSubset: own }, {}, false],
    ['both constraints', { EncryptionContextEquals: both, EncryptionContextSubset: dept }, both, true],
    ['both constraints, one not met', { EncryptionContextEquals: dept, EncryptionContextSubset: both }, dept, false],
  ])('%s', (_, constraints, encryptionContext, allowed) => {
    const grants = [grant(alice.arn, ['Decrypt', 'DescribeKey'], { constraints })];
    const grantCall = { encryptionContext };
    expect(ask({ grants, grantCall }).decision).toBe(allowed ? 'allow' : 'deny');
    expect(ask({ operation: 'DescribeKey', grants }).decision).toBe('allow');
  });

  test('SourceArn', () => {
    const grants = [grant(alice.arn, ['Decrypt'], { constraints: { SourceArn: 'arn:aws:s3:::a' } })];
    expect(ask({ grants }).decision).toBe('deny');
    expect(ask({ grants, keys: { 'aws:SourceArn': 'arn:aws:s3:::b' } }).decision).toBe('deny');
    expect(ask({ grants, keys: { 'aws:SourceArn': 'arn:aws:s3:::a' } }).decision).toBe('allow');
  });
});

describe('a grant that is made by right of a grant', () => {
  const it = { Department: 'IT' };
  const more = { Department: 'IT', Stage: 'Test' };
  type Part = readonly [readonly string[], GrantConstraints?];
  test.each<[string, Part, Part, boolean]>([
    ['the same', [['CreateGrant', 'Decrypt']], [['CreateGrant', 'Decrypt']], true],
    ['fewer operations', [['CreateGrant', 'Decrypt']], [['Decrypt']], true],
    ['a further operation', [['CreateGrant', 'Decrypt']], [['Decrypt', 'Encrypt']], false],
    ['the parent does not allow CreateGrant', [['Decrypt']], [['Decrypt']], false],
    ['new constraints', [['CreateGrant', 'Decrypt']], [['Decrypt'], { EncryptionContextSubset: it }], true],
    ['Subset to none', [['CreateGrant'], { EncryptionContextSubset: it }], [[]], false],
    [
      'Subset to the same',
      [['CreateGrant'], { EncryptionContextSubset: it }],
      [[], { EncryptionContextSubset: it }],
      true,
    ],
    [
      'Subset to more pairs',
      [['CreateGrant'], { EncryptionContextSubset: it }],
      [[], { EncryptionContextSubset: more }],
      true,
    ],
    [
      'Subset to fewer pairs',
      [['CreateGrant'], { EncryptionContextSubset: more }],
      [[], { EncryptionContextSubset: it }],
      false,
    ],
    [
      'Subset to other pairs',
      [['CreateGrant'], { EncryptionContextSubset: it }],
      [[], { EncryptionContextSubset: { Department: 'HR' } }],
      false,
    ],
    [
      'Subset to Equals',
      [['CreateGrant'], { EncryptionContextSubset: it }],
      [[], { EncryptionContextEquals: more }],
      true,
    ],
    [
      'Subset to Equals of other pairs',
      [['CreateGrant'], { EncryptionContextSubset: it }],
      [[], { EncryptionContextEquals: {} }],
      false,
    ],
    [
      'Equals to the same',
      [['CreateGrant'], { EncryptionContextEquals: it }],
      [[], { EncryptionContextEquals: it }],
      true,
    ],
    [
      'Equals to Subset',
      [['CreateGrant'], { EncryptionContextEquals: it }],
      [[], { EncryptionContextSubset: it }],
      false,
    ],
    [
      'Equals to more pairs',
      [['CreateGrant'], { EncryptionContextEquals: it }],
      [[], { EncryptionContextEquals: more }],
      false,
    ],
    ['Equals to none', [['CreateGrant'], { EncryptionContextEquals: it }], [[]], false],
    ['SourceArn kept', [['CreateGrant'], { SourceArn: 'arn:aws:s3:::a' }], [[], { SourceArn: 'arn:aws:s3:::a' }], true],
    ['SourceArn dropped', [['CreateGrant'], { SourceArn: 'arn:aws:s3:::a' }], [[]], false],
  ])('%s', (_, [operations, constraints], [childOperations, childConstraints], allowed) => {
    const grants = [grant(alice.arn, operations, { constraints })];
    const grantCall = { child: { operations: childOperations, constraints: childConstraints } };
    const keys = { 'aws:SourceArn': 'arn:aws:s3:::a' };
    expect(ask({ operation: 'CreateGrant', grants, grantCall, keys }).decision).toBe(allowed ? 'allow' : 'deny');
    // From a policy the permission has no such bounds.
    const key = policy('key', { Principal: { AWS: alice.arn } });
    expect(ask({ operation: 'CreateGrant', key, grantCall, keys }).decision).toBe('allow');
  });
  test('without a word of the child nothing is allowed', () => {
    expect(ask({ operation: 'CreateGrant', grants: [grant(alice.arn, ['CreateGrant'])] }).decision).toBe('deny');
  });
});

describe('RetireGrant', () => {
  const carol = user('carol');
  const retireAll = policy('identity', { Action: 'kms:RetireGrant' });
  const given = (retiringPrincipal?: string, operations: readonly string[] = ['Decrypt'], rest = {}) =>
    grant(bob.arn, operations, { retiringPrincipal, issuingAccount: otherAccount, ...rest });
  test.each<[string, Question, boolean]>([
    ['the retiring principal', { retiring: given(alice.arn) }, true],
    ['the grantee', { principal: bob, retiring: given(alice.arn) }, false],
    ['the grantee that may', { principal: bob, retiring: given(alice.arn, ['RetireGrant']) }, true],
    [
      'the grantee that may, whatever the constraints',
      {
        principal: bob,
        retiring: given(undefined, ['RetireGrant'], { constraints: { EncryptionContextEquals: { a: 'b' } } }),
      },
      true,
    ],
    ['somebody else', { principal: carol, retiring: given(alice.arn, ['RetireGrant']) }, false],
    [
      'somebody else with an identity policy',
      { principal: carol, retiring: given(alice.arn), identityPolicies: [retireAll] },
      false,
    ],
    [
      'the account that made it, by identity policy',
      { principal: carol, retiring: given(alice.arn, [], { issuingAccount: account }), identityPolicies: [retireAll] },
      true,
    ],
    [
      'the account that made it, without',
      { principal: carol, retiring: given(alice.arn, [], { issuingAccount: account }) },
      false,
    ],
    [
      'the root user of the account that made it',
      { principal: root(), retiring: given(undefined, [], { issuingAccount: account }) },
      true,
    ],
    ['the root user of the account that has the key', { principal: root(), retiring: given() }, false],
    [
      'an account as retiring principal, by identity policy',
      { retiring: given(rootArn), identityPolicies: [retireAll] },
      true,
    ],
    ['an account as retiring principal, without', { retiring: given(rootArn) }, false],
    ['a role as retiring principal', { principal: builder, retiring: given(builder.roleArn) }, true],
    ['by key policy', { principal: carol, retiring: given(), key: policy('key', { Principal: '*' }) }, false],
    ['no grant', { identityPolicies: [retireAll] }, false],
    [
      'another grant that allows it',
      { principal: bob, retiring: given(), grants: [given(undefined, ['RetireGrant'])] },
      false,
    ],
    ['of another account', { principal: user('x', otherAccount), retiring: given(user('x', otherAccount).arn) }, true],
  ])('%s', (_, question, allowed) => {
    expect(ask({ operation: 'RetireGrant', ...question }).decision).toBe(allowed ? 'allow' : 'deny');
  });
});
