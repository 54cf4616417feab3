import { actionRules } from './actions.js';
import { type DecisionRequest, decide } from './decide.js';
import type { PolicyDocument } from './document.js';
import { malformed } from './malformed.js';

/** Who sets a key's policy, and on which key; `context` is that of a call of PutKeyPolicy. */
export type LockoutCaller = Pick<
  DecisionRequest,
  | 'principal'
  | 'resource'
  | 'resourceAccountId'
  | 'context'
  | 'identityPolicies'
  | 'permissionsBoundary'
  | 'sessionPolicies'
>;

/**
 * Whether a caller could change the key's policy again once it is this one: allowed by it directly, or by identity
 * policies to which it delegates. Grants do not count: none allows PutKeyPolicy.
 */
export function allowsPutKeyPolicy(policy: PolicyDocument, caller: LockoutCaller): boolean {
  return actionRules.PutKeyPolicy.every(
    (rule) => decide({ ...caller, rule, keyPolicy: policy, grants: undefined }).decision === 'allow',
  );
}

/**
 * The lockout check of CreateKey and PutKeyPolicy, which BypassPolicyLockoutSafetyCheck leaves out (contract A.12).
 *
 * @throws KmsError MalformedPolicyDocumentException
 */
export function checkLockout(policy: PolicyDocument, caller: LockoutCaller): void {
  if (allowsPutKeyPolicy(policy, caller)) return;
  throw malformed('The new key policy will not allow you to update the key policy in the future.');
}
