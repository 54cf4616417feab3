import { administratorAccess } from './policy/administrator-access.js';
import type { PolicyDocument } from './policy/document.js';
import type { NamedPrincipals } from './policy/named-principals.js';
import type { PolicyPrincipal } from './policy/policy-principal.js';

/** What a user or a role may do, as decisions take it. A policy that is not understood denies everything. */
export interface Permissions {
  /** Inline policies, then attached ones, each by name. */
  readonly identityPolicies: readonly PolicyDocument[];
  /** What they are called, in the same order: an inline policy's name, a managed policy's ARN. */
  readonly policyNames: readonly string[];
  readonly permissionsBoundary: PolicyDocument | undefined;
}

/** Who makes a request, with all that decisions need of them; policies see it as it is. Immutable. */
export interface Principal extends PolicyPrincipal, Permissions {
  /** Policies that a session was made with. Undefined: it is as wide as its role. */
  readonly sessionPolicies: readonly PolicyDocument[] | undefined;
  /** When a session's credentials were issued (aws:TokenIssueTime); of a session only. */
  readonly tokenIssuedAt: Date | undefined;
  /** aws:SourceIdentity of a session that was made with one. */
  readonly sourceIdentity: string | undefined;
  /** Keys of session tags that go on to the sessions of other roles which this session assumes; of a session only. */
  readonly transitiveTagKeys?: readonly string[];
}

/** A role, which nobody is, but sessions of it are. */
export interface Role extends Permissions {
  /** With its path: arn:aws:iam::ACCOUNT:role/PATH/NAME. */
  readonly arn: string;
  readonly accountId: string;
  /** AROA...; a session's aws:userid begins with it. */
  readonly uniqueId: string;
  readonly name: string;
  readonly tags: ReadonlyMap<string, string>;
  /** Who may assume it. */
  readonly trustPolicy: PolicyDocument;
  /** Whom the trust policy names. */
  readonly trustedPrincipals: NamedPrincipals;
  /** Longest duration of a session, in seconds. */
  readonly maxSessionSeconds: number;
}

/** What makes a session of a role, besides the role. */
export interface SessionFacts {
  readonly sessionName: string;
  /** Session tags; they go before the role's. */
  readonly tags: ReadonlyMap<string, string>;
  readonly sessionPolicies: readonly PolicyDocument[] | undefined;
  readonly issuedAt: Date;
  readonly sourceIdentity: string | undefined;
  /** Of `tags`, those that the sessions inherit which this one makes. */
  readonly transitiveTagKeys?: readonly string[];
}

/** The principal of a session of a role. */
export function sessionPrincipal(role: Role, session: SessionFacts): Principal {
  const { accountId, name, uniqueId } = role;
  const { sessionName } = session;
  return {
    arn: `arn:aws:sts::${accountId}:assumed-role/${name}/${sessionName}`,
    accountId,
    kind: 'role-session',
    uniqueId: `${uniqueId}:${sessionName}`,
    name,
    tags: tagsOfSession(role.tags, session.tags),
    roleArn: role.arn,
    sessionName,
    identityPolicies: role.identityPolicies,
    policyNames: role.policyNames,
    permissionsBoundary: role.permissionsBoundary,
    sessionPolicies: session.sessionPolicies,
    tokenIssuedAt: session.issuedAt,
    sourceIdentity: session.sourceIdentity,
    transitiveTagKeys: session.transitiveTagKeys ?? [],
  };
}

/** A session tag takes the place of the role's tag whose key differs from its own in case only. */
function tagsOfSession(ofRole: ReadonlyMap<string, string>, ofSession: ReadonlyMap<string, string>) {
  const replaced = new Set([...ofSession.keys()].map((key) => key.toLowerCase()));
  const kept = [...ofRole].filter(([key]) => !replaced.has(key.toLowerCase()));
  return new Map([...kept, ...ofSession]);
}

/** The account itself, as who has its root user's credentials would be: nobody here has them. */
export function accountRoot(accountId: string): Principal {
  return {
    arn: `arn:aws:iam::${accountId}:root`,
    accountId,
    kind: 'root',
    uniqueId: accountId,
    name: 'root',
    tags: new Map(),
    identityPolicies: [],
    policyNames: [],
    permissionsBoundary: undefined,
    sessionPolicies: undefined,
    tokenIssuedAt: undefined,
    sourceIdentity: undefined,
  };
}

/** True for who has the managed policy AdministratorAccess; what it allows, other policies may still deny. */
export function isAdministrator({ identityPolicies }: Permissions): boolean {
  return identityPolicies.includes(administratorAccess);
}
