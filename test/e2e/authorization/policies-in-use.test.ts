// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables look like that.
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from '../../service/database.js';
import { identity, newUser, policyText, putPolicy } from '../../service/identities.js';
import { refusal, refusalName } from '../../service/refusal.js';
import { accountId, hsmKms, Service, userArn } from '../../service/service.js';

let service: Service;
let alice: KMS;
let KeyId: string;
let Arn: string;
const Plaintext = Buffer.from('secret');
const rootArn = `arn:aws:iam::${accountId}:root`;

beforeAll(async () => {
  service = await Service.start();
  alice = service.newClient(await newUser(service, 'alice'));
});
afterAll(() => service?.end());

const outcome = (call: Promise<unknown>) =>
  call.then(
    () => 'allowed',
    (error: Error) => (error.name === 'AccessDeniedException' ? 'denied' : error.name),
  );
const allowAlice = (statement: object) => putPolicy(service, 'user', 'alice', 'inline', statement);

/** A statement's conditions, and requests that they hold for, and do not. */
interface Case {
  readonly action: string;
  readonly condition: object;
  readonly allowed: () => Promise<unknown>;
  readonly denied: () => Promise<unknown>;
}

const cases: Record<string, Case> = {
  'kms:EncryptionContext': {
    action: 'kms:Encrypt',
    condition: { StringEquals: { 'kms:EncryptionContext:tenant': 'acme' } },
    allowed: () => alice.encrypt({ KeyId, Plaintext, EncryptionContext: { tenant: 'acme', more: '1' } }),
    denied: () => alice.encrypt({ KeyId, Plaintext, EncryptionContext: { tenant: 'other' } }),
  },
  'kms:EncryptionContextKeys with ForAllValues': {
    action: 'kms:Encrypt',
    condition: {
      'ForAllValues:StringEquals': { 'kms:EncryptionContextKeys': ['tenant', 'purpose'] },
      Null: { 'kms:EncryptionContextKeys': 'false' },
    },
    allowed: () => alice.encrypt({ KeyId, Plaintext, EncryptionContext: { tenant: 'x', purpose: 'y' } }),
    denied: () => alice.encrypt({ KeyId, Plaintext, EncryptionContext: { tenant: 'x', other: 'y' } }),
  },
  'kms:RequestAlias': {
    action: 'kms:Encrypt',
    condition: { StringEquals: { 'kms:RequestAlias': 'alias/policies' } },
    allowed: () => alice.encrypt({ KeyId: 'alias/policies', Plaintext }),
    denied: () => alice.encrypt({ KeyId, Plaintext }),
  },
  'kms:ResourceAliases': {
    action: 'kms:DescribeKey',
    condition: { 'ForAnyValue:StringLike': { 'kms:ResourceAliases': 'alias/pol*' } },
    allowed: () => alice.describeKey({ KeyId }),
    denied: async () => alice.describeKey({ KeyId: (await service.newKey()).KeyId }),
  },
  'aws:ResourceTag': {
    action: 'kms:GenerateDataKey',
    condition: { StringEquals: { 'aws:ResourceTag/Stage': "${aws:PrincipalTag/stage, 'test'}" } },
    allowed: () => alice.generateDataKey({ KeyId, KeySpec: 'AES_256' }),
    denied: async () => alice.generateDataKey({ KeyId: (await service.newKey()).KeyId, KeySpec: 'AES_256' }),
  },
  'kms:KeySpec and kms:KeyUsage of CreateKey': {
    action: 'kms:CreateKey',
    condition: { StringEquals: { 'kms:KeySpec': 'ECC_NIST_P256', 'kms:KeyUsage': 'SIGN_VERIFY' } },
    allowed: () => alice.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }),
    denied: () => alice.createKey({}),
  },
  'kms:ScheduleKeyDeletionPendingWindowInDays': {
    action: 'kms:ScheduleKeyDeletion',
    condition: { NumericGreaterThanEquals: { 'kms:ScheduleKeyDeletionPendingWindowInDays': '30' } },
    allowed: async () => alice.scheduleKeyDeletion({ KeyId: (await service.newKey()).KeyId }),
    denied: () => alice.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 }),
  },
  'kms:GrantOperations': {
    action: 'kms:CreateGrant',
    condition: { 'ForAllValues:StringEquals': { 'kms:GrantOperations': ['Encrypt', 'DescribeKey'] } },
    allowed: () => alice.createGrant({ KeyId, GranteePrincipal: rootArn, Operations: ['Encrypt'] }),
    denied: () => alice.createGrant({ KeyId, GranteePrincipal: rootArn, Operations: ['Encrypt', 'Decrypt'] }),
  },
  'aws:RequestTag and aws:TagKeys': {
    action: 'kms:TagResource',
    condition: {
      StringEquals: { 'aws:RequestTag/Team': 'red' },
      'ForAllValues:StringEquals': { 'aws:TagKeys': ['Team'] },
    },
    allowed: () => alice.tagResource({ KeyId, Tags: [{ TagKey: 'Team', TagValue: 'red' }] }),
    denied: () =>
      alice.tagResource({
        KeyId,
        Tags: [
          { TagKey: 'Team', TagValue: 'red' },
          { TagKey: 'Other', TagValue: 'x' },
        ],
      }),
  },
};

describe('conditions of identity policies', () => {
  beforeAll(async () => {
    ({ KeyId, Arn } = await service.newKey({ Tags: [{ TagKey: 'Stage', TagValue: 'test' }] }));
    await service.kms.createAlias({ AliasName: 'alias/policies', TargetKeyId: KeyId });
  });
  test.each(Object.entries(cases))('%s', async (_, { action, condition, allowed, denied }) => {
    await allowAlice({ Action: action, Condition: condition });
    expect(await outcome(allowed())).toBe('allowed');
    expect(await outcome(denied())).toBe('denied');
  });
  test.each([
    [
      'aws:SourceIp',
      { IpAddress: { 'aws:SourceIp': '127.0.0.0/8' } },
      { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } },
    ],
    ['aws:SecureTransport', { Bool: { 'aws:SecureTransport': 'false' } }, { Bool: { 'aws:SecureTransport': 'true' } }],
    [
      'aws:CurrentTime',
      { DateLessThan: { 'aws:CurrentTime': '2100-01-01T00:00:00Z' } },
      { DateLessThan: { 'aws:CurrentTime': '2020-01-01T00:00:00Z' } },
    ],
    ['aws:username', { StringEquals: { 'aws:username': 'alice' } }, { StringEquals: { 'aws:username': 'bob' } }],
  ])('%s', async (_, holding, failing) => {
    await allowAlice({ Action: 'kms:ListKeys', Condition: holding });
    expect(await outcome(alice.listKeys({}))).toBe('allowed');
    await allowAlice({ Action: 'kms:ListKeys', Condition: failing });
    expect(await outcome(alice.listKeys({}))).toBe('denied');
  });
  test('aws:username in a Resource', async () => {
    const own = 'arn:aws:kms:*:*:alias/${aws:username}-*';
    await allowAlice({ Action: ['kms:CreateAlias'], Resource: [own, Arn] });
    expect(await outcome(alice.createAlias({ AliasName: 'alias/alice-1', TargetKeyId: KeyId }))).toBe('allowed');
    expect(await outcome(alice.createAlias({ AliasName: 'alias/bob-1', TargetKeyId: KeyId }))).toBe('denied');
  });
});

describe('key policies', () => {
  const put = (...statements: object[]) =>
    service.kms.putKeyPolicy({
      KeyId,
      Policy: policyText({ Action: 'kms:*', Principal: { AWS: userArn('administrator') } }, ...statements),
    });
  beforeAll(async () => {
    await allowAlice({ Action: 'kms:Encrypt' });
    ({ KeyId, Arn } = await service.newKey());
  });

  test('without the account in them make identity policies ineffective', async () => {
    expect(await outcome(alice.encrypt({ KeyId, Plaintext }))).toBe('allowed');
    await put();
    expect(await refusal(alice.encrypt({ KeyId, Plaintext }))).toEqual({
      name: 'AccessDeniedException',
      message: `User: ${userArn('alice')} is not authorized to perform: kms:Encrypt on resource: ${Arn} because no resource-based policy allows the kms:Encrypt action`,
    });
  });
  test('allow with conditions of their own', async () => {
    await put({
      Action: 'kms:GenerateDataKey*',
      Principal: { AWS: userArn('alice') },
      Condition: { StringEquals: { 'kms:CallerAccount': accountId, 'kms:EncryptionContext:a': 'b' } },
    });
    const KeySpec = 'AES_128';
    expect(await outcome(alice.generateDataKey({ KeyId, KeySpec, EncryptionContext: { a: 'b' } }))).toBe('allowed');
    expect(await outcome(alice.generateDataKey({ KeyId, KeySpec }))).toBe('denied');
    expect(await outcome(alice.encrypt({ KeyId, Plaintext, EncryptionContext: { a: 'b' } }))).toBe('denied');
  });
  test('lock an administrator out only where the lockout check is bypassed; then resetting the policy lets it in', async () => {
    const Policy = policyText({ Action: 'kms:*', Principal: { AWS: userArn('alice') } });
    const { KeyId: locked } = await service.newKey();
    expect(await refusal(service.kms.putKeyPolicy({ KeyId: locked, Policy }))).toEqual({
      name: 'MalformedPolicyDocumentException',
      message: 'The new key policy will not allow you to update the key policy in the future.',
    });
    await service.kms.putKeyPolicy({ KeyId: locked, Policy, BypassPolicyLockoutSafetyCheck: true });
    expect(await outcome(service.kms.describeKey({ KeyId: locked }))).toBe('denied');
    expect(await outcome(alice.describeKey({ KeyId: locked }))).toBe('allowed');
    expect(await hsmKms('reset-key-policy', '--key', locked, '--data-dir', service.dataDir)).toMatchObject({ code: 0 });
    expect(await outcome(service.kms.describeKey({ KeyId: locked }))).toBe('allowed');
    expect(await outcome(alice.describeKey({ KeyId: locked }))).toBe('denied');
  });
  test('and grants do not mean who is made later under the name of a deleted user', async () => {
    const { KeyId: named } = await service.newKey();
    const { KeyId: granted } = await service.kms
      .createKey({})
      .then(({ KeyMetadata }) => ({ KeyId: KeyMetadata?.KeyId }));
    const first = await newUser(service, 'mallory');
    const arn = userArn('mallory');
    const Policy = policyText(
      { Action: 'kms:*', Principal: { AWS: rootArn } },
      { Action: 'kms:Encrypt', Principal: { AWS: arn } },
    );
    await service.kms.putKeyPolicy({ KeyId: named, Policy });
    await service.kms.createGrant({ KeyId: granted, GranteePrincipal: arn, Operations: ['Encrypt'] });
    const encryptedBy = (client: KMS) =>
      Promise.all([named, granted].map((id) => outcome(client.encrypt({ KeyId: id, Plaintext }))));
    expect(await encryptedBy(service.newClient(first))).toEqual(['allowed', 'allowed']);

    const ofUser = ['--user-name', 'mallory'];
    await identity(service, 'delete-access-key', ...ofUser, '--access-key-id', first.accessKeyId);
    await identity(service, 'delete-user', ...ofUser);
    const second = service.newClient(await newUser(service, 'mallory'));
    expect(await encryptedBy(second)).toEqual(['denied', 'denied']);
    // set again, they name the new one
    await service.kms.putKeyPolicy({ KeyId: named, Policy });
    await service.kms.createGrant({ KeyId: granted, GranteePrincipal: arn, Operations: ['Encrypt'] });
    expect(await encryptedBy(second)).toEqual(['allowed', 'allowed']);
  });
  test('name principals who exist', async () => {
    for (const AWS of [userArn('nobody'), `arn:aws:iam::${accountId}:role/none`]) {
      expect(await refusal(put({ Principal: { AWS } }))).toEqual({
        name: 'MalformedPolicyDocumentException',
        message: 'Policy contains a statement with one or more invalid principals.',
      });
      const grant = service.kms.createGrant({ KeyId, GranteePrincipal: AWS, Operations: ['Encrypt'] });
      expect(await refusalName(grant)).toBe('InvalidArnException');
    }
  });
});

describe('a policy in the store that is not understood', () => {
  const broken =
    '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"kms:*","Resource":"*","Condition":{"StringIs":{"a":"b"}}}]}';

  test('denies everything on its key to everybody, and is told of in the log', async () => {
    const { KeyId: damaged } = await service.newKey();
    sql(service, 'update keys set policy = ? where id = ?', broken, damaged);
    expect(await refusal(service.kms.describeKey({ KeyId: damaged }))).toMatchObject({
      name: 'AccessDeniedException',
      message: expect.stringMatching(/with an explicit deny in a resource-based policy$/) as unknown,
    });
    expect(await service.logged(/"level":50.*"kind":"key".*a policy in the store is not understood/)).toHaveLength(1);
    expect(await hsmKms('reset-key-policy', '--key', damaged, '--data-dir', service.dataDir)).toMatchObject({
      code: 0,
    });
    expect(await outcome(service.kms.describeKey({ KeyId: damaged }))).toBe('allowed');
  });

  test('denies everything to its user', async () => {
    await allowAlice({ Action: 'kms:ListKeys' });
    expect(await outcome(alice.listKeys({}))).toBe('allowed');
    sql(service, 'update inline_policies set document = ? where principal_arn = ?', broken, userArn('alice'));
    expect(await outcome(alice.listKeys({}))).toBe('denied');
    expect(await service.logged(/"level":50.*"kind":"identity".*a policy in the store is not understood/)).toHaveLength(
      1,
    );
  });
});

describe('hsm-kms explain', () => {
  const ask = async (...parameters: string[]) => {
    const { code, output } = await hsmKms('explain', ...parameters, '--data-dir', service.dataDir);
    expect(code).toBe(0);
    return output;
  };
  test('names what decided, what came near, and what would have to change', async () => {
    await allowAlice({ Action: 'kms:Decrypt', Condition: { StringEquals: { 'kms:EncryptionContext:a': 'b' } } });
    ({ KeyId, Arn } = await service.newKey());
    const question = ['--principal', userArn('alice'), '--action', 'kms:decrypt', '--key', KeyId];
    const denied = await ask(...question);
    expect(denied).toContain(`DENIED: kms:Decrypt on ${Arn}`);
    expect(denied).toContain('because no identity-based policy allows the kms:Decrypt action');
    expect(denied).toContain(
      'statement 1 of the identity policy inline allows kms:Decrypt, but its conditions do not hold',
    );
    expect(denied).toContain(`aws kms create-grant --key-id ${Arn} --grantee-principal ${userArn('alice')}`);
    expect(await ask(...question, '--context', 'a=b')).toContain(
      `ALLOWED: kms:Decrypt on ${Arn}\nfor ${userArn('alice')}\ndecided by statement 1 of the identity policy inline`,
    );
    const { GrantId } = await service.kms.createGrant({
      KeyId,
      GranteePrincipal: userArn('alice'),
      Operations: ['Decrypt'],
    });
    expect(JSON.parse(await ask(...question, '--json'))).toMatchObject({
      action: 'kms:Decrypt',
      decision: { decision: 'allow', reason: 'allowed-by-grant', grantId: GrantId },
    });
  });
  test('agrees with the service', async () => {
    await allowAlice({ Action: 'kms:ListKeys', Condition: { IpAddress: { 'aws:SourceIp': '192.0.2.0/24' } } });
    const question = ['--principal', userArn('alice'), '--action', 'kms:ListKeys'];
    expect(await ask(...question)).toContain('DENIED');
    expect(await ask(...question, '--context', 'aws:SourceIp=192.0.2.7')).toContain('ALLOWED');
    expect(await outcome(alice.listKeys({}))).toBe('denied');
  });
  test.each([
    [['--action', 'kms:Explode'], 'is not an action of KMS'],
    [['--action', 'kms:Decrypt'], 'say which by --key'],
    [['--action', 'kms:Decrypt', '--key', 'alias/none'], 'is not found'],
    [['--action', 'kms:ListKeys', '--context', 'x'], 'takes key=value'],
    [['--action', 'kms:ListKeys', '--context', 'aws:Nothing=1'], 'is not a condition key'],
  ])('%j is refused with a sentence', async (parameters, sentence) => {
    const question = ['--principal', userArn('alice'), ...parameters];
    const { code, output } = await hsmKms('explain', ...question, '--data-dir', service.dataDir);
    expect({ code, lines: output.trim().split('\n').length }).toEqual({ code: 1, lines: 1 });
    expect(output).toContain(sentence);
  });
});
