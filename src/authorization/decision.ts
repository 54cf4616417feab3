import { KmsError } from '../contract/kms-error.js';
import type { Principal } from './principal.js';

/** One question: may this principal do this to that? */
export interface AuthorizationRequest {
  readonly principal: Principal;
  /** IAM action: kms:Encrypt. */
  readonly action: string;
  /** ARN of a key or an alias, or `*` for what has neither. */
  readonly resource: string;
}

export interface Decision {
  readonly decision: 'allow' | 'deny';
  /** For the log, and in AWS's words for the client. */
  readonly reason: string;
}

/**
 * Decides a request; pure. As long as policies and grants are not evaluated, the account's administrators may do
 * everything and everybody else nothing.
 */
export function decide({ principal, action }: AuthorizationRequest): Decision {
  return principal.administrator
    ? { decision: 'allow', reason: 'the principal is an administrator of the account' }
    : { decision: 'deny', reason: `because no identity-based policy allows the ${action} action` };
}

/** @throws KmsError AccessDeniedException when the request is not allowed */
export function authorize(request: AuthorizationRequest): void {
  const { decision, reason } = decide(request);
  if (decision === 'allow') return;
  const { principal, action, resource } = request;
  throw new KmsError(
    'AccessDeniedException',
    `User: ${principal.arn} is not authorized to perform: ${action} on resource: ${resource} ${reason}`,
  );
}
