import { describe, expect, test } from '@jest/globals';
import { actionRules, findActionRule } from '../../../src/authorization/policy/actions.js';
import { administratorAccess } from '../../../src/authorization/policy/administrator-access.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { operationNames } from '../../../src/contract/operations.js';
import {
  alice,
  ask,
  bob,
  delegating,
  grant,
  otherAccount,
  policy,
  type Question,
  root,
  rootArn,
  session,
  user,
} from './fixtures.js';

const allowAll = policy('identity', {});
const denyAll = policy('identity', { Effect: 'Deny' });
const allowNothing = policy('identity', { Action: 's3:*' });
const keyForAlice = policy('key', { Principal: { AWS: alice.arn } });
const keyForNobody = policy('key', { Principal: { AWS: bob.arn } });

/** All rules of all operations, by operation and place. */
const parts = operationNames.flatMap((operation) =>
  actionRules[operation].map(
    (rule, part) => [`${operation} ${rule.action} on ${rule.resource}`, operation, part] as const,
  ),
);
const grantable = new Set(
  'Decrypt Encrypt GenerateDataKey GenerateDataKeyWithoutPlaintext ReEncryptFrom ReEncryptTo Sign Verify GetPublicKey CreateGrant RetireGrant DescribeKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateMac VerifyMac DeriveSharedSecret Encapsulate Decapsulate'.split(
    ' ',
  ),
);

test('there is a rule for each of the operations', () => {
  expect(Object.keys(actionRules).sort()).toEqual([...operationNames].sort());
  expect(operationNames).toHaveLength(56);
});

describe.each(parts)('%s', (_, operation, part) => {
  const rule = actionRules[operation][part]!;
  const name = rule.action.slice('kms:'.length);
  const decisionOf = (question: Question) => ask({ operation, part, ...question }).decision;
  const byKey = rule.permission === 'key-policy';
  const isRetiring = rule.permission === 'retire-grant';
  const retiring = isRetiring ? { retiring: grant(bob.arn, ['Decrypt']) } : {};
  const onlyAction = (effect: string) => policy('identity', { Effect: effect, Action: rule.action });

  test('is denied by default', () => {
    expect(decisionOf({ ...retiring })).toBe('deny');
    expect(decisionOf({ ...retiring, key: delegating })).toBe('deny');
    expect(decisionOf({ ...retiring, key: delegating, identityPolicies: [allowNothing] })).toBe('deny');
    expect(decisionOf({ ...retiring, key: keyForNobody })).toBe('deny');
  });

  test('by identity policy', () => {
    const identityPolicies = [onlyAction('Allow')];
    expect(decisionOf({ ...retiring, key: delegating, identityPolicies })).toBe('allow');
    // Where the key does not delegate, and by no means without a key policy.
    const expected = byKey ? 'deny' : 'allow';
    expect(decisionOf({ ...retiring, key: keyForNobody, identityPolicies })).toBe(expected);
    expect(decisionOf({ ...retiring, identityPolicies })).toBe(expected);
  });

  test('by key policy', () => {
    const key = policy('key', { Principal: { AWS: alice.arn }, Action: rule.action });
    expect(decisionOf({ ...retiring, key })).toBe(byKey ? 'allow' : 'deny');
    const all = policy('key', { Principal: '*' });
    expect(decisionOf({ ...retiring, key: all })).toBe(byKey ? 'allow' : 'deny');
  });

  test('by grant', () => {
    const grants = [grant(alice.arn, [name], { retiringPrincipal: alice.arn })];
    const grantCall = { child: { operations: [] } };
    const expected = grantable.has(name) && rule.permission !== 'identity-policy' ? 'allow' : 'deny';
    const own = isRetiring ? { retiring: grants[0] } : {};
    // Grants of other operations are made by nobody; an evaluator is not asked about them.
    if (expected === 'deny' && byKey) return;
    expect(decisionOf({ grants, grantCall, key: keyForNobody, ...own })).toBe(expected);
  });

  test('an explicit deny beats each', () => {
    const everything: Question = {
      key: policy('key', { Principal: '*' }, { Principal: { AWS: rootArn } }),
      identityPolicies: [administratorAccess],
      grants: [grant(alice.arn, [name])],
      grantCall: { child: { operations: [] } },
      ...(isRetiring ? { retiring: grant(alice.arn, [name], { retiringPrincipal: alice.arn }) } : {}),
    };
    expect(decisionOf(everything)).toBe('allow');
    const deny = onlyAction('Deny');
    expect(decisionOf({ ...everything, identityPolicies: [administratorAccess, deny] })).toBe('deny');
    expect(decisionOf({ ...everything, permissionsBoundary: deny })).toBe('deny');
    expect(decisionOf({ ...everything, sessionPolicies: [administratorAccess, deny] })).toBe('deny');
    const key = policy(
      'key',
      { Principal: '*' },
      { Principal: { AWS: rootArn } },
      { Principal: { AWS: rootArn }, Effect: 'Deny', Action: rule.action },
    );
    expect(decisionOf({ ...everything, key })).toBe(rule.permission === 'identity-policy' ? 'allow' : 'deny');
  });

  test('from another account', () => {
    const stranger = user('stranger', otherAccount);
    const key = policy('key', { Principal: { AWS: otherAccount }, Action: rule.action });
    const question = { ...retiring, principal: stranger, key };
    expect(decisionOf({ ...question, identityPolicies: [onlyAction('Allow')] })).toBe(
      rule.crossAccount && byKey ? 'allow' : 'deny',
    );
    expect(decisionOf(question)).toBe('deny');
    expect(decisionOf({ ...question, key: keyForAlice, identityPolicies: [administratorAccess] })).toBe('deny');
  });
});

describe('the key policy is the root of trust', () => {
  test.each<[string, Question, string, string]>([
    ['allowed by name', { key: keyForAlice }, 'allow', 'allowed-by-key-policy'],
    [
      'delegated, and allowed',
      { key: delegating, identityPolicies: [allowAll] },
      'allow',
      'allowed-by-identity-policy',
    ],
    ['delegated only', { key: delegating }, 'deny', 'not-allowed-by-identity-policy'],
    ['not delegated', { key: keyForNobody, identityPolicies: [allowAll] }, 'deny', 'not-allowed-by-key-policy'],
    ['no key policy', { identityPolicies: [allowAll] }, 'deny', 'not-allowed-by-key-policy'],
    [
      'delegated for other actions',
      { key: policy('key', { Principal: { AWS: rootArn }, Action: 'kms:Encrypt' }), identityPolicies: [allowAll] },
      'deny',
      'not-allowed-by-key-policy',
    ],
    [
      'delegated under a condition that holds',
      {
        key: policy('key', { Principal: { AWS: rootArn }, Condition: { Bool: { 'aws:SecureTransport': true } } }),
        keys: { 'aws:SecureTransport': 'true' },
        identityPolicies: [allowAll],
      },
      'allow',
      'allowed-by-identity-policy',
    ],
    [
      'delegated under a condition that does not hold',
      {
        key: policy('key', { Principal: { AWS: rootArn }, Condition: { Bool: { 'aws:SecureTransport': true } } }),
        keys: { 'aws:SecureTransport': 'false' },
        identityPolicies: [allowAll],
      },
      'deny',
      'not-allowed-by-key-policy',
    ],
    [
      'denied by an identity policy',
      { key: keyForAlice, identityPolicies: [allowAll, denyAll] },
      'deny',
      'explicit-deny-identity-policy',
    ],
    ['the root user with delegation', { principal: root(), key: delegating }, 'allow', 'allowed-by-key-policy'],
    ['the root user without', { principal: root(), key: keyForAlice }, 'deny', 'not-allowed-by-key-policy'],
    [
      'an administrator without',
      { key: keyForNobody, identityPolicies: [administratorAccess] },
      'deny',
      'not-allowed-by-key-policy',
    ],
    [
      'kms:ResourceAliases allows nothing in a key policy',
      {
        key: policy('key', {
          Principal: { AWS: alice.arn },
          Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/a' } },
        }),
        keys: { 'kms:ResourceAliases': ['alias/a'] },
      },
      'deny',
      'not-allowed-by-key-policy',
    ],
    [
      'nor by its absence',
      {
        key: policy('key', { Principal: { AWS: alice.arn }, Condition: { Null: { 'kms:ResourceAliases': true } } }),
      },
      'deny',
      'not-allowed-by-key-policy',
    ],
    [
      'kms:ResourceAliases in an identity policy',
      {
        key: delegating,
        identityPolicies: [
          policy('identity', { Condition: { 'ForAnyValue:StringEquals': { 'kms:ResourceAliases': 'alias/a' } } }),
        ],
        keys: { 'kms:ResourceAliases': ['alias/b', 'alias/a'] },
      },
      'allow',
      'allowed-by-identity-policy',
    ],
  ])('%s', (_, question, decision, reason) => {
    expect(ask(question)).toMatchObject({ decision, reason });
  });
});

describe('permissions boundaries and session policies', () => {
  const builder = session('Builder', 'ci');
  const byRole = policy('key', { Principal: { AWS: builder.roleArn } });
  const bySession = policy('key', { Principal: { AWS: builder.arn } });
  const limits = { permissionsBoundary: allowNothing };
  test.each<[string, Question, string]>([
    [
      'boundary allows',
      { key: delegating, identityPolicies: [allowAll], permissionsBoundary: allowAll },
      'allowed-by-identity-policy',
    ],
    [
      'boundary does not allow',
      { key: delegating, identityPolicies: [allowAll], ...limits },
      'not-allowed-by-permissions-boundary',
    ],
    [
      'boundary alone allows nothing',
      { key: delegating, permissionsBoundary: allowAll },
      'not-allowed-by-identity-policy',
    ],
    [
      'a user named by the key is not limited by its boundary',
      { key: keyForAlice, ...limits },
      'allowed-by-key-policy',
    ],
    ['a role named by the key, no limits', { principal: builder, key: byRole }, 'allowed-by-key-policy'],
    [
      'a role named by the key is limited by its boundary',
      { principal: builder, key: byRole, ...limits },
      'not-allowed-by-permissions-boundary',
    ],
    [
      'a role named by the key is limited by the session policy',
      { principal: builder, key: byRole, sessionPolicies: [allowNothing] },
      'not-allowed-by-session-policy',
    ],
    [
      'one session policy that allows is enough',
      { principal: builder, key: byRole, sessionPolicies: [allowNothing, allowAll] },
      'allowed-by-key-policy',
    ],
    [
      'no session policy is no limit',
      { principal: builder, key: byRole, sessionPolicies: [] },
      'allowed-by-key-policy',
    ],
    [
      'a session named by the key is not limited',
      { principal: builder, key: bySession, sessionPolicies: [allowNothing] },
      'allowed-by-key-policy',
    ],
    [
      'a session is denied by its policy',
      { principal: builder, key: bySession, sessionPolicies: [denyAll] },
      'explicit-deny-session-policy',
    ],
    [
      'a session policy allows nothing alone',
      { principal: builder, key: delegating, sessionPolicies: [allowAll] },
      'not-allowed-by-identity-policy',
    ],
    [
      'identity and session policy',
      { principal: builder, key: delegating, identityPolicies: [allowAll], sessionPolicies: [allowAll] },
      'allowed-by-identity-policy',
    ],
    [
      'identity policy, session policy not',
      { principal: builder, key: delegating, identityPolicies: [allowAll], sessionPolicies: [allowNothing] },
      'not-allowed-by-session-policy',
    ],
    [
      'boundary on an account action',
      { operation: 'CreateKey', identityPolicies: [allowAll], ...limits },
      'not-allowed-by-permissions-boundary',
    ],
    [
      'session policy on an account action',
      { operation: 'CreateKey', principal: builder, identityPolicies: [allowAll], sessionPolicies: [allowNothing] },
      'not-allowed-by-session-policy',
    ],
    [
      'a grant to the role is limited',
      { principal: builder, grants: [grant(builder.roleArn, ['Decrypt'])], sessionPolicies: [allowNothing] },
      'not-allowed-by-session-policy',
    ],
    [
      'a grant to the session is not',
      { principal: builder, grants: [grant(builder.arn, ['Decrypt'])], sessionPolicies: [allowNothing] },
      'allowed-by-grant',
    ],
  ])('%s', (_, question, reason) => {
    expect(ask(question)).toMatchObject({ reason, decision: reason.startsWith('allowed') ? 'allow' : 'deny' });
  });
});

describe('other accounts', () => {
  const stranger = user('stranger', otherAccount);
  const named = policy('key', { Principal: { AWS: stranger.arn } });
  test.each<[string, Question, string]>([
    ['both sides', { key: named, identityPolicies: [allowAll] }, 'allowed-by-identity-policy'],
    ['the key alone', { key: named }, 'not-allowed-by-identity-policy'],
    ['* and no identity policy', { key: policy('key', { Principal: '*' }) }, 'not-allowed-by-identity-policy'],
    [
      '* and an identity policy',
      { key: policy('key', { Principal: '*' }), identityPolicies: [allowAll] },
      'allowed-by-identity-policy',
    ],
    ['identity policy alone', { key: delegating, identityPolicies: [allowAll] }, 'not-allowed-by-key-policy'],
    [
      'the root user of the account that is named',
      { principal: root(otherAccount), key: policy('key', { Principal: { AWS: otherAccount } }) },
      'allowed-by-account-root',
    ],
    [
      'a grant that names the caller',
      { key: delegating, grants: [grant(stranger.arn, ['Decrypt'])] },
      'allowed-by-grant',
    ],
    [
      'an operation of the own account only',
      { operation: 'DisableKey', key: named, identityPolicies: [allowAll] },
      'cross-account-not-supported',
    ],
    ['an identity operation', { operation: 'ListKeys', identityPolicies: [allowAll] }, 'cross-account-not-supported'],
    [
      'identity policy that names the key',
      { key: named, identityPolicies: [policy('identity', { Resource: 'arn:aws:kms:*:111122223333:key/*' })] },
      'allowed-by-identity-policy',
    ],
    [
      'identity policy for keys of its own account',
      { key: named, identityPolicies: [policy('identity', { Resource: 'arn:aws:kms:*:444455556666:key/*' })] },
      'not-allowed-by-identity-policy',
    ],
    [
      'a deny of the own account',
      { key: named, identityPolicies: [allowAll, denyAll] },
      'explicit-deny-identity-policy',
    ],
  ])('%s', (_, question, reason) => {
    const decision = reason.startsWith('allowed') ? 'allow' : 'deny';
    expect(ask({ principal: stranger, ...question })).toMatchObject({ reason, decision });
  });
});

test.each<[string, Question, string]>([
  [
    'key policy',
    { key: policy('key', { Principal: '*', Effect: 'Deny' }) },
    'with an explicit deny in a resource-based policy',
  ],
  ['identity policy', { identityPolicies: [denyAll] }, 'with an explicit deny in an identity-based policy'],
  ['boundary', { permissionsBoundary: denyAll }, 'with an explicit deny in a permissions boundary'],
  ['session policy', { sessionPolicies: [denyAll] }, 'with an explicit deny in a session policy'],
  ['no identity policy', { key: delegating }, 'because no identity-based policy allows the kms:Decrypt action'],
  ['no key policy', { identityPolicies: [allowAll] }, 'because no resource-based policy allows the kms:Decrypt action'],
  [
    'no boundary',
    { key: delegating, identityPolicies: [allowAll], permissionsBoundary: allowNothing },
    'because no permissions boundary allows the kms:Decrypt action',
  ],
  [
    'no session policy',
    { key: delegating, identityPolicies: [allowAll], sessionPolicies: [allowNothing] },
    'because no session policy allows the kms:Decrypt action',
  ],
  ['account action', { operation: 'CreateKey' }, 'because no identity-based policy allows the kms:CreateKey action'],
  [
    'RetireGrant',
    { operation: 'RetireGrant', retiring: grant(bob.arn, []) },
    'because no identity-based policy allows the kms:RetireGrant action',
  ],
])('what AWS says: %s', (_, question, message) => {
  expect(ask(question)).toMatchObject({ decision: 'deny', message });
});

test('the decision names what decided', () => {
  const key = policy('key', { Principal: { AWS: bob.arn } }, { Sid: 'for alice', Principal: { AWS: alice.arn } });
  expect(ask({ key })).toEqual({
    decision: 'allow',
    reason: 'allowed-by-key-policy',
    message: '',
    policy: { sort: 'key-policy', index: 0 },
    statement: { index: 1, sid: 'for alice' },
  });
  const identityPolicies = [allowNothing, policy('identity', { Action: 's3:*' }, { Sid: 'No', Effect: 'Deny' })];
  expect(ask({ key, identityPolicies })).toMatchObject({
    policy: { sort: 'identity-policy', index: 1 },
    statement: { index: 1, sid: 'No' },
  });
  expect(ask({ grants: [grant(alice.arn, ['Decrypt'], { id: 'g1' })] })).toMatchObject({ grantId: 'g1' });
});

test('a rule is found by its action', () => {
  expect(findActionRule('kms:decrypt', 'key')?.rule).toBe(actionRules.Decrypt[0]);
  expect(findActionRule('kms:TagResource', 'key')?.rule).toBe(actionRules.TagResource[0]);
  expect(findActionRule('kms:CreateAlias', 'alias')?.rule).toBe(actionRules.CreateAlias[0]);
  expect(findActionRule('kms:CreateAlias', 'key')?.rule).toBe(actionRules.CreateAlias[1]);
  expect(findActionRule('kms:Explode', 'key')).toBeUndefined();
});

/** Contract A.2, "x-acct Yes". */
test('the operations that may use keys of other accounts', () => {
  const crossing = operationNames.filter((name: OperationName) => actionRules[name].some((rule) => rule.crossAccount));
  expect(crossing).toEqual(
    'CreateGrant Decapsulate Decrypt DeriveSharedSecret DescribeKey Encapsulate Encrypt GenerateDataKey GenerateDataKeyPair GenerateDataKeyPairWithoutPlaintext GenerateDataKeyWithoutPlaintext GenerateMac GetKeyRotationStatus GetPublicKey ListGrants ReEncrypt RetireGrant RevokeGrant Sign Verify VerifyMac'.split(
      ' ',
    ),
  );
});
