import { describe, expect, test } from '@jest/globals';
import { brokenPolicy } from '../../src/authorization/policy/document.js';
import type { Principal, Role } from '../../src/authorization/principal.js';
import { authorizeOnRole, decideOnRole, type RoleRequest } from '../../src/sts/role-permissions.js';
import { account, factsOf, type Json, policy, role, rootArn, sessionOf, user } from './fixtures.js';

const bob = user('bob');
const target = role('target');
const request: RoleRequest = {
  roleArn: target.arn,
  roleSessionName: 'one',
  externalId: undefined,
  sourceIdentity: undefined,
  tags: new Map(),
  transitiveTagKeys: [],
};
const mayAssume = (Resource: string = target.arn) => policy('identity', { Action: 'sts:AssumeRole', Resource });
const boundary = (Action: string) => policy('identity', { Action });
const trusts = (...statements: readonly Json[]): Role =>
  role('target', { trustPolicy: policy('trust', ...statements) });
const reasonOf = (principal: Principal, of: Role | undefined, asked: Partial<RoleRequest> = {}) =>
  decideOnRole('sts:AssumeRole', factsOf(principal), { ...request, ...asked }, of).reason;

const trustsBob = trusts({ Principal: { AWS: bob.arn } });
const trustsAccount = trusts({ Principal: { AWS: rootArn } });
const first = role('first', { identityPolicies: [mayAssume()] });
const sessionOfFirst = sessionOf(first);
const trustsFirst = trusts({ Principal: { AWS: first.arn } });

const withIdentity = user('bob', { identityPolicies: [mayAssume()] });
const limited = (rest: Partial<Principal>) => user('bob', { identityPolicies: [mayAssume()], ...rest });

describe('who may assume a role', () => {
  const table: [string, Principal, Role | undefined, string][] = [
    ['a user whom it trusts, without a policy of its own', bob, trustsBob, 'allowed-by-trust-policy'],
    ['not another user', user('carol'), trustsBob, 'not-allowed-by-trust-policy'],
    ['not another user who has a policy', limited({ arn: `${bob.arn}by` }), trustsBob, 'not-allowed-by-trust-policy'],
    ['nobody by the account root alone', bob, trustsAccount, 'not-allowed-by-identity-policy'],
    ['a user with a policy, where it trusts the account', withIdentity, trustsAccount, 'allowed-by-identity-policy'],
    [
      'the same by the bare id of the account',
      withIdentity,
      trusts({ Principal: { AWS: account } }),
      'allowed-by-identity-policy',
    ],
    [
      'not by a policy about another role',
      user('bob', { identityPolicies: [mayAssume(`${target.arn}s`)] }),
      trustsAccount,
      'not-allowed-by-identity-policy',
    ],
    [
      'a user whom it has trusted since it was made',
      bob,
      { ...trustsBob, trustedPrincipals: new Map([[bob.arn, bob.uniqueId]]) },
      'allowed-by-trust-policy',
    ],
    [
      'not the namesake of a user whom it trusted',
      bob,
      { ...trustsBob, trustedPrincipals: new Map([[bob.arn, 'AIDAWHOWASDELETED']]) },
      'not-allowed-by-trust-policy',
    ],
    [
      'not a session of a namesake of a role that it trusted',
      sessionOfFirst,
      { ...trustsFirst, trustedPrincipals: new Map([[first.arn, 'AROAWHOWASDELETED']]) },
      'not-allowed-by-trust-policy',
    ],
    ['anybody, where it trusts everybody', bob, trusts({ Principal: '*' }), 'allowed-by-trust-policy'],
    ['a session of a role that it trusts', sessionOfFirst, trustsFirst, 'allowed-by-trust-policy'],
    [
      'one session that it trusts',
      sessionOfFirst,
      trusts({ Principal: { AWS: sessionOfFirst.arn } }),
      'allowed-by-trust-policy',
    ],
    [
      'not another session',
      sessionOfFirst,
      trusts({ Principal: { AWS: `${sessionOfFirst.arn}2` } }),
      'not-allowed-by-trust-policy',
    ],
    [
      'a role of itself, if it trusts itself',
      sessionOf(trustsAccount),
      trusts({ Principal: { AWS: target.arn } }),
      'allowed-by-trust-policy',
    ],
    ['not a role of itself otherwise', sessionOf(trustsBob), trustsBob, 'not-allowed-by-trust-policy'],
    ["a session by its role's policies", sessionOfFirst, trustsAccount, 'allowed-by-identity-policy'],
    [
      'not who is trusted for something else',
      bob,
      trusts({ Principal: { AWS: bob.arn }, Action: 'sts:TagSession' }),
      'not-allowed-by-trust-policy',
    ],
    ['nobody a role that is not there', withIdentity, undefined, 'not-allowed-by-trust-policy'],
    [
      'not whom the trust policy denies it',
      withIdentity,
      trusts({ Principal: { AWS: bob.arn } }, { Effect: 'Deny', Principal: { AWS: rootArn } }),
      'explicit-deny-trust-policy',
    ],
    [
      'not whom his own policy denies it',
      limited({ identityPolicies: [mayAssume(), policy('identity', { Effect: 'Deny' })] }),
      trustsBob,
      'explicit-deny-identity-policy',
    ],
    [
      'not beyond a boundary',
      limited({ permissionsBoundary: boundary('kms:*') }),
      trustsAccount,
      'not-allowed-by-permissions-boundary',
    ],
    [
      'whom it trusts by name, whatever the boundary leaves out',
      limited({ permissionsBoundary: boundary('kms:*') }),
      trustsBob,
      'allowed-by-trust-policy',
    ],
    [
      'not beyond a session policy',
      sessionOf(first, { sessionPolicies: [policy('session', { Action: 'kms:*' })] }),
      trustsFirst,
      'not-allowed-by-session-policy',
    ],
    [
      'all but those who are excepted',
      withIdentity,
      trusts({ Principal: { AWS: rootArn } }, { Effect: 'Deny', NotPrincipal: { AWS: [bob.arn, rootArn] } }),
      'allowed-by-identity-policy',
    ],
    [
      'nobody by a trust policy that is broken',
      withIdentity,
      role('target', { trustPolicy: brokenPolicy('?', 'trust') }),
      'broken-trust-policy',
    ],
  ];
  test.each(table)('%s', (_who, principal, of, reason) => {
    expect(reasonOf(principal, of)).toBe(reason);
  });
});

describe('conditions of a trust policy', () => {
  const tagged = user('bob', { tags: new Map([['Team', 'red']]) });
  const chained = sessionOf(first, { sourceIdentity: 'alice', tags: new Map([['Team', 'red']]) });
  const asked: Partial<RoleRequest> = {
    externalId: 'x-1',
    sourceIdentity: 'alice',
    tags: new Map([
      ['Team', 'red'],
      ['Cost', '7'],
    ]),
    transitiveTagKeys: ['Team'],
  };
  const table: [Json, Partial<RoleRequest>, Principal, boolean][] = [
    [{ StringEquals: { 'sts:ExternalId': 'x-1' } }, asked, bob, true],
    [{ StringEquals: { 'sts:ExternalId': 'x-2' } }, asked, bob, false],
    [{ StringEquals: { 'sts:ExternalId': 'x-1' } }, {}, bob, false],
    [{ Null: { 'sts:ExternalId': 'true' } }, {}, bob, true],
    [{ StringLike: { 'sts:RoleSessionName': 'on?' } }, {}, bob, true],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    [{ StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }, { roleSessionName: 'bob' }, bob, true],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    [{ StringEquals: { 'sts:RoleSessionName': '${aws:username}' } }, {}, bob, false],
    [{ StringEquals: { 'sts:SourceIdentity': 'alice' } }, asked, bob, true],
    [{ StringEquals: { 'sts:SourceIdentity': 'alice' } }, {}, bob, false],
    [{ StringEquals: { 'aws:SourceIdentity': 'alice' } }, {}, chained, true],
    [{ StringEquals: { 'aws:SourceIdentity': 'alice' } }, asked, bob, false],
    [{ StringEquals: { 'aws:RequestTag/team': 'red' } }, asked, bob, true],
    [{ StringEquals: { 'aws:RequestTag/team': 'red' } }, {}, tagged, false],
    [{ StringEquals: { 'aws:PrincipalTag/team': 'red' } }, {}, tagged, true],
    [{ StringEquals: { 'aws:PrincipalTag/team': 'red' } }, {}, chained, true],
    [{ StringEquals: { 'aws:PrincipalTag/team': 'red' } }, asked, bob, false],
    // biome-ignore lint/suspicious/noTemplateCurlyInString: a policy variable
    [{ StringEquals: { 'aws:RequestTag/Team': '${aws:PrincipalTag/Team}' } }, asked, tagged, true],
    [{ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team', 'Cost'] } }, asked, bob, true],
    [{ 'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team'] } }, asked, bob, false],
    [{ 'ForAnyValue:StringEquals': { 'aws:TagKeys': ['Team'] } }, asked, bob, true],
    [{ 'ForAllValues:StringEquals': { 'sts:TransitiveTagKeys': ['Team'] } }, asked, bob, true],
    [{ 'ForAnyValue:StringEquals': { 'sts:TransitiveTagKeys': ['Cost'] } }, asked, bob, false],
    [{ StringEquals: { 'aws:ResourceTag/env': 'prod' } }, {}, bob, true],
    [{ StringEquals: { 'iam:ResourceTag/env': 'prod' } }, {}, bob, true],
    [{ Bool: { 'aws:MultiFactorAuthPresent': 'true' } }, {}, bob, false],
    [{ Bool: { 'aws:MultiFactorAuthPresent': 'true' } }, {}, chained, false],
    [{ ArnEquals: { 'aws:PrincipalArn': first.arn } }, {}, chained, true],
    [{ StringEquals: { 'aws:userid': `${first.uniqueId}:chained` } }, {}, chained, true],
    [{ StringEquals: { 'aws:PrincipalType': 'AssumedRole' } }, {}, chained, true],
    [{ IpAddress: { 'aws:SourceIp': '10.0.0.0/8' } }, {}, bob, true],
    [{ IpAddress: { 'aws:SourceIp': '192.168.0.0/16' } }, {}, bob, false],
    [{ DateLessThan: { 'aws:CurrentTime': '2026-01-03T00:00:00Z' } }, {}, bob, true],
    [{ DateGreaterThan: { 'aws:CurrentTime': '2026-01-03T00:00:00Z' } }, {}, bob, false],
    [{ Bool: { 'aws:SecureTransport': 'true' } }, {}, bob, false],
    [{ StringEquals: { 'aws:RequestedRegion': 'us-east-1' } }, {}, bob, true],
    [{ NumericLessThan: { 'sts:DurationSeconds': '99999' } }, {}, bob, false],
  ];
  test.each(table)('%j with %j', (Condition, request, principal, holds) => {
    const of = { ...trusts({ Principal: '*', Condition }), tags: new Map([['env', 'prod']]) };
    expect(reasonOf(principal, of, request)).toBe(holds ? 'allowed-by-trust-policy' : 'not-allowed-by-trust-policy');
  });

  test('with a key of STS that nobody knows are refused', () => {
    expect(() => trusts({ Principal: '*', Condition: { StringEquals: { 'sts:ExternalID2': 'x' } } })).toThrow(
      /invalid condition key: sts:ExternalID2/,
    );
  });
});

describe('each action sees its own keys only, as in AWS', () => {
  const full: RoleRequest = {
    ...request,
    externalId: 'x',
    sourceIdentity: 'alice',
    tags: new Map([['Team', 'red']]),
    transitiveTagKeys: ['Team'],
  };
  const keys = {
    'sts:ExternalId': ['sts:AssumeRole'],
    'sts:RoleSessionName': ['sts:AssumeRole'],
    'sts:SourceIdentity': ['sts:AssumeRole', 'sts:SetSourceIdentity'],
    'sts:TransitiveTagKeys': ['sts:AssumeRole', 'sts:TagSession'],
    'aws:TagKeys': ['sts:AssumeRole', 'sts:TagSession'],
    'aws:RequestTag/Team': ['sts:AssumeRole', 'sts:TagSession'],
    'aws:PrincipalArn': ['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'],
  };
  test.each(Object.entries(keys))('%s', (key, actions) => {
    const of = trusts({ Principal: '*', Condition: { Null: { [key]: 'false' } } });
    const seeing = (['sts:AssumeRole', 'sts:SetSourceIdentity', 'sts:TagSession'] as const).filter(
      (action) => decideOnRole(action, factsOf(bob), full, of).decision === 'allow',
    );
    expect(seeing).toEqual(actions);
  });
});

describe('a refusal', () => {
  const refusal = (principal: Principal, of: Role | undefined) => {
    try {
      authorizeOnRole(['sts:AssumeRole', 'sts:TagSession'], factsOf(principal), request, of);
    } catch (error) {
      return error as Error & { status: number };
    }
    throw new Error('it was allowed');
  };
  const sentence = `User: ${bob.arn} is not authorized to perform: sts:AssumeRole on resource: ${target.arn}`;

  test.each([
    ['a role that does not trust the caller', role('target', { trustPolicy: trustsFirst.trustPolicy })],
    ['a role that denies it', trusts({ Effect: 'Deny', Principal: '*' })],
    ['a role whose trust policy is broken', role('target', { trustPolicy: brokenPolicy('?', 'trust') })],
    ['no role', undefined],
  ])('is the same for %s', (_what, of) => {
    expect(refusal(bob, of)).toMatchObject({ name: 'AccessDenied', status: 403, message: sentence });
  });

  test("says of the caller's own policies that they deny it, also for no role", () => {
    const denied = user('bob', { identityPolicies: [policy('identity', { Effect: 'Deny' })] });
    for (const asked of [trustsBob, undefined]) {
      expect(refusal(denied, asked).message).toBe(`${sentence} with an explicit deny in an identity-based policy`);
    }
  });

  test('names the permission that is missing, and keeps the decision for the log', () => {
    const error = refusal(bob, trusts({ Principal: { AWS: bob.arn }, Action: 'sts:AssumeRole' }));
    expect(error.message).toBe(sentence.replace('AssumeRole', 'TagSession'));
    expect(error.cause).toMatchObject({ decision: 'deny', reason: 'not-allowed-by-trust-policy' });
  });
});
