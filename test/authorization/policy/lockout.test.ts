import { expect, test } from '@jest/globals';
import { administratorAccess } from '../../../src/authorization/policy/administrator-access.js';
import { defaultKeyPolicy } from '../../../src/authorization/policy/default-key-policy.js';
import { parsePolicy } from '../../../src/authorization/policy/document.js';
import { allowsPutKeyPolicy, checkLockout, type LockoutCaller } from '../../../src/authorization/policy/lockout.js';
import {
  account,
  alice,
  bob,
  context,
  type Json,
  keyArn,
  policy,
  root,
  rootArn,
  session,
  thrownBy,
} from './fixtures.js';

const builder = session('Builder');
const mayPut = policy('identity', { Action: 'kms:PutKeyPolicy' });
const mayCreate = policy('identity', { Action: 'kms:CreateKey' });

test.each<[string, readonly Json[], Partial<LockoutCaller>, boolean]>([
  ['the default policy, an administrator', [], { identityPolicies: [administratorAccess] }, true],
  ['the default policy, kms:PutKeyPolicy', [], { identityPolicies: [mayPut] }, true],
  ['the default policy, no kms:PutKeyPolicy', [], { identityPolicies: [mayCreate] }, false],
  ['the default policy, the root user', [], { principal: root() }, true],
  ['the caller by name', [{ Principal: { AWS: alice.arn } }], {}, true],
  ['the caller by name, other actions', [{ Principal: { AWS: alice.arn }, Action: 'kms:Encrypt' }], {}, false],
  ['the caller by name, kms:Put*', [{ Principal: { AWS: alice.arn }, Action: 'kms:Put*' }], {}, true],
  ['somebody else', [{ Principal: { AWS: bob.arn } }], { identityPolicies: [administratorAccess] }, false],
  ['somebody else, the root user', [{ Principal: { AWS: bob.arn } }], { principal: root() }, false],
  ['the role of the session', [{ Principal: { AWS: builder.roleArn } }], { principal: builder }, true],
  [
    'the role, under a session policy',
    [{ Principal: { AWS: builder.roleArn } }],
    { principal: builder, sessionPolicies: [mayCreate] },
    false,
  ],
  ['no Resource', [{ Principal: { AWS: alice.arn }, Resource: undefined }], {}, false],
  ['no Action', [{ Principal: { AWS: alice.arn }, Action: undefined }], {}, false],
  ['another key', [{ Principal: { AWS: alice.arn }, Resource: `${keyArn}0` }], {}, false],
  ['an explicit deny', [{ Principal: { AWS: alice.arn } }, { Principal: '*', Effect: 'Deny' }], {}, false],
  [
    'a deny of an identity policy',
    [{ Principal: { AWS: alice.arn } }],
    { identityPolicies: [policy('identity', { Effect: 'Deny' })] },
    false,
  ],
  [
    'under a condition',
    [{ Principal: { AWS: alice.arn }, Condition: { Bool: { 'aws:MultiFactorAuthPresent': true } } }],
    {},
    false,
  ],
  [
    'under a condition that holds',
    [{ Principal: { AWS: alice.arn }, Condition: { StringEquals: { 'kms:CallerAccount': account } } }],
    { context: context({ 'kms:CallerAccount': account }) },
    true,
  ],
  [
    'delegated for other actions',
    [{ Principal: { AWS: rootArn }, Action: 'kms:Describe*' }],
    { identityPolicies: [administratorAccess] },
    false,
  ],
])('%s', (_, statements, caller, expected) => {
  const policyOfKey = statements.length ? policy('key', ...statements) : parsePolicy(defaultKeyPolicy(account), 'key');
  const complete: LockoutCaller = {
    principal: alice,
    resource: keyArn,
    resourceAccountId: account,
    context: context(),
    identityPolicies: [],
    ...caller,
  };
  expect(allowsPutKeyPolicy(policyOfKey, complete)).toBe(expected);
  expect(thrownBy(() => checkLockout(policyOfKey, complete))).toEqual(
    expected
      ? undefined
      : {
          name: 'MalformedPolicyDocumentException',
          message: 'The new key policy will not allow you to update the key policy in the future.',
        },
  );
});
