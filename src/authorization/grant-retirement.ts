import { authorize } from './decision.js';
import type { Principal } from './principal.js';

/** What of a grant decides who may retire it. */
export interface RetirableGrant {
  readonly granteePrincipal: string | undefined;
  readonly retiringPrincipal: string | undefined;
  readonly operations: readonly string[];
}

/**
 * Who may retire a grant (contract A.9): its retiring principal, its grantee when it lists RetireGrant, and who has
 * kms:RetireGrant in the account that it was made in.
 *
 * @param grant undefined for one that does not exist, of which only the account's own people are told so
 * @param resource ARN of the grant's key
 * @throws KmsError AccessDeniedException
 */
export function authorizeRetirement(principal: Principal, grant: RetirableGrant | undefined, resource: string): void {
  if (grant?.retiringPrincipal === principal.arn) return;
  if (grant?.granteePrincipal === principal.arn && grant.operations.includes('RetireGrant')) return;
  authorize({ principal, action: 'kms:RetireGrant', resource });
}
