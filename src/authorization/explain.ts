import { decisionRequest, type Permission } from './authorize.js';
import type { ActionRule } from './policy/actions.js';
import { type Decision, type DecisionRequest, decide, type PolicySort } from './policy/decide.js';
import type { PolicyDocument, Statement } from './policy/document.js';
import { principalMatch } from './policy/evaluate.js';
import { type Grant, grantsFor, isGrantable, matchGrantee } from './policy/grants.js';
import type { RequestFacts } from './request-context.js';

/** A decision, and what an administrator wants to know of it. */
export interface Explanation {
  readonly decision: Decision;
  /** The statement, policy or grant that decided, in words; undefined when nothing allowed. */
  readonly decidedBy: string | undefined;
  /** Statements and grants about the action that do not apply, and why not. */
  readonly nearMisses: readonly string[];
  /** What would have to change for the opposite answer; each is enough. */
  readonly remedies: readonly string[];
}

/** Explains the decision on one permission; pure. */
export function explain(request: RequestFacts, permission: Permission, grants: readonly Grant[]): Explanation {
  const asked = decisionRequest(request, permission, grants);
  const decision = decide(asked);
  return {
    decision,
    decidedBy: decidedBy(request, asked, decision),
    nearMisses: decision.decision === 'allow' ? [] : nearMisses(request, asked),
    remedies: remedies(request, permission, decision),
  };
}

/** A policy of a request, and what it is called. */
interface NamedPolicy {
  readonly sort: PolicySort;
  readonly index: number;
  readonly name: string;
  readonly policy: PolicyDocument;
}

function policiesOf({ principal }: RequestFacts, asked: DecisionRequest): NamedPolicy[] {
  const { keyPolicy, permissionsBoundary } = asked;
  return [
    ...(keyPolicy ? [{ sort: 'key-policy', index: 0, name: 'the key policy', policy: keyPolicy } as const] : []),
    ...asked.identityPolicies.map((policy, index) => ({
      sort: 'identity-policy' as const,
      index,
      name: `the identity policy ${principal.policyNames[index] ?? index + 1}`,
      policy,
    })),
    ...(permissionsBoundary
      ? [
          {
            sort: 'permissions-boundary',
            index: 0,
            name: 'the permissions boundary',
            policy: permissionsBoundary,
          } as const,
        ]
      : []),
    ...(asked.sessionPolicies ?? []).map((policy, index) => ({
      sort: 'session-policy' as const,
      index,
      name: `the session policy ${index + 1}`,
      policy,
    })),
  ];
}

function decidedBy(request: RequestFacts, asked: DecisionRequest, decision: Decision): string | undefined {
  if (decision.grantId) return `the grant ${decision.grantId}`;
  if (decision.reason === 'allowed-by-account-root') return 'the key policy, which leaves it to the account root user';
  const { policy } = decision;
  const found =
    policy && policiesOf(request, asked).find((each) => each.sort === policy.sort && each.index === policy.index);
  if (!found) return undefined;
  if (decision.broken !== undefined) return `${found.name}, which is broken: ${decision.broken}`;
  const statement = found.policy.statements[decision.statement?.index ?? -1];
  return statement ? `${statementName(statement)} of ${found.name}` : found.name;
}

/** Counted from 1, as people do. */
function statementName({ index, sid }: Statement): string {
  return sid === undefined ? `statement ${index + 1}` : `statement ${index + 1} (${JSON.stringify(sid)})`;
}

function nearMisses(request: RequestFacts, asked: DecisionRequest): string[] {
  const { rule, grantCall = {}, context, principal } = asked;
  const policies = policiesOf(request, asked).filter(
    ({ sort }) => sort !== 'key-policy' || rule.permission !== 'identity-policy',
  );
  const statements = policies.flatMap(({ name, policy }) =>
    policy.concerning(rule.action).flatMap((statement) => {
      const why = statement.effect === 'Allow' ? whyNot(statement, asked) : undefined;
      return why === undefined ? [] : [`${statementName(statement)} of ${name} allows ${rule.action}, but ${why}`];
    }),
  );
  const ofCaller = (asked.grants ?? []).filter((grant) => matchGrantee(grant, principal));
  const grants = ofCaller.map((grant) => {
    const operation = rule.action.slice('kms:'.length);
    const why = grant.operations.includes(operation)
      ? grantsFor([grant], rule.action, principal, grantCall, context).length > 0
        ? undefined
        : 'its constraints do not hold'
      : `it does not list ${operation}`;
    return why && `the grant ${grant.id} names the caller, but ${why}`;
  });
  return [...statements, ...grants.filter((each) => each !== undefined)];
}

/** Why a statement about the action does not apply; undefined when it does. */
function whyNot(statement: Statement, { principal, resource, context }: DecisionRequest): string | undefined {
  if (!principalMatch(statement, principal)) return 'its principals do not include the caller';
  if (!statement.coversResource(resource, context)) return `its resources do not include ${resource}`;
  if (!statement.conditionsHold(context)) return 'its conditions do not hold';
  return undefined;
}

const layerNames: Readonly<Record<string, string>> = {
  'permissions-boundary': 'permissions boundary',
  'session-policy': 'session policy',
};

function remedies({ principal }: RequestFacts, { rule, resource }: Permission, decision: Decision): string[] {
  const { reason } = decision;
  const subject = principal.roleArn ?? principal.arn;
  if (decision.decision === 'allow')
    return [`a statement with "Effect": "Deny" for ${rule.action} in any of the policies`];
  if (reason.startsWith('explicit-deny') || reason.startsWith('broken')) {
    const what = reason.startsWith('broken')
      ? 'the policy has to be put right'
      : 'the statement that denies has to go or to be narrowed';
    return [`${what}; no other policy and no grant can make up for it`];
  }
  const [, layer] = /^not-allowed-by-(permissions-boundary|session-policy)$/.exec(reason) ?? [];
  if (layer !== undefined) return [`the ${layerNames[layer]} has to allow ${rule.action} as well`];
  if (rule.permission === 'retire-grant') {
    return ['the caller has to be the retiring principal of the grant, or its grantee when it lists RetireGrant'];
  }
  const byIdentity = `an identity policy of ${subject} with ${statementText(rule, resource)}`;
  if (rule.permission === 'identity-policy') return [byIdentity];
  return [
    ...(reason === 'not-allowed-by-identity-policy' ? [byIdentity] : []),
    `a statement in the key policy that names ${subject}: ${statementText(rule, '*', subject)}`,
    ...(reason === 'not-allowed-by-identity-policy'
      ? []
      : ['a statement in the key policy that names the account root, and then an identity policy']),
    ...(isGrantable(rule.action)
      ? [
          `a grant: aws kms create-grant --key-id ${resource} --grantee-principal ${subject} --operations ${rule.action.slice('kms:'.length)}`,
        ]
      : []),
  ];
}

function statementText({ action }: ActionRule, resource: string, principal?: string): string {
  return JSON.stringify({
    Effect: 'Allow',
    ...(principal && { Principal: { AWS: principal } }),
    Action: action,
    Resource: resource,
  });
}
