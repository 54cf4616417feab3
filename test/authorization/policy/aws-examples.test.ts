// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables look like that.
/*
 * Policies of the AWS documentation, and what it says of them: KMS Developer Guide ("AWS KMS condition keys", "Key
 * policies", "ABAC", "Customer managed policies", "Allowing users in other accounts"), IAM User Guide ("Condition
 * operators", "Set operators", "Policy evaluation logic", "NotPrincipal").
 */
import { describe, expect, test } from '@jest/globals';
import type { PolicyPrincipal } from '../../../src/authorization/policy/policy-principal.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import {
  account,
  ask,
  type Context,
  delegating,
  type Json,
  keyArn,
  otherAccount,
  policy,
  root,
  rootArn,
  session,
  user,
} from './fixtures.js';

const exampleRole = session('ExampleRole');
const exampleUser = user('ExampleUser');
const appRole = session('RoleForExampleApp');
const adminUser = user('KMSAdminUser');
const adminRole = session('KMSAdminRole');
const anybody = user('anybody');

const context = (pairs: Readonly<Record<string, string>>): Context => ({
  ...Object.fromEntries(Object.entries(pairs).map(([key, value]) => [`kms:EncryptionContext:${key}`, value])),
  'kms:EncryptionContextKeys': Object.keys(pairs),
});

type Case = readonly [
  OperationName,
  Context,
  'allow' | 'deny',
  {
    readonly principal?: PolicyPrincipal;
    readonly part?: number;
    readonly identity?: Json;
    readonly resource?: string;
  }?,
];

/** Key policies; who calls, unless a case says otherwise, is named first. */
const keyPolicies: readonly (readonly [string, PolicyPrincipal, readonly Json[], readonly Case[]])[] = [
  [
    'default key policy of the console',
    adminUser,
    [
      { Sid: 'Enable IAM policies', Principal: { AWS: rootArn } },
      {
        Sid: 'Allow access for Key Administrators',
        Principal: { AWS: [adminUser.arn, adminRole.roleArn] },
        Action: [
          'kms:Create*',
          'kms:Describe*',
          'kms:Enable*',
          'kms:List*',
          'kms:Put*',
          'kms:Update*',
          'kms:Revoke*',
          'kms:Disable*',
          'kms:Get*',
          'kms:Delete*',
          'kms:TagResource',
          'kms:UntagResource',
          'kms:ScheduleKeyDeletion',
          'kms:CancelKeyDeletion',
        ],
      },
      {
        Sid: 'Allow use of the key',
        Principal: { AWS: [exampleUser.arn, exampleRole.roleArn, `arn:aws:iam::${otherAccount}:root`] },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
      },
      {
        Sid: 'Allow attachment of persistent resources',
        Principal: { AWS: [exampleUser.arn, exampleRole.roleArn, `arn:aws:iam::${otherAccount}:root`] },
        Action: ['kms:CreateGrant', 'kms:ListGrants', 'kms:RevokeGrant'],
        Condition: { Bool: { 'kms:GrantIsForAWSResource': 'true' } },
      },
    ],
    [
      ['PutKeyPolicy', {}, 'allow'],
      ['DescribeKey', {}, 'allow'],
      ['UpdateKeyDescription', {}, 'allow'],
      ['EnableKeyRotation', {}, 'allow'],
      ['CreateGrant', {}, 'allow'],
      ['ScheduleKeyDeletion', {}, 'allow'],
      ['Decrypt', {}, 'deny'],
      ['ReplicateKey', {}, 'deny'],
      ['CreateAlias', {}, 'allow', { part: 1 }],
      ['CreateAlias', {}, 'deny', { part: 0 }],
      ['ListKeys', {}, 'deny'],
      ['PutKeyPolicy', {}, 'allow', { principal: adminRole }],
      ['Decrypt', {}, 'allow', { principal: exampleUser }],
      ['GenerateDataKeyPairWithoutPlaintext', {}, 'allow', { principal: exampleRole }],
      ['ReEncrypt', {}, 'allow', { principal: exampleRole, part: 0 }],
      ['ReEncrypt', {}, 'allow', { principal: exampleRole, part: 1 }],
      ['Sign', {}, 'deny', { principal: exampleUser }],
      ['CreateGrant', {}, 'deny', { principal: exampleUser }],
      ['CreateGrant', { 'kms:GrantIsForAWSResource': 'true' }, 'allow', { principal: exampleUser }],
      ['CreateGrant', { 'kms:GrantIsForAWSResource': 'false' }, 'deny', { principal: exampleUser }],
      ['Decrypt', {}, 'deny', { principal: anybody }],
      ['Decrypt', {}, 'allow', { principal: anybody, identity: { Action: 'kms:Decrypt' } }],
      ['Decrypt', {}, 'allow', { principal: root() }],
      ['Decrypt', {}, 'deny', { principal: user('u', otherAccount) }],
      ['Decrypt', {}, 'allow', { principal: user('u', otherAccount), identity: { Resource: keyArn } }],
      ['PutKeyPolicy', {}, 'deny', { principal: user('u', otherAccount), identity: { Resource: keyArn } }],
    ],
  ],
  [
    'kms:CallerAccount with kms:ViaService',
    anybody,
    [
      {
        Principal: { AWS: '*' },
        Action: [
          'kms:Encrypt',
          'kms:Decrypt',
          'kms:ReEncrypt*',
          'kms:GenerateDataKey*',
          'kms:CreateGrant',
          'kms:DescribeKey',
        ],
        Condition: { StringEquals: { 'kms:CallerAccount': account, 'kms:ViaService': 'ec2.us-west-2.amazonaws.com' } },
      },
    ],
    [
      ['Decrypt', { 'kms:CallerAccount': account, 'kms:ViaService': 'ec2.us-west-2.amazonaws.com' }, 'allow'],
      ['Decrypt', { 'kms:CallerAccount': account }, 'deny'],
      ['Decrypt', { 'kms:CallerAccount': otherAccount, 'kms:ViaService': 'ec2.us-west-2.amazonaws.com' }, 'deny'],
      ['Sign', { 'kms:CallerAccount': account, 'kms:ViaService': 'ec2.us-west-2.amazonaws.com' }, 'deny'],
    ],
  ],
  [
    'a condition on the key spec',
    user('Alice'),
    [
      {
        Sid: 'Describe the policy statement',
        Principal: { AWS: user('Alice').arn },
        Action: 'kms:DescribeKey',
        Condition: { StringEquals: { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' } },
      },
    ],
    [
      ['DescribeKey', { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' }, 'allow'],
      ['DescribeKey', { 'kms:KeySpec': 'RSA_2048' }, 'deny'],
    ],
  ],
  [
    'kms:DataKeyPairSpec',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: ['kms:GenerateDataKeyPair', 'kms:GenerateDataKeyPairWithoutPlaintext'],
        Condition: { StringLike: { 'kms:DataKeyPairSpec': 'RSA*' } },
      },
    ],
    [
      ['GenerateDataKeyPair', { 'kms:DataKeyPairSpec': 'RSA_3072' }, 'allow'],
      ['GenerateDataKeyPairWithoutPlaintext', { 'kms:DataKeyPairSpec': 'RSA_2048' }, 'allow'],
      ['GenerateDataKeyPair', { 'kms:DataKeyPairSpec': 'ECC_NIST_P256' }, 'deny'],
      ['GenerateDataKey', { 'kms:DataKeyPairSpec': 'RSA_3072' }, 'deny'],
    ],
  ],
  [
    'kms:EncryptionAlgorithm, only one allowed',
    exampleRole,
    [
      { Principal: { AWS: exampleRole.roleArn } },
      {
        Effect: 'Deny',
        Principal: { AWS: exampleRole.roleArn },
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*'],
        Condition: { StringNotEquals: { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' } },
      },
    ],
    [
      ['Encrypt', { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_256' }, 'allow'],
      ['Encrypt', { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_1' }, 'deny'],
      ['ReEncrypt', { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_1' }, 'deny'],
      ['Decrypt', {}, 'deny'],
      ['GetPublicKey', {}, 'allow'],
    ],
  ],
  [
    'kms:EncryptionContext, a pair',
    appRole,
    [
      {
        Principal: { AWS: appRole.roleArn },
        Action: 'kms:GenerateDataKey',
        Condition: { StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' } },
      },
    ],
    [
      ['GenerateDataKey', context({ AppName: 'ExampleApp' }), 'allow'],
      ['GenerateDataKey', context({ AppName: 'ExampleApp', Stage: 'Test' }), 'allow'],
      ['GenerateDataKey', context({ appname: 'ExampleApp' }), 'allow'],
      ['GenerateDataKey', context({ AppName: 'exampleapp' }), 'deny'],
      ['GenerateDataKey', context({ Stage: 'ExampleApp' }), 'deny'],
      ['GenerateDataKey', context({}), 'deny'],
      ['Decrypt', context({ AppName: 'ExampleApp' }), 'deny'],
    ],
  ],
  [
    'kms:EncryptionContext, a pair and no other',
    user('alice'),
    [
      {
        Principal: { AWS: user('alice').arn },
        Action: 'kms:GenerateDataKey',
        Condition: {
          StringEquals: { 'kms:EncryptionContext:AppName': 'ExampleApp' },
          'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['AppName'] },
        },
      },
    ],
    [
      ['GenerateDataKey', context({ AppName: 'ExampleApp' }), 'allow'],
      ['GenerateDataKey', context({ AppName: 'ExampleApp', Stage: 'Test' }), 'deny'],
      ['GenerateDataKey', context({}), 'deny'],
    ],
  ],
  [
    'kms:EncryptionContext, values that are forbidden',
    appRole,
    [
      { Principal: { AWS: appRole.roleArn } },
      {
        Effect: 'Deny',
        Principal: { AWS: appRole.roleArn },
        Action: 'kms:GenerateDataKey',
        Condition: { StringEquals: { 'kms:EncryptionContext:Stage': ['Restricted', 'Production'] } },
      },
    ],
    [
      ['GenerateDataKey', context({ Stage: 'Restricted' }), 'deny'],
      ['GenerateDataKey', context({ Stage: 'Production', A: 'b' }), 'deny'],
      ['GenerateDataKey', context({ Stage: 'Test' }), 'allow'],
      ['GenerateDataKey', context({}), 'allow'],
    ],
  ],
  [
    'kms:EncryptionContext, two pairs',
    appRole,
    [
      {
        Principal: { AWS: appRole.roleArn },
        Action: 'kms:Decrypt',
        Condition: {
          StringEquals: { 'kms:EncryptionContext:Department': 'IT', 'kms:EncryptionContext:Project': 'Alpha' },
        },
      },
    ],
    [
      ['Decrypt', context({ Department: 'IT', Project: 'Alpha' }), 'allow'],
      ['Decrypt', context({ Department: 'IT', Project: 'Alpha', Stage: 'Test' }), 'allow'],
      ['Decrypt', context({ Department: 'IT' }), 'deny'],
      ['Decrypt', context({ Department: 'IT', Project: 'Beta' }), 'deny'],
    ],
  ],
  [
    'kms:EncryptionContext, one pair or another',
    appRole,
    ['Department', 'Project'].map((key) => ({
      Principal: { AWS: appRole.roleArn },
      Action: 'kms:GenerateDataKey',
      Condition: { StringEquals: { [`kms:EncryptionContext:${key}`]: key === 'Project' ? 'Alpha' : 'IT' } },
    })),
    [
      ['GenerateDataKey', context({ Department: 'IT' }), 'allow'],
      ['GenerateDataKey', context({ Project: 'Alpha' }), 'allow'],
      ['GenerateDataKey', context({ Department: 'IT', Project: 'Alpha' }), 'allow'],
      ['GenerateDataKey', context({ Department: 'HR' }), 'deny'],
    ],
  ],
  [
    'kms:EncryptionContext with a variable',
    { ...session('TestTeam'), tags: new Map() },
    [
      {
        Principal: { AWS: session('TestTeam').roleArn },
        Action: ['kms:Decrypt', 'kms:Encrypt'],
        Condition: { StringEquals: { 'kms:EncryptionContext:user': '${aws:username}' } },
      },
    ],
    [
      ['Decrypt', { ...context({ user: 'bob' }), 'aws:username': 'bob' }, 'allow'],
      ['Decrypt', { ...context({ user: 'bob' }), 'aws:username': 'alice' }, 'deny'],
      ['Decrypt', context({ user: 'bob' }), 'deny'],
      ['Decrypt', context({ user: '${aws:username}' }), 'deny'],
    ],
  ],
  [
    'kms:EncryptionContextKeys with ForAnyValue',
    appRole,
    [
      {
        Principal: { AWS: appRole.roleArn },
        Action: ['kms:Encrypt', 'kms:GenerateDataKey*'],
        Condition: { 'ForAnyValue:StringEquals': { 'kms:EncryptionContextKeys': 'AppName' } },
      },
    ],
    [
      ['GenerateDataKey', context({ AppName: 'Helper', Project: 'Alpha' }), 'allow'],
      ['GenerateDataKey', context({ Project: 'Alpha' }), 'deny'],
      ['GenerateDataKey', context({ appname: 'Helper' }), 'deny'],
      ['GenerateDataKey', context({}), 'deny'],
    ],
  ],
  [
    'any encryption context',
    appRole,
    [
      {
        Principal: { AWS: appRole.roleArn },
        Action: ['kms:Encrypt', 'kms:GenerateDataKey*'],
        Condition: { Null: { 'kms:EncryptionContextKeys': false } },
      },
    ],
    [
      ['Encrypt', context({ any: 'thing' }), 'allow'],
      ['Encrypt', context({}), 'deny'],
      ['Encrypt', {}, 'deny'],
    ],
  ],
  [
    'kms:ExpirationModel',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:ImportKeyMaterial',
        Condition: { StringEquals: { 'kms:ExpirationModel': 'KEY_MATERIAL_DOES_NOT_EXPIRE' } },
      },
    ],
    [
      ['ImportKeyMaterial', { 'kms:ExpirationModel': 'KEY_MATERIAL_DOES_NOT_EXPIRE' }, 'allow'],
      ['ImportKeyMaterial', { 'kms:ExpirationModel': 'KEY_MATERIAL_EXPIRES' }, 'deny'],
      ['ImportKeyMaterial', {}, 'deny'],
    ],
  ],
  [
    'kms:ValidTo',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:ImportKeyMaterial',
        Condition: { NumericLessThanEquals: { 'kms:ValidTo': '1546257599.0' } },
      },
    ],
    [
      ['ImportKeyMaterial', { 'kms:ValidTo': '1546257599' }, 'allow'],
      ['ImportKeyMaterial', { 'kms:ValidTo': '1546257600' }, 'deny'],
    ],
  ],
  [
    'kms:GrantConstraintType and kms:GrantOperations',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:CreateGrant',
        Condition: {
          StringEquals: { 'kms:GrantConstraintType': 'EncryptionContextEquals' },
          'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'Decrypt'] },
        },
      },
    ],
    [
      [
        'CreateGrant',
        { 'kms:GrantConstraintType': 'EncryptionContextEquals', 'kms:GrantOperations': ['Decrypt'] },
        'allow',
      ],
      [
        'CreateGrant',
        { 'kms:GrantConstraintType': 'EncryptionContextEquals', 'kms:GrantOperations': ['Decrypt', 'Sign'] },
        'deny',
      ],
      [
        'CreateGrant',
        { 'kms:GrantConstraintType': 'EncryptionContextSubset', 'kms:GrantOperations': ['Decrypt'] },
        'deny',
      ],
      ['CreateGrant', { 'kms:GrantOperations': ['Decrypt'] }, 'deny'],
    ],
  ],
  [
    'kms:GranteePrincipal, one role or users under a path',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:CreateGrant',
        Condition: { StringEquals: { 'kms:GranteePrincipal': 'arn:aws:iam::111122223333:role/LimitedAdminRole' } },
      },
    ],
    [
      ['CreateGrant', { 'kms:GranteePrincipal': 'arn:aws:iam::111122223333:role/LimitedAdminRole' }, 'allow'],
      ['CreateGrant', { 'kms:GranteePrincipal': 'arn:aws:iam::111122223333:role/Admin' }, 'deny'],
      ['CreateGrant', {}, 'deny'],
    ],
  ],
  [
    'kms:MessageType, kms:SigningAlgorithm',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: ['kms:Sign', 'kms:Verify'],
        Condition: {
          StringEquals: { 'kms:MessageType': 'DIGEST' },
          StringLike: { 'kms:SigningAlgorithm': 'RSASSA_PSS*' },
        },
      },
    ],
    [
      ['Sign', { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'RSASSA_PSS_SHA_256' }, 'allow'],
      ['Sign', { 'kms:MessageType': 'RAW', 'kms:SigningAlgorithm': 'RSASSA_PSS_SHA_256' }, 'deny'],
      ['Verify', { 'kms:MessageType': 'DIGEST', 'kms:SigningAlgorithm': 'ECDSA_SHA_256' }, 'deny'],
    ],
  ],
  [
    'kms:RequestAlias',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:Encrypt',
        Condition: { StringLike: { 'kms:RequestAlias': 'alias/restricted-key-*' } },
      },
    ],
    [
      ['Encrypt', { 'kms:RequestAlias': 'alias/restricted-key-1' }, 'allow'],
      ['Encrypt', { 'kms:RequestAlias': 'alias/other' }, 'deny'],
      ['Encrypt', {}, 'deny'],
    ],
  ],
  [
    'kms:ReEncryptOnSameKey',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:ReEncrypt*',
        Condition: { Bool: { 'kms:ReEncryptOnSameKey': true } },
      },
    ],
    [
      ['ReEncrypt', { 'kms:ReEncryptOnSameKey': 'true' }, 'allow', { part: 1 }],
      ['ReEncrypt', { 'kms:ReEncryptOnSameKey': 'false' }, 'deny', { part: 1 }],
    ],
  ],
  [
    'kms:BypassPolicyLockoutSafetyCheck',
    exampleUser,
    [
      {
        Principal: { AWS: exampleUser.arn },
        Action: 'kms:PutKeyPolicy',
        Condition: { Null: { 'kms:BypassPolicyLockoutSafetyCheck': true } },
      },
    ],
    [
      ['PutKeyPolicy', {}, 'allow'],
      ['PutKeyPolicy', { 'kms:BypassPolicyLockoutSafetyCheck': 'false' }, 'deny'],
    ],
  ],
  [
    'NotPrincipal: all but Bob and his account',
    user('Bob', otherAccount),
    [
      { Principal: '*' },
      {
        Effect: 'Deny',
        NotPrincipal: { AWS: [`arn:aws:iam::${otherAccount}:user/Bob`, `arn:aws:iam::${otherAccount}:root`] },
      },
    ],
    [
      ['Decrypt', {}, 'allow', { identity: {} }],
      ['Decrypt', {}, 'deny', { principal: user('Eve', otherAccount), identity: {} }],
      ['Decrypt', {}, 'deny', { principal: anybody }],
    ],
  ],
  [
    'NotPrincipal: all but one session',
    session('cross-account-read-only-role', 'cross-account-audit-app', otherAccount),
    [
      { Principal: '*' },
      {
        Effect: 'Deny',
        NotPrincipal: {
          AWS: [
            `arn:aws:sts::${otherAccount}:assumed-role/cross-account-read-only-role/cross-account-audit-app`,
            `arn:aws:iam::${otherAccount}:role/cross-account-read-only-role`,
            `arn:aws:iam::${otherAccount}:root`,
          ],
        },
      },
    ],
    [
      ['Decrypt', {}, 'allow', { identity: {} }],
      ['Decrypt', {}, 'deny', { principal: session('cross-account-read-only-role', 'x1', otherAccount), identity: {} }],
    ],
  ],
];

describe.each(keyPolicies)('key policy: %s', (_, principal, statements, cases) => {
  test.each(cases)('%s %j: %s', (operation, keys, expected, who = {}) => {
    const { identity, ...rest } = who;
    const identityPolicies = identity ? [policy('identity', identity)] : [];
    const decision = ask({ operation, keys, principal, key: policy('key', ...statements), identityPolicies, ...rest });
    expect(decision.decision).toBe(expected);
  });
});

/** Identity policies, the key's policy being the default one. */
const identityPolicies: readonly (readonly [string, readonly Json[], readonly Case[]])[] = [
  [
    'read-only access',
    [
      {
        Action: [
          'kms:GetPublicKey',
          'kms:GetKeyRotationStatus',
          'kms:GetKeyPolicy',
          'kms:DescribeKey',
          'kms:ListKeyPolicies',
          'kms:ListResourceTags',
        ],
        Resource: 'arn:aws:kms:*:111122223333:key/*',
      },
      { Action: ['kms:ListKeys', 'kms:ListAliases', 'iam:ListRoles', 'iam:ListUsers'] },
    ],
    [
      ['DescribeKey', {}, 'allow'],
      ['ListKeys', {}, 'allow'],
      ['ListAliases', {}, 'allow'],
      ['ListGrants', {}, 'deny'],
      ['Encrypt', {}, 'deny'],
      ['CreateKey', {}, 'deny'],
    ],
  ],
  [
    'create keys',
    [
      { Action: 'kms:TagResource', Resource: 'arn:aws:kms:*:111122223333:key/*' },
      { Action: 'kms:CreateAlias', Resource: 'arn:aws:kms:*:111122223333:alias/*' },
      { Action: ['kms:CreateKey', 'kms:ListKeys', 'kms:ListAliases'] },
    ],
    [
      ['CreateKey', {}, 'allow'],
      ['CreateKey', {}, 'allow', { part: 1 }],
      ['CreateAlias', {}, 'allow', { part: 0 }],
      ['CreateAlias', {}, 'deny', { part: 1 }],
      ['PutKeyPolicy', {}, 'deny'],
      ['UpdateAlias', {}, 'deny'],
    ],
  ],
  [
    'encrypt and decrypt in one account and Region',
    [{ Action: ['kms:Encrypt', 'kms:Decrypt'], Resource: ['arn:aws:kms:us-west-2:111122223333:key/*'] }],
    [
      ['Encrypt', {}, 'allow'],
      ['Decrypt', {}, 'allow'],
      ['Decrypt', {}, 'deny', { resource: keyArn.replace('us-west-2', 'us-east-1') }],
      ['DescribeKey', {}, 'deny'],
    ],
  ],
  [
    'encrypt and decrypt with specific keys',
    [
      {
        Action: ['kms:Encrypt', 'kms:Decrypt'],
        Resource: [keyArn, 'arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321'],
      },
    ],
    [
      ['Encrypt', {}, 'allow'],
      [
        'Encrypt',
        {},
        'allow',
        { resource: 'arn:aws:kms:us-west-2:111122223333:key/0987dcba-09fe-87dc-65ba-ab0987654321' },
      ],
      ['Encrypt', {}, 'deny', { resource: `${keyArn}0` }],
    ],
  ],
  [
    'no disabling and deleting',
    [{}, { Effect: 'Deny', Action: ['kms:DisableKey', 'kms:ScheduleKeyDeletion'] }],
    [
      ['DisableKey', {}, 'deny'],
      ['ScheduleKeyDeletion', {}, 'deny'],
      ['EnableKey', {}, 'allow'],
    ],
  ],
  [
    'no bypass of the lockout check',
    [
      {},
      {
        Effect: 'Deny',
        Action: ['kms:CreateKey', 'kms:PutKeyPolicy'],
        Condition: { Bool: { 'kms:BypassPolicyLockoutSafetyCheck': true } },
      },
    ],
    [
      ['CreateKey', { 'kms:BypassPolicyLockoutSafetyCheck': 'true' }, 'deny'],
      ['CreateKey', { 'kms:BypassPolicyLockoutSafetyCheck': 'false' }, 'allow'],
      ['PutKeyPolicy', {}, 'allow'],
    ],
  ],
  [
    'symmetric algorithms only',
    [
      {},
      {
        Effect: 'Deny',
        Action: ['kms:Encrypt', 'kms:Decrypt', 'kms:ReEncrypt*', 'kms:GenerateDataKey*'],
        Resource: 'arn:aws:kms:us-west-2:111122223333:key/*',
        Condition: { StringNotEquals: { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' } },
      },
    ],
    [
      ['Encrypt', { 'kms:EncryptionAlgorithm': 'SYMMETRIC_DEFAULT' }, 'allow'],
      ['Encrypt', { 'kms:EncryptionAlgorithm': 'RSAES_OAEP_SHA_1' }, 'deny'],
      ['Sign', {}, 'allow'],
    ],
  ],
  [
    'ABAC by tag',
    [
      {
        Action: ['kms:Decrypt', 'kms:Encrypt', 'kms:GenerateDataKey*', 'kms:DescribeKey'],
        Resource: 'arn:aws:kms:*:111122223333:key/*',
        Condition: { StringEquals: { 'aws:ResourceTag/Purpose': 'Test' } },
      },
    ],
    [
      ['Decrypt', { 'aws:ResourceTag/Purpose': 'Test' }, 'allow'],
      ['Decrypt', { 'aws:ResourceTag/Purpose': 'Production' }, 'deny'],
      ['Decrypt', {}, 'deny'],
    ],
  ],
  [
    'ABAC by alias',
    [
      {
        Action: ['kms:List*', 'kms:Describe*', 'kms:Decrypt'],
        Resource: 'arn:aws:kms:*:111122223333:key/*',
        Condition: {
          'ForAnyValue:StringEquals': {
            'kms:ResourceAliases': ['alias/ProjectAlpha', 'alias/ProjectAlpha_Test', 'alias/ProjectAlpha_Dev'],
          },
        },
      },
    ],
    [
      ['Decrypt', { 'kms:ResourceAliases': ['alias/other', 'alias/ProjectAlpha_Test'] }, 'allow'],
      ['Decrypt', { 'kms:ResourceAliases': ['alias/other'] }, 'deny'],
      ['Decrypt', { 'kms:ResourceAliases': [] }, 'deny'],
      ['Decrypt', {}, 'deny'],
    ],
  ],
  [
    'tags that may not be touched',
    [
      {},
      {
        Effect: 'Deny',
        Action: ['kms:TagResource', 'kms:UntagResource'],
        Condition: { 'ForAnyValue:StringEquals': { 'aws:TagKeys': 'Restricted' } },
      },
    ],
    [
      ['TagResource', { 'aws:TagKeys': ['Project', 'Restricted'] }, 'deny'],
      ['TagResource', { 'aws:TagKeys': ['Project'] }, 'allow'],
      ['UntagResource', {}, 'allow'],
    ],
  ],
  [
    'kms:KeySpec of a new key',
    [{ Action: 'kms:CreateKey', Condition: { StringEquals: { 'kms:KeySpec': ['RSA_4096', 'RSA_3072'] } } }],
    [
      ['CreateKey', { 'kms:KeySpec': 'RSA_4096' }, 'allow'],
      ['CreateKey', { 'kms:KeySpec': 'SYMMETRIC_DEFAULT' }, 'deny'],
    ],
  ],
  [
    'kms:ScheduleKeyDeletionPendingWindowInDays',
    [
      {},
      {
        Effect: 'Deny',
        Action: 'kms:ScheduleKeyDeletion',
        Condition: { NumericLessThanEquals: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '21' } },
      },
    ],
    [
      ['ScheduleKeyDeletion', { 'kms:ScheduleKeyDeletionPendingWindowInDays': '21' }, 'deny'],
      ['ScheduleKeyDeletion', { 'kms:ScheduleKeyDeletionPendingWindowInDays': '30' }, 'allow'],
    ],
  ],
  [
    'dates (IAM guide, "Access between dates")',
    [
      {
        Condition: {
          DateGreaterThan: { 'aws:CurrentTime': '2020-04-01T00:00:00Z' },
          DateLessThan: { 'aws:CurrentTime': '2020-06-30T23:59:59Z' },
        },
      },
    ],
    [
      ['Decrypt', { 'aws:CurrentTime': '2020-05-01T12:00:00Z' }, 'allow'],
      ['Decrypt', { 'aws:CurrentTime': '2020-03-31T23:59:59Z' }, 'deny'],
      ['Decrypt', { 'aws:CurrentTime': '2020-07-01T00:00:00Z' }, 'deny'],
    ],
  ],
  [
    'source address (IAM guide, "Denies access based on the source IP")',
    [
      {},
      {
        Effect: 'Deny',
        Action: '*',
        Condition: {
          NotIpAddress: { 'aws:SourceIp': ['192.0.2.0/24', '203.0.113.0/24'] },
          Bool: { 'aws:ViaAWSService': 'false' },
        },
      },
    ],
    [
      ['Decrypt', { 'aws:SourceIp': '192.0.2.99', 'aws:ViaAWSService': 'false' }, 'allow'],
      ['Decrypt', { 'aws:SourceIp': '198.51.100.1', 'aws:ViaAWSService': 'false' }, 'deny'],
      ['Decrypt', { 'aws:SourceIp': '198.51.100.1', 'aws:ViaAWSService': 'true' }, 'allow'],
    ],
  ],
  [
    'multi-factor authentication (IAM guide, BoolIfExists)',
    [
      {},
      {
        Effect: 'Deny',
        NotAction: 'kms:ListKeys',
        Condition: { BoolIfExists: { 'aws:MultiFactorAuthPresent': 'false' } },
      },
    ],
    [
      ['Decrypt', { 'aws:MultiFactorAuthPresent': 'true' }, 'allow'],
      ['Decrypt', { 'aws:MultiFactorAuthPresent': 'false' }, 'deny'],
      ['Decrypt', {}, 'deny'],
      ['ListKeys', {}, 'allow'],
    ],
  ],
  [
    'temporary credentials only (IAM guide, Null)',
    [{ Condition: { Null: { 'aws:TokenIssueTime': 'false' } } }],
    [
      ['Decrypt', { 'aws:TokenIssueTime': '2020-01-01T00:00:00Z' }, 'allow'],
      ['Decrypt', {}, 'deny'],
    ],
  ],
  [
    'a tag of the principal is the tag of the key (IAM guide, ABAC)',
    [{ Condition: { StringEquals: { 'aws:ResourceTag/team': '${aws:PrincipalTag/team}' } } }],
    [
      ['Decrypt', { 'aws:ResourceTag/team': 'blue', 'aws:PrincipalTag/team': 'blue' }, 'allow'],
      ['Decrypt', { 'aws:ResourceTag/team': 'blue', 'aws:PrincipalTag/team': 'red' }, 'deny'],
      ['Decrypt', { 'aws:ResourceTag/team': 'blue' }, 'deny'],
      ['Decrypt', { 'aws:PrincipalTag/team': 'blue' }, 'deny'],
    ],
  ],
];

describe.each(identityPolicies)('identity policy: %s', (_, statements, cases) => {
  test.each(cases)('%s %j: %s', (operation, keys, expected, { identity: _identity, ...rest } = {}) => {
    const policies = [policy('identity', ...statements)];
    const decision = ask({ operation, keys, key: delegating, identityPolicies: policies, ...rest });
    expect(decision.decision).toBe(expected);
  });
});
