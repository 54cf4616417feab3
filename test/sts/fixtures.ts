import type { GlobalFacts } from '../../src/authorization/global-keys.js';
import { type PolicyDocument, type PolicyKind, parsePolicy } from '../../src/authorization/policy/document.js';
import { type Principal, type Role, sessionPrincipal } from '../../src/authorization/principal.js';

export const account = '111122223333';
export const rootArn = `arn:aws:iam::${account}:root`;
export const home = { region: 'us-east-1', accountId: account };
export const at = new Date('2026-01-02T03:04:05.678Z');

export type Json = Readonly<Record<string, unknown>>;

/** A policy of one or several statements; Allow, sts:* and all resources where they say nothing else. */
export function policy(kind: PolicyKind, ...statements: readonly Json[]): PolicyDocument {
  const usual = { Effect: 'Allow', Action: 'sts:*', ...(kind === 'trust' ? {} : { Resource: '*' }) };
  const completed = statements.map((statement) => ({ ...usual, ...statement }));
  return parsePolicy(JSON.stringify({ Version: '2012-10-17', Statement: completed }), kind);
}

export function user(name: string, rest: Partial<Principal> = {}): Principal {
  return {
    arn: `arn:aws:iam::${account}:user/${name}`,
    accountId: account,
    kind: 'user',
    uniqueId: `AIDA${name.toUpperCase()}`,
    name,
    tags: new Map(),
    identityPolicies: [],
    policyNames: [],
    permissionsBoundary: undefined,
    sessionPolicies: undefined,
    tokenIssuedAt: undefined,
    sourceIdentity: undefined,
    ...rest,
  };
}

export function role(name: string, rest: Partial<Role> = {}): Role {
  return {
    arn: `arn:aws:iam::${account}:role/${name}`,
    accountId: account,
    uniqueId: `AROA${name.toUpperCase()}`,
    name,
    tags: new Map(),
    identityPolicies: [],
    policyNames: [],
    permissionsBoundary: undefined,
    trustPolicy: policy('trust', { Principal: { AWS: rootArn } }),
    trustedPrincipals: new Map(),
    maxSessionSeconds: 3_600,
    ...rest,
  };
}

export function sessionOf(of: Role, rest: Partial<Principal> = {}): Principal {
  const facts = { sessionName: 'chained', tags: new Map(), sessionPolicies: undefined, issuedAt: at };
  return { ...sessionPrincipal(of, { ...facts, sourceIdentity: undefined }), ...rest };
}

export function factsOf(principal: Principal): GlobalFacts {
  return {
    principal,
    source: { ip: '10.0.0.1', secureTransport: false, userAgent: 'test', referer: undefined },
    at,
    home,
  };
}
