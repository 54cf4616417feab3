import type { Kysely } from 'kysely';
import type { Schema } from '../../store/schema.js';
import { findNamedPrincipals } from '../named-principals.js';
import { type PolicyDocument, type PolicyKind, parsePolicy, principalsOf } from '../policy/document.js';
import type { NamedPrincipals } from '../policy/named-principals.js';
import { checkValue } from './constraints.js';
import { asIamError, IamError } from './iam-error.js';

/** The size of a policy as IAM's quotas count it: characters but for white space. */
export function policySize(text: string): number {
  return text.replaceAll(/\s/g, '').length;
}

/**
 * Checks a policy document before it is stored.
 *
 * @throws IamError ValidationError, MalformedPolicyDocument with the engine's sentence
 */
export function checkedPolicy(text: string, kind: PolicyKind): PolicyDocument {
  checkValue('policyDocument', text);
  try {
    return parsePolicy(text, kind);
  } catch (error) {
    throw asIamError(error);
  }
}

/**
 * Refuses a trust policy that names somebody of this account who does not exist: most probably a slip.
 *
 * @returns whom it names
 * @throws IamError MalformedPolicyDocument
 */
export async function checkTrusted(
  db: Kysely<Schema>,
  accountId: string,
  policy: PolicyDocument,
): Promise<NamedPrincipals> {
  const { principals, missing } = await findNamedPrincipals(db, accountId, principalsOf(policy));
  if (missing.length === 0) return principals;
  throw new IamError('MalformedPolicyDocument', `Invalid principal in policy: "AWS":"${missing[0]}"`);
}
