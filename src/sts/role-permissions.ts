import { type GlobalFacts, globalKeys } from '../authorization/global-keys.js';
import type { PermissionRule } from '../authorization/policy/actions.js';
import { type ConditionSource, conditionContext } from '../authorization/policy/condition-context.js';
import { type Decision, decide } from '../authorization/policy/decide.js';
import type { Role } from '../authorization/principal.js';
import type { AssumeRoleInput } from './assume-role-input.js';
import { StsError } from './sts-error.js';

/** What of a request to assume a role conditions can look at. */
export type RoleRequest = Pick<AssumeRoleInput, 'roleArn' | 'roleSessionName' | 'externalId' | 'tags'> & {
  /** The session's: asked for, or inherited. */
  readonly sourceIdentity: string | undefined;
  /** Those asked for. */
  readonly transitiveTagKeys: readonly string[];
};

type RoleAction = 'sts:AssumeRole' | 'sts:SetSourceIdentity' | 'sts:TagSession';
type Keys = Iterable<readonly [string, ConditionSource]>;

const sessionTags = ({ tags, transitiveTagKeys }: RoleRequest): Keys => [
  ...[...tags].map(([key, value]) => [`aws:RequestTag/${key}`, value] as const),
  ['aws:TagKeys', [...tags.keys()]],
  ['sts:TransitiveTagKeys', transitiveTagKeys],
];
const sourceIdentity = ({ sourceIdentity }: RoleRequest): Keys => [['sts:SourceIdentity', sourceIdentity]];

/**
 * The keys that each action has. AWS shows no more of a request to the permissions that have no API operation: a
 * statement about sts:SetSourceIdentity with a condition on the role's session name applies to no request.
 *
 * @see Service Authorization Reference, "Condition keys for AWS STS"
 */
const keysOf: Readonly<Record<RoleAction, (request: RoleRequest) => Keys>> = {
  'sts:AssumeRole': (request) => [
    ...sessionTags(request),
    ...sourceIdentity(request),
    ['sts:ExternalId', request.externalId],
    ['sts:RoleSessionName', request.roleSessionName],
  ],
  'sts:SetSourceIdentity': sourceIdentity,
  'sts:TagSession': sessionTags,
};

/**
 * Decides on one permission on a role, pure: as its trust policy and the caller's own policies say.
 *
 * @param role undefined for one that there is not
 */
export function decideOnRole(
  action: RoleAction,
  facts: GlobalFacts,
  request: RoleRequest,
  role: Role | undefined,
): Decision {
  const { principal } = facts;
  const rule: PermissionRule = { action, permission: 'trust-policy', crossAccount: true };
  return decide({
    rule,
    principal,
    resource: request.roleArn,
    resourceAccountId: role?.accountId ?? principal.accountId,
    context: conditionContext([
      ...Object.entries(globalKeys).map(([key, source]) => [key, () => source(facts)] as const),
      ...[...principal.tags].map(([key, value]) => [`aws:PrincipalTag/${key}`, value] as const),
      ...[...(role?.tags ?? [])].flatMap(([key, value]) => [
        [`aws:ResourceTag/${key}`, value] as const,
        [`iam:ResourceTag/${key}`, value] as const,
      ]),
      ...keysOf[action](request),
    ]),
    trustPolicy: role?.trustPolicy,
    resourcePolicyNames: role?.trustedPrincipals,
    identityPolicies: principal.identityPolicies,
    permissionsBoundary: principal.permissionsBoundary,
    sessionPolicies: principal.sessionPolicies,
  });
}

/** What callers know of: their own policies. Of the role they learn nothing, not even whether it is there. */
const ownDeny = /^(?:explicit-deny|broken)-(?:identity-policy|permissions-boundary|session-policy)$/;

/**
 * Refuses what is not allowed on a role.
 *
 * @returns the role
 * @throws StsError AccessDenied
 */
export function authorizeOnRole(
  actions: readonly RoleAction[],
  facts: GlobalFacts,
  request: RoleRequest,
  role: Role | undefined,
): Role {
  for (const action of actions) {
    const decision = decideOnRole(action, facts, request, role);
    if (decision.decision === 'deny') throw notAuthorized(action, facts, request, decision);
  }
  // without a trust policy nothing was allowed
  if (role === undefined) throw new Error(`${request.roleArn} was allowed to be assumed, and does not exist`);
  return role;
}

function notAuthorized(action: RoleAction, { principal }: GlobalFacts, { roleArn }: RoleRequest, decision: Decision) {
  const why = ownDeny.test(decision.reason) ? ` ${decision.message}` : '';
  return new StsError(
    'AccessDenied',
    `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${roleArn}${why}`,
    { cause: decision },
  );
}
