import { malformed } from './malformed.js';
import type { PolicyPrincipal } from './policy-principal.js';

/** The principals that a Principal or NotPrincipal element lists. */
export interface PrincipalList {
  /** True for `*`. */
  readonly everyone: boolean;
  /** Account ids, written as twelve digits. */
  readonly accounts: ReadonlySet<string>;
  /** ARNs of accounts (`:root`), users, roles and sessions. */
  readonly arns: ReadonlySet<string>;
  /** Services, identity providers and canonical users: no caller of this service is one of them. */
  readonly others: readonly string[];
}

/** How a principal is meant: by its own ARN or `*`, by its role, or by its account. */
export type PrincipalMatch = 'principal' | 'role' | 'account';

const accountId = /^\d{12}$/;

/** Users and roles with their paths, and sessions. No wildcards, no groups. */
const principalArn =
  /^arn:aws[a-z-]*:(?:iam::\d{12}:(?:root|(?:user|role)\/[!-)+->@-~]{1,1024})|sts::\d{12}:(?:assumed-role\/[\w+=,.@/-]{1,640}\/[\w+=,.@-]{2,64}|federated-user\/[\w+=,.@-]{2,64}))$/;

/** What the members of a principal map may hold. */
const forms: ReadonlyMap<string, RegExp> = new Map([
  ['AWS', principalArn],
  ['Service', /^[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+$/],
  [
    'Federated',
    /^(?:arn:aws[a-z-]*:iam::\d{12}:(?:saml|oidc)-provider\/[\w+=,.@:/-]+|[A-Za-z0-9-]+(?:\.[A-Za-z0-9-]+)+)$/,
  ],
  ['CanonicalUser', /^[0-9a-f]{64}$/],
]);

/** Reads a Principal or NotPrincipal element. @throws KmsError MalformedPolicyDocumentException */
export function parsePrincipals(element: unknown): PrincipalList {
  if (element === '*') return { everyone: true, accounts: new Set(), arns: new Set(), others: [] };
  if (typeof element !== 'object' || element === null || Array.isArray(element)) throw invalidPrincipals();
  const list = { everyone: false, accounts: new Set<string>(), arns: new Set<string>(), others: [] as string[] };
  let count = 0;
  for (const [kind, values] of Object.entries(element)) {
    const form = forms.get(kind);
    if (!form) throw invalidPrincipals();
    for (const value of Array.isArray(values) ? values : [values]) {
      if (typeof value !== 'string') throw invalidPrincipals();
      count++;
      if (kind !== 'AWS') {
        if (!form.test(value)) throw invalidPrincipals();
        list.others.push(value);
      } else if (value === '*') {
        list.everyone = true;
      } else {
        const isAccount = accountId.test(value);
        if (!isAccount && !form.test(value)) throw invalidPrincipals();
        (isAccount ? list.accounts : list.arns).add(value);
      }
    }
  }
  if (count === 0) throw invalidPrincipals();
  return list;
}

/** What AWS says of principals that cannot be, and of those that do not exist. */
export function invalidPrincipals(): Error {
  return malformed('Policy contains a statement with one or more invalid principals.');
}

/** How a Principal element means a caller; undefined when it does not. */
export function matchPrincipal(list: PrincipalList, principal: PolicyPrincipal): PrincipalMatch | undefined {
  if (list.everyone || list.arns.has(principal.arn)) return 'principal';
  const byRole = principal.roleArn !== undefined && list.arns.has(principal.roleArn);
  if (byRole) return 'role';
  if (!namesAccount(list, principal)) return undefined;
  // The root user is the account, and needs no policy of its own.
  return principal.kind === 'root' ? 'principal' : 'account';
}

/**
 * Whether a NotPrincipal element means a caller, that is, does not except it. A Deny excepts only a caller that is
 * listed at every level: account, role if any, and principal. An Allow excepts one that is listed at any.
 *
 * @see IAM User Guide, "AWS JSON policy elements: NotPrincipal"
 */
export function matchNotPrincipal(list: PrincipalList, principal: PolicyPrincipal, effect: 'Allow' | 'Deny'): boolean {
  if (list.everyone) return false;
  const levels = [namesAccount(list, principal)];
  if (principal.kind !== 'root') levels.push(list.arns.has(principal.arn));
  if (principal.kind === 'role-session') {
    levels.push(principal.roleArn !== undefined && list.arns.has(principal.roleArn));
  }
  return effect === 'Deny' ? !levels.every(Boolean) : !levels.some(Boolean);
}

function namesAccount({ accounts, arns }: PrincipalList, principal: PolicyPrincipal): boolean {
  return accounts.has(principal.accountId) || (arns.size > 0 && arns.has(accountArnOf(principal)));
}

/** Kept by principal: it is asked for by every statement. */
const accountArns = new WeakMap<PolicyPrincipal, string>();

function accountArnOf(principal: PolicyPrincipal): string {
  let arn = accountArns.get(principal);
  if (arn === undefined) {
    const [, partition] = principal.arn.split(':', 2);
    arn = `arn:${partition}:iam::${principal.accountId}:root`;
    accountArns.set(principal, arn);
  }
  return arn;
}
