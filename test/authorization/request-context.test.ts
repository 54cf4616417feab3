import { describe, expect, test } from '@jest/globals';
import { isKnownConditionKey } from '../../src/authorization/policy/condition-keys.js';
import type { Principal } from '../../src/authorization/principal.js';
import { RequestContext, type RequestFacts } from '../../src/authorization/request-context.js';
import type { OperationName } from '../../src/contract/operation-types.js';
import type { KeyRecord } from '../../src/keys/key-record.js';
import { alice, session } from './policy/fixtures.js';

const key = {
  spec: 'RSA_2048',
  usage: 'SIGN_VERIFY',
  origin: 'EXTERNAL',
  multiRegion: false,
  tags: new Map([
    ['Team', 'red'],
    ['team', 'blue'],
    ['Stage', 'test'],
  ]),
  aliases: ['alias/one', 'alias/two'],
} as unknown as KeyRecord;

const user = { ...alice, tags: new Map([['Cost', '42']]) } as unknown as Principal;
const role = {
  ...session('deployer', 'nightly'),
  tokenIssuedAt: new Date('2026-01-02T03:04:05.678Z'),
  sourceIdentity: 'alice',
} as unknown as Principal;

const request = (operation: OperationName, input: object = {}, principal: Principal = user): RequestFacts => ({
  operation,
  input: input as RequestFacts['input'],
  principal,
  source: { ip: '192.0.2.7', secureTransport: false, userAgent: 'aws-cli/2', referer: undefined },
  at: new Date('2026-03-04T05:06:07.890Z'),
  home: { region: 'eu-central-1', accountId: '111122223333' },
});

const value = (name: string, facts: RequestFacts, permission: object = {}) =>
  new RequestContext(facts, { action: `kms:${facts.operation}`, ...permission }).get(name.toLowerCase());

const encrypting = { EncryptionContext: { App: 'x', app: 'y', Purpose: 'z' } };
const reEncrypting = {
  SourceEncryptionContext: { from: '1' },
  DestinationEncryptionContext: { to: '2' },
  SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_1',
};
const granting = {
  Operations: ['Encrypt', 'Decrypt'],
  GranteePrincipal: 'arn:aws:iam::111122223333:user/bob',
  RetiringPrincipal: 'arn:aws:iam::111122223333:user/carol',
  Constraints: { EncryptionContextSubset: { tenant: '7' }, EncryptionContextEquals: {} },
};
const tagging = { Tags: [{ TagKey: 'Team', TagValue: 'green' }] };

const cases: [name: string, operation: OperationName, input: object, permission: object, expected: unknown][] = [
  ['aws:CurrentTime', 'ListKeys', {}, {}, '2026-03-04T05:06:07.890Z'],
  ['aws:EpochTime', 'ListKeys', {}, {}, '1772600767'],
  ['aws:SourceIp', 'ListKeys', {}, {}, '192.0.2.7'],
  ['aws:SecureTransport', 'ListKeys', {}, {}, 'false'],
  ['aws:UserAgent', 'ListKeys', {}, {}, 'aws-cli/2'],
  ['aws:Referer', 'ListKeys', {}, {}, undefined],
  ['aws:RequestedRegion', 'ListKeys', {}, {}, 'eu-central-1'],
  ['aws:ResourceAccount', 'ListKeys', {}, {}, '111122223333'],
  ['aws:PrincipalArn', 'ListKeys', {}, {}, alice.arn],
  ['aws:PrincipalAccount', 'ListKeys', {}, {}, '111122223333'],
  ['aws:PrincipalType', 'ListKeys', {}, {}, 'User'],
  ['aws:PrincipalTag/cost', 'ListKeys', {}, {}, '42'],
  ['aws:PrincipalTag/other', 'ListKeys', {}, {}, undefined],
  ['aws:userid', 'ListKeys', {}, {}, alice.uniqueId],
  ['aws:username', 'ListKeys', {}, {}, 'alice'],
  ['aws:MultiFactorAuthPresent', 'ListKeys', {}, {}, undefined],
  ['aws:MultiFactorAuthAge', 'ListKeys', {}, {}, undefined],
  ['aws:ViaAWSService', 'ListKeys', {}, {}, 'false'],
  ['kms:ViaService', 'Encrypt', encrypting, { key }, undefined],
  ['kms:CallerAccount', 'ListKeys', {}, {}, '111122223333'],

  ['aws:RequestTag/team', 'CreateKey', tagging, {}, 'green'],
  ['aws:RequestTag/team', 'TagResource', tagging, { key }, 'green'],
  ['aws:RequestTag/team', 'CreateKey', {}, {}, undefined],
  ['aws:TagKeys', 'TagResource', tagging, { key }, ['Team']],
  ['aws:TagKeys', 'UntagResource', { TagKeys: ['a', 'b'] }, { key }, ['a', 'b']],
  ['aws:TagKeys', 'CreateKey', {}, {}, undefined],
  ['aws:ResourceTag/stage', 'Sign', {}, { key }, 'test'],
  ['aws:ResourceTag/team', 'Sign', {}, { key }, ['red', 'blue']],
  ['aws:ResourceTag/stage', 'CreateKey', tagging, {}, undefined],

  ['kms:EncryptionContext:purpose', 'Encrypt', encrypting, { key }, 'z'],
  ['kms:EncryptionContext:app', 'Encrypt', encrypting, { key }, ['x', 'y']],
  ['kms:EncryptionContext:absent', 'Encrypt', encrypting, { key }, undefined],
  ['kms:EncryptionContext:constructor', 'Encrypt', encrypting, { key }, undefined],
  ['kms:EncryptionContextKeys', 'Encrypt', encrypting, { key }, ['App', 'app', 'Purpose']],
  ['kms:EncryptionContextKeys', 'Encrypt', {}, { key }, []],
  ['kms:EncryptionContextKeys', 'ReEncrypt', reEncrypting, { action: 'kms:ReEncryptFrom', key }, ['from']],
  ['kms:EncryptionContextKeys', 'ReEncrypt', reEncrypting, { action: 'kms:ReEncryptTo', key }, ['to']],
  ['kms:EncryptionContext:tenant', 'CreateGrant', granting, { key }, '7'],
  ['kms:EncryptionAlgorithm', 'ReEncrypt', reEncrypting, { action: 'kms:ReEncryptFrom', key }, 'RSAES_OAEP_SHA_1'],
  ['kms:EncryptionAlgorithm', 'ReEncrypt', reEncrypting, { action: 'kms:ReEncryptTo', key }, 'SYMMETRIC_DEFAULT'],
  ['kms:EncryptionAlgorithm', 'GenerateDataKey', {}, { key }, 'SYMMETRIC_DEFAULT'],
  ['kms:EncryptionAlgorithm', 'Sign', {}, { key }, undefined],
  ['kms:ReEncryptOnSameKey', 'ReEncrypt', reEncrypting, { key, isSameKey: true }, 'true'],
  ['kms:ReEncryptOnSameKey', 'Encrypt', encrypting, { key }, undefined],

  ['kms:KeySpec', 'CreateKey', {}, {}, 'SYMMETRIC_DEFAULT'],
  ['kms:KeySpec', 'CreateKey', { CustomerMasterKeySpec: 'HMAC_256' }, {}, 'HMAC_256'],
  ['kms:KeySpec', 'Sign', {}, { key }, 'RSA_2048'],
  ['kms:KeySpec', 'GenerateDataKey', { KeySpec: 'AES_256' }, { key }, 'RSA_2048'],
  ['kms:CustomerMasterKeySpec', 'Sign', {}, { key }, 'RSA_2048'],
  ['kms:KeyUsage', 'CreateKey', {}, {}, 'ENCRYPT_DECRYPT'],
  ['kms:KeyUsage', 'Sign', {}, { key }, 'SIGN_VERIFY'],
  ['kms:KeyOrigin', 'CreateKey', { Origin: 'EXTERNAL' }, {}, 'EXTERNAL'],
  ['kms:KeyOrigin', 'CreateKey', {}, {}, 'AWS_KMS'],
  ['kms:KeyOrigin', 'Sign', {}, { key }, 'EXTERNAL'],
  ['kms:MultiRegion', 'CreateKey', { MultiRegion: true }, {}, 'true'],
  ['kms:MultiRegion', 'CreateKey', {}, {}, 'false'],
  ['kms:MultiRegion', 'Sign', {}, { key }, 'false'],
  ['kms:MultiRegionKeyType', 'CreateKey', { MultiRegion: true }, {}, 'PRIMARY'],
  ['kms:MultiRegionKeyType', 'Sign', {}, { key }, undefined],
  ['kms:ResourceAliases', 'Sign', {}, { key }, ['alias/one', 'alias/two']],
  ['kms:RequestAlias', 'Sign', {}, { key, keyText: 'alias/one' }, 'alias/one'],
  [
    'kms:RequestAlias',
    'Sign',
    {},
    { key, keyText: 'arn:aws:kms:eu-central-1:111122223333:alias/a:alias/b' },
    'alias/a:alias/b',
  ],
  ['kms:RequestAlias', 'Sign', {}, { key, keyText: '1234abcd-12ab-34cd-56ef-1234567890ab' }, undefined],
  ['kms:RequestAlias', 'Sign', {}, { key, keyText: 'arn:aws:kms:eu-central-1:111122223333:key/x' }, undefined],

  ['kms:GrantOperations', 'CreateGrant', granting, { key }, ['Encrypt', 'Decrypt']],
  ['kms:GranteePrincipal', 'CreateGrant', granting, { key }, granting.GranteePrincipal],
  ['kms:RetiringPrincipal', 'CreateGrant', granting, { key }, granting.RetiringPrincipal],
  ['kms:GrantConstraintType', 'CreateGrant', granting, { key }, ['EncryptionContextSubset']],
  ['kms:GrantConstraintType', 'CreateGrant', { Constraints: { SourceArn: 'arn:x' } }, { key }, ['SourceArn']],
  ['kms:GrantConstraintType', 'CreateGrant', {}, { key }, []],
  ['kms:GrantConstraintSourceArn', 'CreateGrant', { Constraints: { SourceArn: 'arn:x' } }, { key }, 'arn:x'],
  ['kms:GrantIsForAWSResource', 'RevokeGrant', {}, { key }, 'false'],
  ['kms:GrantIsForAWSResource', 'Encrypt', encrypting, { key }, undefined],
  ['kms:GranteePrincipal', 'ListGrants', granting, { key }, undefined],

  ['kms:MessageType', 'Sign', {}, { key }, 'RAW'],
  ['kms:MessageType', 'Verify', { MessageType: 'DIGEST' }, { key }, 'DIGEST'],
  ['kms:MessageType', 'Encrypt', {}, { key }, undefined],
  ['kms:SigningAlgorithm', 'Sign', { SigningAlgorithm: 'RSASSA_PSS_SHA_256' }, { key }, 'RSASSA_PSS_SHA_256'],
  ['kms:MacAlgorithm', 'GenerateMac', { MacAlgorithm: 'HMAC_SHA_256' }, { key }, 'HMAC_SHA_256'],
  ['kms:KeyAgreementAlgorithm', 'DeriveSharedSecret', { KeyAgreementAlgorithm: 'ECDH' }, { key }, 'ECDH'],
  ['kms:DataKeyPairSpec', 'GenerateDataKeyPair', { KeyPairSpec: 'RSA_2048' }, { key }, 'RSA_2048'],
  [
    'kms:WrappingAlgorithm',
    'GetParametersForImport',
    { WrappingAlgorithm: 'RSAES_OAEP_SHA_256' },
    { key },
    'RSAES_OAEP_SHA_256',
  ],
  ['kms:WrappingKeySpec', 'GetParametersForImport', { WrappingKeySpec: 'RSA_4096' }, { key }, 'RSA_4096'],
  ['kms:ExpirationModel', 'ImportKeyMaterial', {}, { key }, undefined],
  ['kms:ValidTo', 'ImportKeyMaterial', { ValidTo: new Date(1_800_000_000_999) }, { key }, '1800000000'],
  ['kms:RotationPeriodInDays', 'EnableKeyRotation', {}, { key }, '365'],
  ['kms:RotationPeriodInDays', 'EnableKeyRotation', { RotationPeriodInDays: 90 }, { key }, '90'],
  ['kms:RotationPeriodInDays', 'DisableKeyRotation', {}, { key }, undefined],
  ['kms:ScheduleKeyDeletionPendingWindowInDays', 'ScheduleKeyDeletion', {}, { key }, '30'],
  ['kms:ScheduleKeyDeletionPendingWindowInDays', 'ScheduleKeyDeletion', { PendingWindowInDays: 7 }, { key }, '7'],
  ['kms:BypassPolicyLockoutSafetyCheck', 'PutKeyPolicy', {}, { key }, undefined],
  ['kms:BypassPolicyLockoutSafetyCheck', 'PutKeyPolicy', { BypassPolicyLockoutSafetyCheck: true }, { key }, 'true'],
  ['kms:ReplicaRegion', 'ReplicateKey', { ReplicaRegion: 'us-east-1' }, { key }, 'us-east-1'],
  ['kms:PrimaryRegion', 'UpdatePrimaryRegion', { PrimaryRegion: 'us-east-1' }, { key }, 'us-east-1'],
  ['s3:prefix', 'Encrypt', {}, { key }, undefined],
];

test.each(cases)('%s of %s %j, permission %j', (name, operation, input, permission, expected) => {
  expect(isKnownConditionKey(name.toLowerCase())).toBe(true);
  expect(value(name, request(operation, input), permission)).toEqual(expected);
});

describe('a role session', () => {
  const facts = request('ListKeys', {}, role);
  test.each([
    ['aws:PrincipalArn', 'arn:aws:iam::111122223333:role/deployer'],
    ['aws:PrincipalType', 'AssumedRole'],
    ['aws:userid', 'AROADEPLOYER:nightly'],
    ['aws:username', undefined],
    ['aws:TokenIssueTime', '2026-01-02T03:04:05.678Z'],
    ['aws:SourceIdentity', 'alice'],
    ['aws:MultiFactorAuthPresent', 'false'],
  ])('%s', (name, expected) => expect(value(name, facts)).toEqual(expected));
});
