import type { KeyPolicy, KeyRecord } from '../keys/key-record.js';
import type { Identities } from './identities.js';
import { parsePolicy, principalsOf } from './policy/document.js';
import { checkLockout } from './policy/lockout.js';
import { invalidPrincipals } from './policy/principal-element.js';
import { RequestContext, type RequestFacts } from './request-context.js';

/**
 * Checks a key policy that a request brings.
 *
 * @param request what brings it; the lockout check asks whether its caller could call PutKeyPolicy from the same place
 * @param on the key: its record, where there is one already
 * @param bypass BypassPolicyLockoutSafetyCheck
 * @throws KmsError MalformedPolicyDocumentException, also when it names somebody who does not exist, or when the caller
 * could not change the policy again; LimitExceededException when it is too long
 */
export async function checkedKeyPolicy(
  identities: Pick<Identities, 'named'>,
  text: string,
  request: RequestFacts,
  on: { readonly arn: string; readonly key?: KeyRecord },
  bypass: boolean,
): Promise<KeyPolicy> {
  const policy = parsePolicy(text, 'key');
  const { principals, missing } = await identities.named(principalsOf(policy));
  if (missing.length > 0) throw invalidPrincipals();
  if (bypass) return { text, principals };
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
  return { text, principals };
}
