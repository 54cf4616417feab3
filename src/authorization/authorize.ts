import { KmsError } from '../contract/kms-error.js';
import type { ActionRule } from './policy/actions.js';
import { type Decision, type DecisionRequest, decide } from './policy/decide.js';
import { defaultKeyPolicy } from './policy/default-key-policy.js';
import { type PolicyDocument, parsePolicy } from './policy/document.js';
import { type Grant, type GrantCall, isGrantable } from './policy/grants.js';
import {
  constraintsOf,
  encryptionContextOf,
  type PermissionFacts,
  RequestContext,
  type RequestFacts,
} from './request-context.js';

/** One permission that a request needs. */
export interface Permission extends Omit<PermissionFacts, 'action'> {
  readonly rule: ActionRule;
  /** ARN of a key or an alias, or `*` for what has neither. */
  readonly resource: string;
  readonly keyPolicy?: PolicyDocument | undefined;
  /** Of RetireGrant: the grant to be retired. */
  readonly retiring?: Grant | undefined;
}

/** The grants on a key whose grantee is a caller, however it is named. Asked for only where policies do not allow. */
export type FindGrants = (keyId: string, grantees: readonly string[]) => readonly Grant[] | Promise<readonly Grant[]>;

/** A request is not allowed. The client reads AWS's words; what decided is for the service's log and the audit. */
export class NotAuthorizedError extends KmsError {
  constructor(
    principalArn: string,
    { rule, resource }: Pick<Permission, 'rule' | 'resource'>,
    readonly decision: Decision,
    message = decision.message,
  ) {
    super(
      'AccessDeniedException',
      `User: ${principalArn} is not authorized to perform: ${rule.action} on resource: ${resource} ${message}`,
      { cause: decision },
    );
  }
}

/**
 * Decides on one permission of a request, pure: what is to be known is handed in.
 *
 * @param grants those of the caller on the key, or undefined to leave them out
 */
export function decidePermission(
  request: RequestFacts,
  permission: Permission,
  grants: readonly Grant[] | undefined,
): Decision {
  return decide(decisionRequest(request, permission, grants));
}

/**
 * Decides on one permission, by policies first: most requests need no grant.
 *
 * @throws NotAuthorizedError (AccessDeniedException)
 */
export function authorize(
  request: RequestFacts,
  permission: Permission,
  findGrants: FindGrants,
): Decision | Promise<Decision> {
  const byPolicies = decidePermission(request, permission, undefined);
  if (byPolicies.decision === 'allow') return byPolicies;
  const { rule, key } = permission;
  const mayBeGranted =
    rule.permission === 'key-policy' && byPolicies.reason.startsWith('not-allowed') && isGrantable(rule.action);
  if (!key || !mayBeGranted) throw new NotAuthorizedError(request.principal.arn, permission, byPolicies);
  return withGrants(request, permission, findGrants(key.id, granteesOf(request)));
}

async function withGrants(
  request: RequestFacts,
  permission: Permission,
  found: readonly Grant[] | Promise<readonly Grant[]>,
): Promise<Decision> {
  const decision = decidePermission(request, permission, await found);
  if (decision.decision === 'allow') return decision;
  throw new NotAuthorizedError(request.principal.arn, permission, decision);
}

/** AWS says no more of a key that is not there. */
const missing =
  'because the resource does not exist in this Region, no resource-based policies allow access, or a resource-based policy explicitly denies access';

/**
 * Decides whether a caller is told that a key is missing: who could use it, were it there with the default key policy,
 * is told so.
 *
 * @throws NotAuthorizedError (AccessDeniedException)
 */
export function authorizeMissing(request: RequestFacts, permission: Permission): void {
  const { accountId } = request.home;
  const keyPolicy = parsePolicy(defaultKeyPolicy(accountId), 'key');
  const decision = decidePermission(request, { ...permission, keyPolicy }, undefined);
  if (decision.decision === 'allow') return;
  throw new NotAuthorizedError(request.principal.arn, permission, decision, missing);
}

/** The ARNs by which a grant may mean the caller: its own, its role's, its account's. */
export function granteesOf({ principal }: Pick<RequestFacts, 'principal'>): string[] {
  const { arn, roleArn, accountId } = principal;
  return [arn, ...(roleArn === undefined ? [] : [roleArn]), `arn:aws:iam::${accountId}:root`];
}

/** Everything that bears on one permission. */
export function decisionRequest(
  request: RequestFacts,
  { rule, resource, keyPolicy, retiring, key, keyText, isSameKey }: Permission,
  grants: readonly Grant[] | undefined,
): DecisionRequest {
  const { principal, home } = request;
  const permission: PermissionFacts = { action: rule.action, key, keyText, isSameKey };
  return {
    rule,
    principal,
    resource,
    resourceAccountId: home.accountId,
    context: new RequestContext(request, permission),
    keyPolicy,
    resourcePolicyNames: key?.policy.principals,
    identityPolicies: principal.identityPolicies,
    permissionsBoundary: principal.permissionsBoundary,
    sessionPolicies: principal.sessionPolicies,
    grants,
    grantCall: grants && grantCallOf(request, permission),
    retiring,
  };
}

function grantCallOf(request: RequestFacts, permission: PermissionFacts): GrantCall {
  const { operation, input } = request;
  if (operation !== 'CreateGrant') return { encryptionContext: encryptionContextOf({ ...request, ...permission }) };
  return {
    child: { operations: input.Operations as string[], constraints: constraintsOf(input) },
  };
}
