import { describe, expect, test } from '@jest/globals';
import { defaultKeyPolicy } from '../../../src/authorization/policy/default-key-policy.js';
import {
  brokenPolicy,
  type PolicyKind,
  parsePolicy,
  parseStoredPolicy,
  principalsOf,
} from '../../../src/authorization/policy/document.js';
import { duplicateMember } from '../../../src/authorization/policy/json-members.js';
import { account, ask, policy, policyText, rootArn, thrownBy } from './fixtures.js';

const everyone = { Principal: '*' };

function refusal(text: string, kind: PolicyKind = 'key'): string | undefined {
  const thrown = thrownBy(() => parsePolicy(text, kind));
  if (thrown) expect(thrown.name).toBe('MalformedPolicyDocumentException');
  return thrown?.message;
}

describe('documents that are refused', () => {
  const statement = '{"Effect":"Allow","Principal":"*","Action":"kms:*","Resource":"*"}';
  test.each<[string, string]>([
    ['', 'invalid Json'],
    ['{', 'invalid Json'],
    [`{"Statement":${statement},}`, 'invalid Json'],
    [`{'Statement':${statement}}`, 'invalid Json'],
    ['null', 'Syntax errors'],
    ['[]', 'Syntax errors'],
    ['"policy"', 'Syntax errors'],
    ['{}', 'at least one statement'],
    ['{"Version":"2012-10-17"}', 'at least one statement'],
    ['{"Statement":[]}', 'at least one statement'],
    ['{"Statement":null}', 'Syntax errors'],
    ['{"Statement":["x"]}', 'Syntax errors'],
    [`{"Statement":[[${statement}]]}`, 'Syntax errors'],
    [`{"Version":"2012-10-18","Statement":${statement}}`, 'version'],
    [`{"Version":2012,"Statement":${statement}}`, 'version'],
    [`{"Version":null,"Statement":${statement}}`, 'version'],
    [`{"version":"2012-10-17","Statement":${statement}}`, 'Syntax errors'],
    [`{"Id":7,"Statement":${statement}}`, 'Id'],
    [`{"Statement":${statement},"Comment":""}`, 'Comment'],
    [`{"Statement":${statement},"__proto__":{}}`, '__proto__'],
    [`{"Statement":${statement},"Statement":${statement}}`, 'twice'],
    ['{"Statement":{"Effect":"Allow","Effect":"Deny","Principal":"*"}}', 'twice'],
    ['{"Statement":{"Effect":"Allow","\\u0045ffect":"Deny","Principal":"*"}}', 'twice'],
    ['{"Statement":{"Effect":"Deny","Principal":"*","Condition":{"Bool":{},"Bool":{}}}}', 'twice'],
    [`{"Statement":${statement.replace('kms:*', 'kms:\u0100')}}`, 'characters'],
    [`{"Statement":${statement}}\u0001`, 'characters'],
  ])('%s', (text, part) => {
    expect(refusal(text)).toContain(part);
  });
});

test('an element that stands twice in different objects is in order', () => {
  expect(duplicateMember('{"a":{"a":1},"b":[{"a":"\\"a\\":"},{"a":"a"}],"c" : ["a","a"]}')).toBeUndefined();
  expect(duplicateMember('{"a":{"a":1}, "b":2,\n"a" \n:3}')).toBe('a');
  expect(duplicateMember('{"a":"\\"","a":1}')).toBe('a');
  expect(duplicateMember('{"a":"\\\\","a":1}')).toBe('a');
});

describe('statements that are refused', () => {
  test.each<[PolicyKind, object, string]>([
    ['key', { ...everyone, Effect: 'allow' }, 'Effect'],
    ['key', { ...everyone, Effect: undefined }, 'Effect'],
    ['key', { ...everyone, Effect: ['Allow'] }, 'Effect'],
    ['key', { ...everyone, action: 'kms:*' }, 'action'],
    ['key', { ...everyone, Sid: 5 }, 'Sid'],
    ['key', { ...everyone, Sid: null }, 'Sid'],
    ['identity', { Sid: 'with a space' }, 'alpha-numeric'],
    ['key', { ...everyone, NotAction: 'kms:*', Action: 'kms:*' }, 'both Action and NotAction'],
    ['key', { ...everyone, NotResource: '*' }, 'both Resource and NotResource'],
    ['key', { ...everyone, NotPrincipal: { AWS: rootArn } }, 'both Principal and NotPrincipal'],
    ['key', {}, 'no principal'],
    ['key', { ...everyone, Action: [] }, 'Action'],
    ['key', { ...everyone, NotAction: [] }, 'NotAction'],
    ['key', { ...everyone, Resource: [] }, 'Resource'],
    ['key', { ...everyone, Action: {} }, 'Action'],
    ['key', { ...everyone, Action: [7] }, 'Action'],
    ['key', { ...everyone, Action: 'Encrypt' }, 'vendor'],
    ['key', { ...everyone, Action: '' }, 'vendor'],
    ['key', { ...everyone, Action: 'k*:Encrypt' }, 'vendor'],
    ['key', { ...everyone, Action: 'kms:' }, 'vendor'],
    ['key', { ...everyone, Action: 'kms:Encrypt, kms:Decrypt' }, 'vendor'],
    ['key', { ...everyone, Resource: 'key/1' }, 'ARN format'],
    ['key', { ...everyone, Resource: '' }, 'ARN format'],
    ['key', { ...everyone, Condition: [] }, 'Condition'],
    ['key', { ...everyone, Condition: null }, 'Condition'],
    ['key', { ...everyone, Condition: 'x' }, 'Condition'],
    ['key', { ...everyone, Condition: { StringEquals: 'x' } }, 'Condition'],
    ['key', { ...everyone, Condition: { StringMatches: { 'aws:username': 'a' } } }, 'Invalid Condition type'],
    ['key', { ...everyone, Condition: { '': { 'aws:username': 'a' } } }, 'Invalid Condition type'],
    ['key', { ...everyone, Condition: { IfExists: { 'aws:username': 'a' } } }, 'Invalid Condition type'],
    ['key', { ...everyone, Condition: { 'ForSomeValues:StringEquals': { 'aws:username': 'a' } } }, 'Condition type'],
    ['key', { ...everyone, Condition: { 'ForAllValues:ForAnyValue:StringEquals': { 'aws:username': 'a' } } }, 'type'],
    ['key', { ...everyone, Condition: { toString: { 'aws:username': 'a' } } }, 'Invalid Condition type'],
    ['key', { ...everyone, Condition: { StringEquals: { username: 'a' } } }, 'vendor'],
    ['key', { ...everyone, Condition: { StringEquals: { 'kms:KeySpek': 'a' } } }, 'condition key'],
    ['key', { ...everyone, Condition: { StringNotEquals: { 'kms:KeySpek': 'a' } } }, 'condition key'],
    ['key', { ...everyone, Condition: { StringEquals: { 'aws:user': 'a' } } }, 'condition key'],
    ['key', { ...everyone, Condition: { StringEquals: { 'aws:RequestTag/': 'a' } } }, 'condition key'],
    ['identity', { Principal: '*' }, 'should not specify a principal'],
    ['identity', { NotPrincipal: '*' }, 'should not specify a principal'],
    ['session', { Principal: '*' }, 'should not specify a principal'],
    ['identity', { Action: undefined }, 'must contain actions'],
    ['identity', { Resource: undefined }, 'must contain resources'],
    ['trust', { Action: 'sts:AssumeRole' }, 'no principal'],
    ['trust', { ...everyone, Action: undefined }, 'must contain actions'],
    ['trust', { ...everyone, Action: 'kms:*' }, 'AssumeRole'],
    ['trust', { ...everyone, Action: '*' }, 'AssumeRole'],
    ['trust', { ...everyone, Action: 'sts:AssumeRole', Resource: '*' }, 'Resource'],
  ])('%s policy: %j', (kind, statement, part) => {
    expect(refusal(policyText(kind, statement as never), kind)).toContain(part);
  });

  test('Sids have to differ, empty ones not', () => {
    const sid = (Sid: string) => ({ ...everyone, Sid });
    expect(refusal(policyText('key', sid('a'), sid('b'), sid('a')))).toContain('unique');
    expect(refusal(policyText('key', sid('a'), sid('A'), sid(''), sid('')))).toBeUndefined();
  });
});

test('a refusal does not repeat a long document', () => {
  expect(refusal(policyText('key', { ...everyone, Resource: 'x'.repeat(20_000) }))?.length).toBeLessThan(600);
});

describe('OverlyPermissiveCondition', () => {
  test.each([
    ['kms:EncryptionContext:Department', 'encryption context'],
    ['KMS:encryptioncontext:Department', 'encryption context'],
    ['aws:RequestTag/Project', 'tag'],
  ])('ForAllValues with %s', (key, what) => {
    const condition = { 'ForAllValues:StringEquals': { [key]: 'IT' } };
    expect(refusal(policyText('key', { ...everyone, Condition: condition }))).toBe(
      `OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified ${what} or with an unspecified ${what}. To fix, remove ForAllValues.`,
    );
    expect(refusal(policyText('identity', { Condition: condition }), 'identity')).toBeUndefined();
    const any = { 'ForAnyValue:StringEquals': { [key]: 'IT' } };
    expect(refusal(policyText('key', { ...everyone, Condition: any }))).toBeUndefined();
  });
  test.each(['kms:EncryptionContextKeys', 'aws:TagKeys'])('not with %s', (key) => {
    const condition = { 'ForAllValues:StringEquals': { [key]: 'IT' } };
    expect(refusal(policyText('key', { ...everyone, Condition: condition }))).toBeUndefined();
  });
});

describe('principals', () => {
  test.each<[unknown]>([
    ['*'],
    [{ AWS: '*' }],
    [{ AWS: ['*'] }],
    [{ AWS: '111122223333' }],
    [{ AWS: 'arn:aws:iam::111122223333:root' }],
    [{ AWS: 'arn:aws-cn:iam::111122223333:root' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/alice' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/division/team/alice+x=1,2.@_-' }],
    [{ AWS: 'arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/Role' }],
    [{ AWS: 'arn:aws:sts::111122223333:assumed-role/Role/session@example.com' }],
    [{ AWS: 'arn:aws:sts::111122223333:federated-user/carol' }],
    [{ AWS: ['arn:aws:iam::111122223333:user/a', '444455556666'], Service: 'ec2.amazonaws.com' }],
    [{ Service: ['logs.us-west-2.amazonaws.com', 'dnssec-route53.amazonaws.com'] }],
    [{ Federated: 'arn:aws:iam::111122223333:saml-provider/idp' }],
    [{ Federated: 'cognito-identity.amazonaws.com' }],
    [{ CanonicalUser: '79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be' }],
  ])('takes %j', (principal) => {
    expect(refusal(policyText('key', { Principal: principal }))).toBeUndefined();
    expect(refusal(policyText('key', { NotPrincipal: principal, Effect: 'Deny' }))).toBeUndefined();
  });

  test.each<[unknown]>([
    [null],
    [7],
    [[]],
    [['*']],
    ['arn:aws:iam::111122223333:root'],
    [{}],
    [{ AWS: [] }],
    [{ AWS: null }],
    [{ AWS: [['*']] }],
    [{ aws: '*' }],
    [{ AWS: '' }],
    [{ AWS: '11112222333' }],
    [{ AWS: '1111222233334' }],
    [{ AWS: 'alice' }],
    [{ AWS: 'AIDACKCEVSQ6C2EXAMPLE' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/*' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/ali?e' }],
    [{ AWS: 'arn:aws:iam::*:root' }],
    [{ AWS: 'arn:aws:iam::111122223333:*' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/' }],
    [{ AWS: 'arn:aws:iam::111122223333:group/Developers' }],
    [{ AWS: 'arn:aws:iam::111122223333:policy/P' }],
    [{ AWS: 'arn:aws:iam:us-east-1:111122223333:user/alice' }],
    [{ AWS: 'arn:aws:sts::111122223333:assumed-role/Role' }],
    [{ AWS: 'arn:aws:sts::111122223333:assumed-role/Role/*' }],
    [{ AWS: 'arn:aws:s3:::bucket' }],
    [{ AWS: 'arn:aws:iam::111122223333:user/a b' }],
    [{ AWS: ' arn:aws:iam::111122223333:user/alice' }],
    [{ AWS: ['arn:aws:iam::111122223333:user/alice', 'x'] }],
    [{ Service: '*' }],
    [{ Service: 'ec2' }],
    [{ Federated: '*' }],
    [{ CanonicalUser: 'x' }],
    [{ Organization: 'o-1' }],
    [{ AWS: '*', constructor: '*' }],
  ])('refuses %j', (principal) => {
    const message = 'Policy contains a statement with one or more invalid principals.';
    expect(refusal(policyText('key', { Principal: principal }))).toBe(message);
    expect(refusal(policyText('key', { NotPrincipal: principal, Effect: 'Deny' }))).toBe(message);
  });

  test('are listed, accounts as their root', () => {
    const text = policyText(
      'key',
      { Principal: { AWS: ['444455556666', 'arn:aws:iam::111122223333:user/alice'] } },
      { NotPrincipal: { AWS: rootArn, Service: 'ec2.amazonaws.com' }, Effect: 'Deny' },
      { Principal: '*' },
    );
    const all = ['arn:aws:iam::444455556666:root', 'arn:aws:iam::111122223333:user/alice', rootArn];
    expect([...principalsOf(parsePolicy(text, 'key'))].sort()).toEqual([...all].sort());
  });
});

describe('size of a key policy', () => {
  const base = policyText('key', { ...everyone, Sid: '' });
  const ofBytes = (bytes: number) => base.replace('"Sid":""', `"Sid":"${'x'.repeat(bytes - base.length)}"`);
  test('32,768 bytes are taken, one more is too much', () => {
    expect(thrownBy(() => parsePolicy(ofBytes(32_768), 'key'))).toBeUndefined();
    expect(thrownBy(() => parsePolicy(ofBytes(32_769), 'key'))?.name).toBe('LimitExceededException');
  });
  test('bytes, not characters, are counted', () => {
    const text = ofBytes(32_768).replace('xx', 'é\u00ff');
    expect(thrownBy(() => parsePolicy(text, 'key'))?.name).toBe('LimitExceededException');
  });
});

test('a missing Action or Resource in a key policy is taken and has no effect', () => {
  for (const missing of [{ Action: undefined }, { Resource: undefined }]) {
    expect(ask({ key: policy('key', { ...everyone, ...missing }) }).decision).toBe('deny');
    const key = policy('key', everyone, { ...everyone, ...missing, Effect: 'Deny' });
    expect(ask({ key }).decision).toBe('allow');
  }
});

test('a Statement may be an object, and its elements strings or lists', () => {
  const one = '{"Statement":{"Sid":"a b","Effect":"Allow","Principal":"*","Action":["kms:*"],"Resource":["*"]}}';
  expect(ask({ key: parsePolicy(one, 'key') }).decision).toBe('allow');
});

test('the default key policy is what AWS returns', () => {
  const text = defaultKeyPolicy(account);
  expect(JSON.parse(text)).toEqual({
    Version: '2012-10-17',
    Id: 'key-default-1',
    Statement: [
      {
        Sid: 'Enable IAM User Permissions',
        Effect: 'Allow',
        Principal: { AWS: 'arn:aws:iam::111122223333:root' },
        Action: 'kms:*',
        Resource: '*',
      },
    ],
  });
  const parsed = parsePolicy(text, 'key');
  expect(parsed.id).toBe('key-default-1');
  expect(principalsOf(parsed)).toEqual([rootArn]);
});

describe('policies in the store', () => {
  test('one that is understood is used', () => {
    const parsed = parseStoredPolicy(policyText('key', everyone), 'key');
    expect(parsed.broken).toBeUndefined();
    expect(ask({ key: parsed }).decision).toBe('allow');
  });

  test.each(['', '{}', '{"Statement":{"Effect":"Permit"}}', policyText('key', {}), 'x'.repeat(40_000)])(
    'one that is broken denies everything, and says so: %.40s',
    (text) => {
      const broken = parseStoredPolicy(text, 'key');
      expect(broken.broken).toBeTruthy();
      const administrator = policy('identity', { Action: '*' });
      const decision = ask({ key: broken, identityPolicies: [administrator] });
      expect(decision).toMatchObject({ decision: 'deny', reason: 'broken-key-policy', broken: broken.broken });
      expect(decision.message).toBe('with an explicit deny in a resource-based policy');
    },
  );

  test('a broken policy of an identity denies it everything', () => {
    const identityPolicies = [policy('identity', {}), brokenPolicy('hand edit', 'identity')];
    expect(ask({ operation: 'ListKeys', identityPolicies })).toMatchObject({
      decision: 'deny',
      reason: 'broken-identity-policy',
      broken: 'hand edit',
      policy: { sort: 'identity-policy', index: 1 },
    });
  });
});
