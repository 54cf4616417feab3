import type { PermissionRule } from './actions.js';
import type { ConditionContext } from './condition-context.js';
import type { PolicyDocument, Statement } from './document.js';
import { type Evaluation, evaluate, type PolicyRequest } from './evaluate.js';
import { type Grant, type GrantCall, grantsFor, matchArn } from './grants.js';
import { asNamed, type NamedPrincipals } from './named-principals.js';
import type { PolicyPrincipal } from './policy-principal.js';
import type { PrincipalMatch } from './principal-element.js';

/** One question: may this caller do this to that? All that bears on the answer is in it. */
export interface DecisionRequest {
  /** A row of `actionRules`, or a permission on a role. */
  readonly rule: PermissionRule;
  readonly principal: PolicyPrincipal;
  /** ARN of a key, an alias or a role; `*` for what has none. */
  readonly resource: string;
  /** Account that the resource belongs to. */
  readonly resourceAccountId: string;
  readonly context: ConditionContext;
  /** Policy of the key that is the resource. */
  readonly keyPolicy?: PolicyDocument | undefined;
  /** Whom the key's or the trust policy names, where its names could mean somebody else by now. */
  readonly resourcePolicyNames?: NamedPrincipals | undefined;
  /** Trust policy of the role that is the resource. */
  readonly trustPolicy?: PolicyDocument | undefined;
  /** Policies of the caller: its own, of its groups, of its role. */
  readonly identityPolicies: readonly PolicyDocument[];
  readonly permissionsBoundary?: PolicyDocument | undefined;
  /** Policies that the session was made with; one of them has to allow. None: the session is as wide as its role. */
  readonly sessionPolicies?: readonly PolicyDocument[] | undefined;
  /** Grants on the key; those of other grantees than the caller may be left out. */
  readonly grants?: readonly Grant[] | undefined;
  readonly grantCall?: GrantCall | undefined;
  /** Of RetireGrant: the grant to be retired. */
  readonly retiring?: Grant | undefined;
}

/** The policies that resources have, and those about callers. */
export type PolicySort = ResourcePolicySort | 'identity-policy' | 'permissions-boundary' | 'session-policy';
type ResourcePolicySort = 'key-policy' | 'trust-policy';

export type DecisionReason =
  | `allowed-by-${ResourcePolicySort | 'identity-policy' | 'account-root' | 'grant'}`
  | `explicit-deny-${PolicySort}`
  | `broken-${PolicySort}`
  | `not-allowed-by-${PolicySort | 'grant'}`
  | 'cross-account-not-supported';

/** The answer, and for the audit log what decided; of this only `message` is for the client. */
export interface Decision {
  readonly decision: 'allow' | 'deny';
  readonly reason: DecisionReason;
  /** How AWS ends the text of AccessDeniedException: `because no identity-based policy allows the kms:Sign action`. */
  readonly message: string;
  /** The policy that decided, by its place among those of its sort. */
  readonly policy?: { readonly sort: PolicySort; readonly index: number };
  readonly statement?: { readonly index: number; readonly sid: string | undefined };
  readonly grantId?: string;
  /** Why a stored policy is not understood. */
  readonly broken?: string;
}

/** What the policies of one sort say together. */
interface Layer {
  readonly sort: PolicySort;
  readonly present: boolean;
  readonly deny: Found | undefined;
  readonly allow: Found | undefined;
}

interface Found {
  readonly sort: PolicySort;
  readonly index: number;
  readonly policy: PolicyDocument;
  readonly statement: Statement;
}

/** What all policies about the caller say. */
interface Caller {
  readonly action: string;
  readonly isRoot: boolean;
  readonly identity: Layer;
  readonly boundary: Layer;
  readonly session: Layer;
}

/** What AWS calls the sorts of policies in its messages. */
const descriptions: Readonly<Record<PolicySort, { readonly none: string; readonly one: string }>> = {
  'key-policy': { none: 'resource-based policy', one: 'a resource-based policy' },
  'trust-policy': { none: 'role trust policy', one: 'the role trust policy' },
  'identity-policy': { none: 'identity-based policy', one: 'an identity-based policy' },
  'permissions-boundary': { none: 'permissions boundary', one: 'a permissions boundary' },
  'session-policy': { none: 'session policy', one: 'a session policy' },
};

/**
 * Decides a request as AWS does; pure, and closed where nothing allows.
 *
 * 1. A Deny that applies, in any policy, beats everything, grants too.
 * 2. The key's policy is the root of trust: it allows the caller itself; or the caller's role, within the session's
 *    limits; or it delegates to the caller's account, whose identity policies then decide. From another account an
 *    identity policy is needed always. A role's trust policy is to the role what a key's policy is to the key.
 * 3. A grant allows what its operations and constraints say.
 * 4. Everything else is denied.
 *
 * @see IAM User Guide, "Policy evaluation logic"; KMS guide, "Troubleshooting key access"; contract, section C
 */
export function decide(request: DecisionRequest): Decision {
  const { rule, principal, resource, context } = request;
  const asked: PolicyRequest = { principal, action: rule.action, resource, context };
  const sort = rule.permission === 'trust-policy' ? 'trust-policy' : 'key-policy';
  const own = resourcePolicy(request);
  const onResource = own && evaluate(own, { ...asked, principal: asNamed(principal, request.resourcePolicyNames) });
  if (onResource?.deny) return denied({ sort, index: 0, policy: onResource.policy, statement: onResource.deny });
  const caller = evaluateCaller(request, asked);
  const deny = caller.identity.deny ?? caller.boundary.deny ?? caller.session.deny;
  if (deny) return denied(deny);
  const isOwn = principal.accountId === request.resourceAccountId;
  if (!isOwn && !rule.crossAccount) return refused('cross-account-not-supported', rule.action, sort);
  if (rule.permission === 'identity-policy') return byIdentity(caller);
  if (rule.permission === 'retire-grant') return retirement(request, caller);
  const byPolicy = onResource && byResourcePolicy(onResource, sort, caller, isOwn);
  if (byPolicy?.decision === 'allow') return byPolicy;
  const byGrant = request.grants && allowedByGrant(request, request.grants, caller);
  return byGrant ?? byPolicy ?? notAllowed(sort, rule.action);
}

/** The policy of the resource, which has no say in what only identity policies can allow. */
function resourcePolicy({ rule, keyPolicy, trustPolicy }: DecisionRequest): PolicyDocument | undefined {
  if (rule.permission === 'identity-policy') return undefined;
  return rule.permission === 'trust-policy' ? trustPolicy : keyPolicy;
}

function evaluateCaller(request: DecisionRequest, asked: PolicyRequest): Caller {
  const { permissionsBoundary: boundary, sessionPolicies } = request;
  return {
    action: asked.action,
    isRoot: asked.principal.kind === 'root',
    identity: evaluateLayer('identity-policy', request.identityPolicies, asked),
    boundary: evaluateLayer('permissions-boundary', boundary ? [boundary] : undefined, asked),
    session: evaluateLayer('session-policy', sessionPolicies, asked),
  };
}

function evaluateLayer(sort: PolicySort, policies: readonly PolicyDocument[] | undefined, asked: PolicyRequest): Layer {
  let allow: Found | undefined;
  const present = policies !== undefined && policies.length > 0;
  if (present) {
    for (let index = 0; index < policies.length; index++) {
      const policy = policies[index] as PolicyDocument;
      const { deny, allow: statement } = evaluate(policy, asked);
      if (deny) return { sort, present, deny: { sort, index, policy, statement: deny }, allow: undefined };
      if (statement && !allow) allow = { sort, index, policy, statement };
    }
  }
  return { sort, present, deny: undefined, allow };
}

/** What the resource's policy says of a caller: allowed, or why not; undefined when it says nothing of it. */
function byResourcePolicy(
  { policy, allow, allowRole, delegation }: Evaluation,
  sort: ResourcePolicySort,
  caller: Caller,
  isOwn: boolean,
): Decision | undefined {
  if (!isOwn) return allow || allowRole || delegation ? byIdentity(caller) : undefined;
  const found = (statement: Statement) => allowed(`allowed-by-${sort}`, { sort, index: 0, policy, statement });
  if (allow) return found(allow);
  const limit = allowRole && limitOf(caller);
  if (allowRole && !limit) return found(allowRole);
  // What limits the role limits its identity policies as well.
  return limit ?? (delegation && byIdentity(caller));
}

/** What the caller's own policies say, within the limits of its session. */
function byIdentity(caller: Caller): Decision {
  const { isRoot, identity, action } = caller;
  if (!isRoot && !identity.allow) return notAllowed('identity-policy', action);
  return (
    limitOf(caller) ??
    (isRoot ? allowed('allowed-by-account-root') : allowed('allowed-by-identity-policy', identity.allow))
  );
}

/** The boundary or session policy that keeps the caller from what something else allows. */
function limitOf({ boundary, session, action }: Caller): Decision | undefined {
  if (boundary.present && !boundary.allow) return notAllowed('permissions-boundary', action);
  if (session.present && !session.allow) return notAllowed('session-policy', action);
  return undefined;
}

/** What is allowed to someone, is allowed to the caller unless this says why not. */
function obstacleTo(match: PrincipalMatch, caller: Caller): Decision | undefined {
  if (match === 'principal') return undefined;
  if (match === 'role') return limitOf(caller);
  const decision = byIdentity(caller);
  return decision.decision === 'deny' ? decision : undefined;
}

function allowedByGrant(request: DecisionRequest, grants: readonly Grant[], caller: Caller): Decision | undefined {
  const { rule, principal, grantCall = {}, context } = request;
  let obstacle: Decision | undefined;
  for (const { grant, match } of grantsFor(grants, rule.action, principal, grantCall, context)) {
    obstacle = obstacleTo(match, caller);
    if (!obstacle) return { decision: 'allow', reason: 'allowed-by-grant', message: '', grantId: grant.id };
  }
  return obstacle;
}

/** RetireGrant is decided by the grant; a policy can only deny it, or delegate it in the account that made the grant. */
function retirement({ retiring, principal, rule }: DecisionRequest, caller: Caller): Decision {
  if (!retiring) return refused('not-allowed-by-grant', rule.action, 'identity-policy');
  const named = asNamed(principal, retiring.principals);
  const matches = [
    matchArn(retiring.retiringPrincipal, named),
    retiring.operations.includes('RetireGrant') ? matchArn(retiring.granteePrincipal, named) : undefined,
    retiring.issuingAccount === principal.accountId ? 'account' : undefined,
  ] as const;
  let obstacle: Decision | undefined;
  for (const match of matches) {
    if (!match) continue;
    obstacle = obstacleTo(match, caller);
    if (!obstacle) return { decision: 'allow', reason: 'allowed-by-grant', message: '', grantId: retiring.id };
  }
  return obstacle ?? refused('not-allowed-by-grant', rule.action, 'identity-policy');
}

function allowed(reason: DecisionReason, found?: Found): Decision {
  if (!found) return { decision: 'allow', reason, message: '' };
  return { decision: 'allow', reason, message: '', policy: policyOf(found), statement: statementOf(found) };
}

function denied(found: Found): Decision {
  const { sort, policy } = found;
  const message = `with an explicit deny in ${descriptions[sort].one}`;
  if (policy.broken === undefined) {
    const reason = `explicit-deny-${sort}` as const;
    return { decision: 'deny', reason, message, policy: policyOf(found), statement: statementOf(found) };
  }
  return { decision: 'deny', reason: `broken-${sort}`, message, policy: policyOf(found), broken: policy.broken };
}

function notAllowed(sort: PolicySort, action: string): Decision {
  return refused(`not-allowed-by-${sort}`, action, sort);
}

function refused(reason: DecisionReason, action: string, sort: PolicySort): Decision {
  return {
    decision: 'deny',
    reason,
    message: `because no ${descriptions[sort].none} allows the ${action} action`,
  };
}

function policyOf({ sort, index }: Found): NonNullable<Decision['policy']> {
  return { sort, index };
}

function statementOf({ statement: { index, sid } }: Found): NonNullable<Decision['statement']> {
  return { index, sid };
}
