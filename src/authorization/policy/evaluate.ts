import type { ConditionContext } from './condition-context.js';
import type { PolicyDocument, Statement } from './document.js';
import type { PolicyPrincipal } from './policy-principal.js';
import { matchNotPrincipal, matchPrincipal, type PrincipalMatch } from './principal-element.js';

/** What one policy is asked. */
export interface PolicyRequest {
  readonly principal: PolicyPrincipal;
  /** IAM action: kms:Decrypt. */
  readonly action: string;
  /** ARN of a key or an alias; `*` for what has neither. */
  readonly resource: string;
  readonly context: ConditionContext;
}

/** What one policy says: the first statement of each sort, by place in the document. */
export interface Evaluation {
  readonly policy: PolicyDocument;
  /** An explicit deny; nothing else was looked for then. */
  readonly deny: Statement | undefined;
  /**
   * Allows the caller itself, by its ARN or as one of all (`*`), or the account root user as its account; in a policy
   * without principals, whoever has the policy.
   */
  readonly allow: Statement | undefined;
  /** Allows the role of the session that calls; session policies and permissions boundaries still limit it. */
  readonly allowRole: Statement | undefined;
  /** Allows the caller's account, which decides by its identity policies who of it may. */
  readonly delegation: Statement | undefined;
}

/** Evaluates one policy of any kind for one request; pure. */
export function evaluate(policy: PolicyDocument, request: PolicyRequest): Evaluation {
  let allow: Statement | undefined;
  let allowRole: Statement | undefined;
  let delegation: Statement | undefined;
  for (const statement of policy.concerning(request.action)) {
    const match = principalMatch(statement, request.principal);
    if (!match) continue;
    const isDeny = statement.effect === 'Deny';
    // One Allow of a sort is enough; a Deny is looked for to the end.
    if (!isDeny && (match === 'principal' ? allow : match === 'role' ? allowRole : delegation)) continue;
    if (!statement.coversResource(request.resource, request.context)) continue;
    if (!statement.conditionsHold(request.context)) continue;
    if (isDeny) return { policy, deny: statement, allow: undefined, allowRole: undefined, delegation: undefined };
    if (match === 'principal') allow = statement;
    else if (match === 'role') allowRole = statement;
    else delegation = statement;
  }
  return { policy, deny: undefined, allow, allowRole, delegation };
}

/** How a statement means a caller; undefined when it does not. */
export function principalMatch(statement: Statement, principal: PolicyPrincipal): PrincipalMatch | undefined {
  const { principals, notPrincipal, effect } = statement;
  if (!principals) return 'principal';
  if (!notPrincipal) return matchPrincipal(principals, principal);
  return matchNotPrincipal(principals, principal, effect) ? 'principal' : undefined;
}
