import { administratorAccess } from './policy/administrator-access.js';
import { conditionContext } from './policy/condition-context.js';
import { parsePolicy } from './policy/document.js';
import { checkLockout } from './policy/lockout.js';
import { type Principal, policyPrincipal } from './principal.js';

/**
 * Checks a key policy that a request brings.
 *
 * @param bypass BypassPolicyLockoutSafetyCheck
 * @returns the text, as it is stored and given back
 * @throws KmsError MalformedPolicyDocumentException, also when the caller could not change the policy again;
 * LimitExceededException when it is too long
 */
export function checkedKeyPolicy(text: string, caller: Principal, keyArn: string, bypass: boolean): string {
  const policy = parsePolicy(text, 'key');
  if (!bypass) {
    checkLockout(policy, {
      principal: policyPrincipal(caller),
      resource: keyArn,
      resourceAccountId: caller.accountId,
      context: conditionContext([['aws:PrincipalArn', caller.arn]]),
      identityPolicies: caller.administrator ? [administratorAccess] : [],
    });
  }
  return text;
}
