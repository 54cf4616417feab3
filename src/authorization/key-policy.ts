import type { KeyRecord } from '../keys/key-record.js';
import { parsePolicy } from './policy/document.js';
import { checkLockout } from './policy/lockout.js';
import { RequestContext, type RequestFacts } from './request-context.js';

/**
 * Checks a key policy that a request brings.
 *
 * @param request what brings it; the lockout check asks whether its caller could call PutKeyPolicy from the same place
 * @param on the key: its record, where there is one already
 * @param bypass BypassPolicyLockoutSafetyCheck
 * @returns the text, as it is stored and given back
 * @throws KmsError MalformedPolicyDocumentException, also when the caller could not change the policy again;
 * LimitExceededException when it is too long
 */
export function checkedKeyPolicy(
  text: string,
  request: RequestFacts,
  on: { readonly arn: string; readonly key?: KeyRecord },
  bypass: boolean,
): string {
  const policy = parsePolicy(text, 'key');
  if (bypass) return text;
  const { principal, home } = request;
  checkLockout(policy, {
    principal,
    resource: on.arn,
    resourceAccountId: home.accountId,
    context: new RequestContext(
      { ...request, operation: 'PutKeyPolicy', input: {} },
      { action: 'kms:PutKeyPolicy', key: on.key },
    ),
    identityPolicies: principal.identityPolicies,
    permissionsBoundary: principal.permissionsBoundary,
    sessionPolicies: principal.sessionPolicies,
  });
  return text;
}
