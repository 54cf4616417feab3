import type { PolicyPrincipal } from './policy-principal.js';

/**
 * ARN -> unique id of the users and roles that a key policy or a grant names, as they were when it was made. Who is made
 * later under the ARN of somebody who was deleted is not whom it names (IAM User Guide, "Principal element"). What is
 * not here is taken by its ARN: accounts, and principals of other accounts.
 */
export type NamedPrincipals = ReadonlyMap<string, string>;

/** False when an ARN that named somebody else is the caller's now. */
function isStill(arn: string | undefined, uniqueId: string, named: NamedPrincipals): boolean {
  const id = arn === undefined ? undefined : named.get(arn);
  return id === undefined || id === uniqueId;
}

/** The caller as a policy or a grant means it: without its ARNs where those meant others. */
export function asNamed(principal: PolicyPrincipal, named: NamedPrincipals | undefined): PolicyPrincipal {
  if (named === undefined || named.size === 0) return principal;
  // a session's id is that of its role, a colon and its name
  const [id = ''] = principal.uniqueId.split(':', 1);
  if (isStill(principal.arn, id, named) && isStill(principal.roleArn, id, named)) return principal;
  const { roleArn: _, ...others } = principal;
  return { ...others, arn: `arn:aws:iam::${principal.accountId}:made-later` };
}
