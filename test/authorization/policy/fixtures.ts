import { actionRules } from '../../../src/authorization/policy/actions.js';
import { type ConditionSource, conditionContext } from '../../../src/authorization/policy/condition-context.js';
import { type Decision, type DecisionRequest, decide } from '../../../src/authorization/policy/decide.js';
import { type PolicyDocument, type PolicyKind, parsePolicy } from '../../../src/authorization/policy/document.js';
import { evaluate } from '../../../src/authorization/policy/evaluate.js';
import type { Grant } from '../../../src/authorization/policy/grants.js';
import type { PolicyPrincipal } from '../../../src/authorization/policy/policy-principal.js';
import type { OperationName } from '../../../src/contract/operation-types.js';

export const account = '111122223333';
export const otherAccount = '444455556666';
export const keyArn = `arn:aws:kms:us-west-2:${account}:key/1234abcd-12ab-34cd-56ef-1234567890ab`;
export const aliasArn = `arn:aws:kms:us-west-2:${account}:alias/ProjectAlpha`;
export const rootArn = `arn:aws:iam::${account}:root`;

export function user(name: string, accountId = account): PolicyPrincipal {
  const arn = `arn:aws:iam::${accountId}:user/${name}`;
  return { arn, accountId, kind: 'user', uniqueId: `AIDA${name.toUpperCase()}`, name, tags: new Map() };
}

export function session(name: string, sessionName = 'session', accountId = account): PolicyPrincipal {
  return {
    arn: `arn:aws:sts::${accountId}:assumed-role/${name}/${sessionName}`,
    accountId,
    kind: 'role-session',
    uniqueId: `AROA${name.toUpperCase()}:${sessionName}`,
    name,
    tags: new Map(),
    roleArn: `arn:aws:iam::${accountId}:role/${name}`,
    sessionName,
  };
}

export function root(accountId = account): PolicyPrincipal {
  const arn = `arn:aws:iam::${accountId}:root`;
  return { arn, accountId, kind: 'root', uniqueId: accountId, name: 'root', tags: new Map() };
}

export const alice = user('alice');
export const bob = user('bob');

export type Json = Record<string, unknown>;
export type Context = Readonly<Record<string, ConditionSource>>;

/** A policy of statements; Version, Effect, Action and Resource are there where a test does not care. */
export function policy(kind: PolicyKind, ...statements: readonly Json[]): PolicyDocument {
  return parsePolicy(policyText(kind, ...statements), kind);
}

export function policyText(kind: PolicyKind, ...statements: readonly Json[]): string {
  const defaults = { Effect: 'Allow', Action: 'kms:*', ...(kind === 'trust' ? {} : { Resource: '*' }) };
  const completed = statements.map((statement) => {
    const { Action: _action, ...withoutAction } = defaults;
    return { ...('NotAction' in statement ? withoutAction : defaults), ...statement };
  });
  return JSON.stringify({ Version: '2012-10-17', Statement: completed });
}

export const delegating = policy('key', { Principal: { AWS: rootArn } });

export function context(keys: Context = {}) {
  return conditionContext(Object.entries(keys));
}

/** Whether a Condition element holds, seen from a statement of the given effect. */
export function holds(
  condition: Json,
  keys: Context = {},
  effect: 'Allow' | 'Deny' = 'Allow',
  version: string | null = '2012-10-17',
  kind: 'identity' | 'key' = 'identity',
): boolean {
  const statement = { Effect: effect, Action: 'kms:Decrypt', Resource: '*', Condition: condition };
  const Statement = kind === 'key' ? { ...statement, Principal: '*' } : statement;
  const document = parsePolicy(JSON.stringify({ Version: version ?? undefined, Statement }), kind);
  const found = evaluate(document, {
    principal: alice,
    action: 'kms:Decrypt',
    resource: keyArn,
    context: context(keys),
  });
  return (effect === 'Deny' ? found.deny : found.allow) !== undefined;
}

export interface Question extends Partial<Omit<DecisionRequest, 'rule' | 'context' | 'keyPolicy'>> {
  readonly operation?: OperationName;
  /** Which of the operation's rules. */
  readonly part?: number;
  readonly keys?: Context;
  readonly key?: PolicyDocument | undefined;
}

/** Decides; what a question leaves out is: alice, Decrypt, on the key, without any policy. */
export function ask(question: Question): Decision {
  const { operation = 'Decrypt', part = 0, keys = {}, key, ...request } = question;
  const rule = actionRules[operation][part];
  if (!rule) throw new Error(`${operation} has no rule ${part}`);
  const resource = { key: keyArn, alias: aliasArn, none: '*' }[rule.resource];
  return decide({
    rule,
    principal: alice,
    resource,
    resourceAccountId: account,
    context: context(keys),
    keyPolicy: key,
    identityPolicies: [],
    ...request,
  });
}

export function grant(grantee: string | undefined, operations: readonly string[], rest: Partial<Grant> = {}): Grant {
  return {
    id: 'a'.repeat(64),
    granteePrincipal: grantee,
    retiringPrincipal: undefined,
    issuingAccount: account,
    operations,
    ...rest,
  };
}

/** The name and the message of what a function throws, or undefined. */
export function thrownBy(run: () => unknown): { readonly name: string; readonly message: string } | undefined {
  try {
    run();
  } catch (error) {
    const { name, message } = error as Error;
    return { name, message };
  }
  return undefined;
}
