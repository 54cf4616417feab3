import type { Principal } from '../authorization/principal.js';

/** Of a request whose caller nobody knows. */
export const unknownIdentity = '{"type":"Unknown"}';

const texts = new WeakMap<Principal, { readonly accessKeyId: string | undefined; readonly text: string }>();

/**
 * CloudTrail's userIdentity as JSON. A principal is an object of its own until something in the store changes: its text
 * is kept as long.
 *
 * @param accessKeyId that the request was signed with; undefined where requests need no signature
 */
export function userIdentity(principal: Principal, accessKeyId: string | undefined): string {
  const known = texts.get(principal);
  if (known !== undefined && known.accessKeyId === accessKeyId) return known.text;
  const text = JSON.stringify(kinds[principal.kind](principal, accessKeyId));
  texts.set(principal, { accessKeyId, text });
  return text;
}

/** @see https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html */
const kinds: Readonly<Record<Principal['kind'], (principal: Principal, accessKeyId: string | undefined) => object>> = {
  user: ({ uniqueId, arn, accountId, name }, accessKeyId) => ({
    ...{ type: 'IAMUser', principalId: uniqueId, arn, accountId, accessKeyId, userName: name },
  }),
  root: ({ uniqueId, arn, accountId }, accessKeyId) => ({
    ...{ type: 'Root', principalId: uniqueId, arn, accountId, accessKeyId },
  }),
  'role-session': ({ uniqueId, arn, accountId, name, roleArn, tokenIssuedAt, sourceIdentity }, accessKeyId) => ({
    ...{ type: 'AssumedRole', principalId: uniqueId, arn, accountId, accessKeyId },
    sessionContext: {
      sessionIssuer: { type: 'Role', principalId: uniqueId.split(':')[0], arn: roleArn, accountId, userName: name },
      ...(sourceIdentity !== undefined && { sourceIdentity }),
      attributes: { creationDate: tokenIssuedAt?.toISOString(), mfaAuthenticated: 'false' },
    },
  }),
};
