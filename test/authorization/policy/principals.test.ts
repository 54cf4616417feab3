import { describe, expect, test } from '@jest/globals';
import { evaluate } from '../../../src/authorization/policy/evaluate.js';
import type { PolicyPrincipal } from '../../../src/authorization/policy/policy-principal.js';
import {
  account,
  alice,
  bob,
  context,
  type Json,
  keyArn,
  otherAccount,
  policy,
  root,
  rootArn,
  session,
  user,
} from './fixtures.js';

const builder = session('Builder', 'ci');
const builderWithPath: PolicyPrincipal = { ...builder, roleArn: `arn:aws:iam::${account}:role/team/Builder` };
const stranger = user('alice', otherAccount);

/** How a key policy with one Allow means a caller: itself, its role, its account; or not at all. */
function meaning(element: Json, principal: PolicyPrincipal): string {
  const request = { principal, action: 'kms:Decrypt', resource: keyArn, context: context() };
  const { allow, allowRole, delegation } = evaluate(policy('key', element), request);
  return allow ? 'itself' : allowRole ? 'role' : delegation ? 'account' : 'no';
}

function isDenied(element: Json, principal: PolicyPrincipal): boolean {
  const request = { principal, action: 'kms:Decrypt', resource: keyArn, context: context() };
  return evaluate(policy('key', { ...element, Effect: 'Deny' }), request).deny !== undefined;
}

const arnOf = (name: string) => `arn:aws:iam::${account}:${name}`;
const sessionArn = `arn:aws:sts::${account}:assumed-role/Builder/ci`;

const rows: readonly [string, unknown, PolicyPrincipal, string][] = [
  ['everyone', '*', alice, 'itself'],
  ['everyone', '*', stranger, 'itself'],
  ['everyone', '*', root(), 'itself'],
  ['everyone, written as AWS', { AWS: '*' }, builder, 'itself'],
  ['the user', { AWS: arnOf('user/alice') }, alice, 'itself'],
  ['one of several', { AWS: [arnOf('user/bob'), arnOf('user/alice')] }, alice, 'itself'],
  ['another user', { AWS: arnOf('user/bob') }, alice, 'no'],
  ['a user whose name differs in case', { AWS: arnOf('user/Alice') }, alice, 'no'],
  ['a user of the same name with a path', { AWS: arnOf('user/x/alice') }, alice, 'no'],
  ['a user of the same name in another account', { AWS: arnOf('user/alice') }, stranger, 'no'],
  ['a role of the same name', { AWS: arnOf('role/alice') }, alice, 'no'],
  ['the role', { AWS: arnOf('role/Builder') }, builder, 'role'],
  ['another role', { AWS: arnOf('role/Other') }, builder, 'no'],
  ['the role with its path', { AWS: arnOf('role/team/Builder') }, builderWithPath, 'role'],
  ['the role without its path', { AWS: arnOf('role/Builder') }, builderWithPath, 'no'],
  ['the session', { AWS: sessionArn }, builder, 'itself'],
  ['another session', { AWS: sessionArn }, session('Builder', 'other'), 'no'],
  ['role and session', { AWS: [arnOf('role/Builder'), sessionArn] }, builder, 'itself'],
  ['the account by its root', { AWS: rootArn }, alice, 'account'],
  ['the account by its root', { AWS: rootArn }, builder, 'account'],
  ['the account by its id', { AWS: account }, alice, 'account'],
  ['the root user by the account', { AWS: rootArn }, root(), 'itself'],
  ['the root user by the account id', { AWS: account }, root(), 'itself'],
  ['another account', { AWS: otherAccount }, alice, 'no'],
  ['another account, its caller', { AWS: otherAccount }, stranger, 'account'],
  ['another partition', { AWS: `arn:aws-cn:iam::${account}:root` }, alice, 'no'],
  ['a service', { Service: 'ec2.amazonaws.com' }, alice, 'no'],
  ['an identity provider', { Federated: 'accounts.google.com' }, alice, 'no'],
  ['a canonical user', { CanonicalUser: 'a'.repeat(64) }, alice, 'no'],
];

test.each(rows)('Principal: %s', (_, element, principal, expected) => {
  expect(meaning({ Principal: element }, principal)).toBe(expected);
  // A Deny means all whom an Allow could mean, by whatever way.
  expect(isDenied({ Principal: element }, principal)).toBe(expected !== 'no');
});

describe('NotPrincipal', () => {
  const all = (...arns: string[]) => ({ NotPrincipal: { AWS: arns } });
  test.each<[string, Json, PolicyPrincipal, boolean]>([
    ['user and account: excepted', all(alice.arn, rootArn), alice, false],
    ['user and account id: excepted', all(alice.arn, account), alice, false],
    ['user without account', all(alice.arn), alice, true],
    ['account without user', all(rootArn), alice, true],
    ['another user', all(alice.arn, rootArn), bob, true],
    ['session, role and account: excepted', all(builder.arn, builder.roleArn!, rootArn), builder, false],
    ['role and account without session', all(builder.roleArn!, rootArn), builder, true],
    ['session and account without role', all(builder.arn, rootArn), builder, true],
    ['the root user by its account: excepted', all(rootArn), root(), false],
    ['the root user of another account', all(rootArn), root(otherAccount), true],
    ['a caller of another account', all(alice.arn, rootArn), stranger, true],
    ['everyone excepted', { NotPrincipal: '*' }, alice, false],
    ['a service excepted', { NotPrincipal: { Service: 'ec2.amazonaws.com' } }, alice, true],
  ])('Deny, %s', (_, element, principal, expected) => {
    expect(isDenied(element, principal)).toBe(expected);
  });

  test.each<[string, Json, PolicyPrincipal, string]>([
    ['another user', all(bob.arn), alice, 'itself'],
    ['the user', all(alice.arn), alice, 'no'],
    ['the account', all(rootArn), alice, 'no'],
    ['the role', all(builder.roleArn!), builder, 'no'],
    ['everyone', { NotPrincipal: '*' }, alice, 'no'],
    ['a service', { NotPrincipal: { Service: 'ec2.amazonaws.com' } }, alice, 'itself'],
  ])('Allow to all but %s', (_, element, principal, expected) => {
    expect(meaning(element, principal)).toBe(expected);
  });
});

describe('Action and Resource', () => {
  const allows = (statement: Json, action = 'kms:Decrypt', resource = keyArn) =>
    evaluate(policy('identity', statement), { principal: alice, action, resource, context: context() }).allow !==
    undefined;
  test.each<[Json, boolean]>([
    [{ Action: 'kms:Decrypt' }, true],
    [{ Action: 'KMS:decrypt' }, true],
    [{ Action: 'kms:De*' }, true],
    [{ Action: 'kms:?ecrypt' }, true],
    [{ Action: '*' }, true],
    [{ Action: '*:*' }, true],
    [{ Action: 'kms:Decrypt?' }, false],
    [{ Action: 'kms:Encrypt' }, false],
    [{ Action: ['kms:Encrypt', 'kms:Decrypt'] }, true],
    [{ Action: 's3:*' }, false],
    [{ NotAction: 'kms:Encrypt' }, true],
    [{ NotAction: ['kms:Encrypt', 'kms:D*'] }, false],
    [{ NotAction: 's3:*' }, true],
    [{ NotAction: 'KMS:DECRYPT' }, false],
    [{ Resource: keyArn }, true],
    [{ Resource: keyArn.toUpperCase().replace('ARN:', 'arn:') }, false],
    [{ Resource: 'arn:aws:kms:us-west-2:111122223333:key/*' }, true],
    [{ Resource: 'arn:aws:kms:*:111122223333:*' }, true],
    [{ Resource: 'arn:aws:kms:us-east-1:111122223333:key/*' }, false],
    [{ Resource: 'arn:aws:kms:us-west-2:111122223333:alias/*' }, false],
    [{ Resource: ['arn:aws:s3:::x', keyArn] }, true],
    [{ Resource: undefined, NotResource: keyArn }, false],
    [{ Resource: undefined, NotResource: 'arn:aws:s3:::*' }, true],
    [{ Resource: undefined, NotResource: ['arn:aws:s3:::*', '*'] }, false],
  ])('%j covers kms:Decrypt on the key: %s', (statement, expected) => {
    expect(allows(statement)).toBe(expected);
  });
  test('what has no resource is covered by * only', () => {
    expect(allows({ Resource: '*' }, 'kms:ListKeys', '*')).toBe(true);
    expect(allows({ Resource: 'arn:aws:kms:*:111122223333:key/*' }, 'kms:ListKeys', '*')).toBe(false);
  });
});
