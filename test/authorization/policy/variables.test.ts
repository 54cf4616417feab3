// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables look like that.
import { expect, test } from '@jest/globals';
import { parsePolicy } from '../../../src/authorization/policy/document.js';
import { evaluate } from '../../../src/authorization/policy/evaluate.js';
import { alice, type Context, context, holds, keyArn, policy, policyText, thrownBy } from './fixtures.js';

const user = { 'kms:EncryptionContext:user': 'bob' };

test.each<[string, unknown, Context, boolean]>([
  ['the value of a key', '${aws:username}', { ...user, 'aws:username': 'bob' }, true],
  ['another value', '${aws:username}', { ...user, 'aws:username': 'alice' }, false],
  ['key names ignore case', '${AWS:UserName}', { ...user, 'aws:username': 'bob' }, true],
  ['spaces around the key', '${ aws:username }', { ...user, 'aws:username': 'bob' }, true],
  ['unresolved', '${aws:username}', user, false],
  ['unresolved beside a value that matches', ['${aws:username}', 'bob'], user, true],
  ['default', "${aws:username, 'bob'}", user, true],
  ['default not used', "${aws:username, 'bob'}", { ...user, 'aws:username': 'eve' }, false],
  ['default without a space', "${aws:username,'bob'}", user, true],
  ['empty default', "bob${aws:username, ''}", user, true],
  ['default with a brace', "${aws:username, '}'}", { 'kms:EncryptionContext:user': '}' }, true],
  ['a multi-valued key is no variable', '${aws:TagKeys}', { ...user, 'aws:TagKeys': ['bob'] }, false],
  ['a multi-valued key takes the default', "${aws:TagKeys, 'bob'}", { ...user, 'aws:TagKeys': ['x'] }, true],
  ['in the middle', 'b${aws:username}b', { ...user, 'aws:username': 'o' }, true],
  ['two of them', '${aws:username}${aws:userid}', { ...user, 'aws:username': 'b', 'aws:userid': 'ob' }, true],
  ['a tag with a space', '${aws:PrincipalTag/Cost Center}', { ...user, 'aws:PrincipalTag/Cost Center': 'bob' }, true],
  ['what it stands for is not read again', '${aws:username}', { ...user, 'aws:username': '${aws:userid}' }, false],
  ['a dollar sign alone', '$', { 'kms:EncryptionContext:user': '$' }, true],
  ['${$}', '${$}{x}', { 'kms:EncryptionContext:user': '${x}' }, true],
  ['${*}', '${*}', { 'kms:EncryptionContext:user': '*' }, true],
  ['${?}', '${?}', { 'kms:EncryptionContext:user': '?' }, true],
])('StringEquals: %s', (_, value, keys, expected) => {
  expect(holds({ StringEquals: { 'kms:EncryptionContext:user': value } }, keys)).toBe(expected);
});

test.each<[string, string, string, boolean]>([
  ['${*} is an asterisk', '${*}', '*', true],
  ['${*} is nothing else', '${*}', 'x', false],
  ['${?} is a question mark', 'a${?}', 'a?', true],
  ['${?} is nothing else', 'a${?}', 'ab', false],
  ['wildcards beside a variable', '*/${aws:username}/*', 'x/*/y', true],
  ['an asterisk of the request is no wildcard', '${aws:username}', 'anything', false],
  ['nor one of a default', "${aws:userid, '*'}", 'anything', false],
])('StringLike: %s', (_, value, actual, expected) => {
  const keys = { 'kms:EncryptionContext:user': actual, 'aws:username': '*' };
  expect(holds({ StringLike: { 'kms:EncryptionContext:user': value } }, keys)).toBe(expected);
});

test.each(['StringNotEquals', 'StringNotEqualsIgnoreCase', 'StringNotLike', 'ArnNotLike', 'ArnNotEquals'])(
  '%s with an unresolved variable never widens access',
  (operator) => {
    const condition = { [operator]: { 'aws:SourceArn': 'arn:aws:s3:::${aws:username}' } };
    const keys = { 'aws:SourceArn': 'arn:aws:s3:::bob' };
    expect(holds(condition, keys, 'Allow')).toBe(false);
    expect(holds(condition, keys, 'Deny')).toBe(true);
    expect(holds(condition, { ...keys, 'aws:username': 'eve' }, 'Allow')).toBe(true);
    expect(holds(condition, { ...keys, 'aws:username': 'bob' }, 'Allow')).toBe(false);
  },
);

test.each(['2008-10-17', null])('Version %s has no variables', (version) => {
  const condition = { StringEquals: { 'aws:username': '${aws:username}' } };
  expect(holds(condition, { 'aws:username': 'bob' }, 'Allow', version)).toBe(false);
  expect(holds(condition, { 'aws:username': '${aws:username}' }, 'Allow', version)).toBe(true);
  expect(holds({ StringEquals: { 'aws:username': '${' } }, { 'aws:username': '${' }, 'Allow', version)).toBe(true);
});

test.each(['${', '${}', '${aws:username', '${aws:username,}', "${aws:username, 'x}", '${a${b}}', '${ }'])(
  'refuses %s',
  (value) => {
    expect(thrownBy(() => holds({ StringEquals: { 'aws:username': value } }))?.name).toBe(
      'MalformedPolicyDocumentException',
    );
  },
);

function covers(element: object, resource: string, keys: Context = {}, effect: 'Allow' | 'Deny' = 'Allow'): boolean {
  const { Resource: _, ...statement } = { Effect: effect, Action: 'kms:*', Resource: '*' };
  const document = parsePolicy(
    JSON.stringify({ Version: '2012-10-17', Statement: { ...statement, ...element } }),
    'identity',
  );
  const found = evaluate(document, { principal: alice, action: 'kms:Decrypt', resource, context: context(keys) });
  return (found.allow ?? found.deny) !== undefined;
}

test('a variable in Resource', () => {
  const element = { Resource: 'arn:aws:kms:*:111122223333:alias/${aws:username}-*' };
  const alias = 'arn:aws:kms:us-west-2:111122223333:alias/bob-1';
  expect(covers(element, alias, { 'aws:username': 'bob' })).toBe(true);
  expect(covers(element, alias, { 'aws:username': 'eve' })).toBe(false);
  expect(covers(element, alias, { 'aws:username': '*' })).toBe(false);
  expect(covers(element, alias)).toBe(false);
});

test('an unresolved variable in NotResource allows nothing and denies everything', () => {
  const element = { NotResource: 'arn:aws:kms:*:111122223333:alias/${aws:username}' };
  expect(covers(element, keyArn)).toBe(false);
  expect(covers(element, keyArn, {}, 'Deny')).toBe(true);
  expect(covers(element, keyArn, { 'aws:username': 'bob' })).toBe(true);
});

test.each([
  ['arn:aws:kms:${aws:RequestedRegion}:111122223333:key/*', true],
  ['arn:aws:kms:us-west-2:${aws:PrincipalAccount}:key/*', true],
  ['arn:aws:kms:us-west-2:111122223333:${aws:username}', false],
  ['arn:aws:kms:us-west-2:111122223333:key/${*}', false],
])('Resource %s is refused: %s', (value, refused) => {
  expect(thrownBy(() => policy('identity', { Resource: value })) !== undefined).toBe(refused);
});

test('a variable takes linear time', () => {
  const start = performance.now();
  thrownBy(() =>
    parsePolicy(policyText('identity', { Resource: `arn:a:b:c:d:\${${' '.repeat(200_000)}` }), 'identity'),
  );
  expect(performance.now() - start).toBeLessThan(20_000);
});
