// biome-ignore-all lint/suspicious/noTemplateCurlyInString: policy variables look like that.
import { describe, expect, test } from '@jest/globals';
import { operatorNames } from '../../../src/authorization/policy/operators.js';
import { type Context, holds, type Json, thrownBy } from './fixtures.js';

/** A key that takes free text, one that is an ARN, one that is an address. */
const text = 'kms:EncryptionContext:x';

/** Operator; values in the policy; value in the request; whether it is met. */
const comparisons: readonly (readonly [string, unknown, string, boolean])[] = [
  ['StringEquals', 'a', 'a', true],
  ['StringEquals', 'a', 'A', false],
  ['StringEquals', 'a*', 'a*', true],
  ['StringEquals', 'a*', 'ab', false],
  ['StringEquals', ['a', 'b'], 'b', true],
  ['StringEquals', ['a', 'b'], 'c', false],
  ['StringEquals', '', '', true],
  ['StringEquals', '', 'a', false],
  ['StringEquals', 5, '5', true],
  ['StringEquals', true, 'true', true],
  ['StringNotEquals', 'a', 'a', false],
  ['StringNotEquals', 'a', 'A', true],
  ['StringNotEquals', ['a', 'b'], 'b', false],
  ['StringNotEquals', ['a', 'b'], 'c', true],
  ['StringEqualsIgnoreCase', 'Abc', 'aBC', true],
  ['StringEqualsIgnoreCase', 'Abc', 'abd', false],
  ['StringNotEqualsIgnoreCase', 'Abc', 'aBC', false],
  ['StringNotEqualsIgnoreCase', 'Abc', 'abd', true],
  ['StringLike', 'RSA*', 'RSA_2048', true],
  ['StringLike', 'RSA*', 'rsa_2048', false],
  ['StringLike', 'RSA_????', 'RSA_2048', true],
  ['StringLike', 'RSA_???', 'RSA_2048', false],
  ['StringLike', '*', '', true],
  ['StringLike', ['x', '*y*'], 'xyz', true],
  ['StringNotLike', 'RSA*', 'RSA_2048', false],
  ['StringNotLike', 'RSA*', 'ECC_NIST_P256', true],
  ['StringNotLike', ['x*', '*y*'], 'zyz', false],
  ['NumericEquals', '7', '7', true],
  ['NumericEquals', 7, '7', true],
  ['NumericEquals', '7.0', '7', true],
  ['NumericEquals', '-7', '7', false],
  ['NumericEquals', '7', '8', false],
  ['NumericNotEquals', '7', '7', false],
  ['NumericNotEquals', '7', '8', true],
  ['NumericNotEquals', ['7', '8'], '8', false],
  ['NumericLessThan', '7', '6', true],
  ['NumericLessThan', '7', '7', false],
  ['NumericLessThan', '10', '9', true],
  ['NumericLessThanEquals', '7', '7', true],
  ['NumericLessThanEquals', '7', '7.1', false],
  ['NumericGreaterThan', '7', '8', true],
  ['NumericGreaterThan', '7', '7', false],
  ['NumericGreaterThan', ['100', '7'], '8', true],
  ['NumericGreaterThanEquals', '7', '7', true],
  ['NumericGreaterThanEquals', '7', '6', false],
  ['DateEquals', '2020-01-01T00:00:01Z', '2020-01-01T00:00:01Z', true],
  ['DateEquals', '2020-01-01T00:00:01Z', '1577836801', true],
  ['DateEquals', '1577836801', '2020-01-01T01:00:01+01:00', true],
  ['DateEquals', '2020', '2020-01-01T00:00:00Z', true],
  ['DateEquals', '2020-02', '2020-02-01', true],
  ['DateEquals', '2020-01-01T00:00Z', '2020-01-01T00:00:00.000Z', true],
  ['DateEquals', '2020-01-01', '2020-01-02', false],
  ['DateNotEquals', '2020-01-01', '2020-01-02', true],
  ['DateNotEquals', '2020-01-01', '2020-01-01', false],
  ['DateLessThan', '2020-06-30T23:59:59Z', '2020-06-30T23:59:58Z', true],
  ['DateLessThan', '2020-06-30T23:59:59Z', '2020-06-30T23:59:59Z', false],
  ['DateLessThan', '2020-06-30T23:59:59Z', '2020-06-30T23:30:00-01:00', false],
  ['DateLessThanEquals', '2020-06-30T23:59:59Z', '2020-06-30T23:59:59Z', true],
  ['DateLessThanEquals', '2020-06-30', '2020-06-30T00:00:00.001Z', false],
  ['DateGreaterThan', '2020-04-01T00:00:00Z', '2020-04-01T00:00:01Z', true],
  ['DateGreaterThan', '2020-04-01T00:00:00Z', '2020-04-01T00:00:00Z', false],
  ['DateGreaterThanEquals', '2020-04-01T00:00:00Z', '2020-04-01T00:00:00Z', true],
  ['DateGreaterThanEquals', '2020-04-01T00:00:00Z', '2020-03-31', false],
  ['Bool', 'true', 'true', true],
  ['Bool', true, 'true', true],
  ['Bool', 'TRUE', 'true', true],
  ['Bool', 'true', 'false', false],
  ['Bool', false, 'false', true],
  ['BinaryEquals', 'QmluYXJ5VmFsdWVJbkJhc2U2NA==', 'QmluYXJ5VmFsdWVJbkJhc2U2NA==', true],
  ['BinaryEquals', 'QUJD', 'QUJE', false],
  ['IpAddress', '203.0.113.0/24', '203.0.113.255', true],
  ['IpAddress', '203.0.113.0/24', '203.0.114.0', false],
  ['IpAddress', '203.0.113.77/24', '203.0.113.1', true],
  ['IpAddress', '203.0.113.5', '203.0.113.5', true],
  ['IpAddress', '203.0.113.5', '203.0.113.4', false],
  ['IpAddress', '203.0.113.5/32', '203.0.113.4', false],
  ['IpAddress', '0.0.0.0/0', '255.255.255.255', true],
  ['IpAddress', '0.0.0.0/0', '2001:db8::1', false],
  ['IpAddress', '128.0.0.0/1', '127.255.255.255', false],
  ['IpAddress', '192.0.2.0/24', '::ffff:192.0.2.7', true],
  ['IpAddress', '::ffff:192.0.2.0/120', '192.0.2.7', true],
  ['IpAddress', ['203.0.113.0/24', '2001:DB8:1234:5678::/64'], '2001:db8:1234:5678:ffff::1', true],
  ['IpAddress', '2001:DB8:1234:5678::/64', '2001:db8:1234:5679::1', false],
  ['IpAddress', '2001:db8::/33', '2001:db8:7fff::', true],
  ['IpAddress', '2001:db8::/33', '2001:db8:8000::', false],
  ['IpAddress', '2001:db8::1', '2001:db8:0:0:0:0:0:1', true],
  ['IpAddress', '2001:db8::1', '2001:db8::2', false],
  ['IpAddress', '::/0', '2001:db8::1', true],
  ['IpAddress', '::/0', '192.0.2.1', false],
  ['IpAddress', '64:ff9b::/96', '64:ff9b::192.0.2.33', true],
  ['NotIpAddress', '203.0.113.0/24', '203.0.113.255', false],
  ['NotIpAddress', '203.0.113.0/24', '203.0.114.0', true],
  ['NotIpAddress', ['203.0.113.0/24', '203.0.114.0/24'], '203.0.114.0', false],
  ...(['ArnEquals', 'ArnLike'] as const).flatMap((operator) => [
    [operator, 'arn:aws:s3:::bucket', 'arn:aws:s3:::bucket', true] as const,
    [operator, 'arn:aws:s3:::bucket', 'arn:aws:s3:::Bucket', false] as const,
    [operator, 'arn:aws:iam::*:role/Admin*', 'arn:aws:iam::111122223333:role/Admin1', true] as const,
    [operator, 'arn:aws:iam::*:role/Admin?', 'arn:aws:iam::111122223333:role/Admin', false] as const,
    [operator, 'arn:*:*:*:*:*', 'arn:aws:s3:::bucket', true] as const,
    // The example of the IAM User Guide: a wildcard stays within its part.
    [
      operator,
      'arn:aws:someservice:*:111122223333:finance/*',
      'arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt',
      false,
    ] as const,
    [operator, 'arn:aws:logs:*:*:log-group:*', 'arn:aws:logs:us-east-1:1:log-group:a:b', true] as const,
    [operator, 'arn:aws:s3:::bucket', 'bucket', false] as const,
  ]),
  // The same pair, where a string operator matches.
  [
    'StringLike',
    'arn:aws:someservice:*:111122223333:finance/*',
    'arn:aws:someservice:us-east-2:999999999999:store/abc:111122223333:finance/document.txt',
    true,
  ],
  ['ArnNotEquals', 'arn:aws:s3:::bucket', 'arn:aws:s3:::bucket', false],
  ['ArnNotEquals', 'arn:aws:s3:::bucket*', 'arn:aws:s3:::other', true],
  ['ArnNotLike', 'arn:aws:s3:::bucket*', 'arn:aws:s3:::bucket1', false],
  ['ArnNotLike', 'arn:aws:s3:::bucket*', 'arn:aws:s3:::other', true],
];

describe.each(comparisons)('%s %j with %j: %s', (operator, values, actual, expected) => {
  test.each(['Allow', 'Deny'] as const)('%s', (effect) => {
    expect(holds({ [operator]: { [text]: values } }, { [text]: actual }, effect)).toBe(expected);
  });
  test('IfExists does not matter when the key is there', () => {
    expect(holds({ [`${operator}IfExists`]: { [text]: values } }, { [text]: actual })).toBe(expected);
  });
  test('a list of one value', () => {
    const keys = { 'aws:TagKeys': [actual] };
    for (const prefix of ['', 'ForAllValues:', 'ForAnyValue:']) {
      expect(holds({ [`${prefix}${operator}`]: { 'aws:TagKeys': values } }, keys)).toBe(expected);
    }
  });
});

test('every operator is among the comparisons, met and not met', () => {
  for (const name of operatorNames) {
    for (const expected of [true, false]) {
      expect([name, comparisons.some(([operator, , , met]) => operator === name && met === expected)]).toEqual([
        name,
        true,
      ]);
    }
  }
  expect(operatorNames).toHaveLength(26);
});

/** Per operator a value that a policy may have, two of requests, one that matches it and one that does not. */
const samples: Readonly<Record<string, readonly [policy: string, match: string, mismatch: string]>> = {
  StringEquals: ['a', 'a', 'b'],
  StringNotEquals: ['a', 'a', 'b'],
  StringEqualsIgnoreCase: ['a', 'A', 'b'],
  StringNotEqualsIgnoreCase: ['a', 'A', 'b'],
  StringLike: ['a*', 'ab', 'b'],
  StringNotLike: ['a*', 'ab', 'b'],
  NumericEquals: ['5', '5', '6'],
  NumericNotEquals: ['5', '5', '6'],
  NumericLessThan: ['5', '4', '6'],
  NumericLessThanEquals: ['5', '4', '6'],
  NumericGreaterThan: ['5', '6', '4'],
  NumericGreaterThanEquals: ['5', '6', '4'],
  DateEquals: ['2020-01-01', '2020-01-01', '2021-01-01'],
  DateNotEquals: ['2020-01-01', '2020-01-01', '2021-01-01'],
  DateLessThan: ['2020-01-01', '2019-01-01', '2021-01-01'],
  DateLessThanEquals: ['2020-01-01', '2019-01-01', '2021-01-01'],
  DateGreaterThan: ['2020-01-01', '2021-01-01', '2019-01-01'],
  DateGreaterThanEquals: ['2020-01-01', '2021-01-01', '2019-01-01'],
  Bool: ['true', 'true', 'false'],
  BinaryEquals: ['QUJD', 'QUJD', 'QUJE'],
  IpAddress: ['10.0.0.0/8', '10.1.1.1', '11.1.1.1'],
  NotIpAddress: ['10.0.0.0/8', '10.1.1.1', '11.1.1.1'],
  ArnEquals: ['arn:aws:s3:::a*', 'arn:aws:s3:::ab', 'arn:aws:s3:::b'],
  ArnLike: ['arn:aws:s3:::a*', 'arn:aws:s3:::ab', 'arn:aws:s3:::b'],
  ArnNotEquals: ['arn:aws:s3:::a*', 'arn:aws:s3:::ab', 'arn:aws:s3:::b'],
  ArnNotLike: ['arn:aws:s3:::a*', 'arn:aws:s3:::ab', 'arn:aws:s3:::b'],
};
const negatedOperators = new Set(
  'StringNotEquals StringNotEqualsIgnoreCase StringNotLike NumericNotEquals DateNotEquals NotIpAddress ArnNotEquals ArnNotLike'.split(
    ' ',
  ),
);

describe.each(operatorNames.map((name) => [name]))('%s', (name) => {
  const [value, match, mismatch] = samples[name]!;
  const negated = negatedOperators.has(name);
  const key = 'aws:TagKeys';
  const met = (prefix: string, keys: Context, suffix = '', effect: 'Allow' | 'Deny' = 'Allow') =>
    holds({ [`${prefix}${name}${suffix}`]: { [key]: value } }, keys, effect);

  // Contract, section C: the missing key, row by row.
  test.each<[string, string, boolean]>([
    ['', '', negated],
    ['', 'IfExists', true],
    ['ForAllValues:', '', true],
    ['ForAllValues:', 'IfExists', true],
    ['ForAnyValue:', '', false],
    ['ForAnyValue:', 'IfExists', false],
  ])('missing key: %s...%s is %s', (prefix, suffix, expected) => {
    for (const keys of [{}, { [key]: [] }, { [key]: undefined }]) {
      expect(met(prefix, keys, suffix)).toBe(expected);
      expect(met(prefix, keys, suffix, 'Deny')).toBe(expected);
    }
  });

  test('sets of values', () => {
    const matches = [match, match];
    const mixed = [mismatch, match];
    const mismatches = [mismatch, mismatch];
    const forAll = [matches, mixed, mismatches].map((values) => met('ForAllValues:', { [key]: values }));
    const forAny = [matches, mixed, mismatches].map((values) => met('ForAnyValue:', { [key]: values }));
    expect(forAll).toEqual(negated ? [false, false, true] : [true, false, false]);
    expect(forAny).toEqual(negated ? [false, true, true] : [true, true, false]);
  });

  test('several values without a set operator: the reading that allows less', () => {
    const values = { [key]: [match, mismatch] };
    expect(met('', values, '', 'Allow')).toBe(false);
    expect(met('', values, '', 'Deny')).toBe(true);
  });

  test('names ignore case', () => {
    const keys = { 'AWS:tagkeys': [match] };
    expect(holds({ [name.toUpperCase()]: { 'aws:TAGKEYS': value } }, keys)).toBe(!negated);
    expect(holds({ [`forallvalues:${name.toLowerCase()}ifexists`]: { 'aws:TAGKEYS': value } }, keys)).toBe(!negated);
  });
});

describe('Null', () => {
  test.each<[unknown, Context, boolean]>([
    ['true', {}, true],
    ['true', { 'aws:TokenIssueTime': '2020-01-01' }, false],
    ['false', {}, false],
    ['false', { 'aws:TokenIssueTime': '2020-01-01' }, true],
    [true, {}, true],
    [false, {}, false],
    ['TRUE', {}, true],
    [['true', 'false'], {}, true],
    ['true', { 'aws:TokenIssueTime': [] }, true],
    ['false', { 'aws:TokenIssueTime': '' }, true],
  ])('%j with %j: %s', (value, keys, expected) => {
    expect(holds({ Null: { 'aws:TokenIssueTime': value } }, keys)).toBe(expected);
    expect(holds({ Null: { 'aws:TokenIssueTime': value } }, keys, 'Deny')).toBe(expected);
  });
  test.each(['NullIfExists', 'ForAllValues:Null', 'ForAnyValue:Null'])('%s is no operator', (operator) => {
    expect(thrownBy(() => holds({ [operator]: { 'aws:username': 'true' } }))?.name).toBe(
      'MalformedPolicyDocumentException',
    );
  });
});

describe('blocks', () => {
  test.each<[string, Json, Context, boolean]>([
    ['no condition', {}, {}, true],
    ['an operator without keys', { StringEquals: {} }, {}, true],
    [
      'operators AND: both',
      { StringEquals: { 'aws:username': 'a' }, Bool: { 'aws:SecureTransport': true } },
      { 'aws:username': 'a', 'aws:SecureTransport': 'true' },
      true,
    ],
    [
      'operators AND: one',
      { StringEquals: { 'aws:username': 'a' }, Bool: { 'aws:SecureTransport': true } },
      { 'aws:username': 'a', 'aws:SecureTransport': 'false' },
      false,
    ],
    [
      'keys AND: both',
      { StringEquals: { 'aws:username': 'a', 'aws:userid': 'b' } },
      { 'aws:username': 'a', 'aws:userid': 'b' },
      true,
    ],
    [
      'keys AND: one',
      { StringEquals: { 'aws:username': 'a', 'aws:userid': 'b' } },
      { 'aws:username': 'a', 'aws:userid': 'c' },
      false,
    ],
    [
      'keys that are the same in lower case AND',
      { StringEquals: { 'aws:username': 'a', 'AWS:USERNAME': 'b' } },
      { 'aws:username': 'a' },
      false,
    ],
    ['keys of other services are absent', { StringEquals: { 's3:prefix': 'a' } }, {}, false],
    ['also with IfExists', { StringLikeIfExists: { 'ec2:InstanceType': 't1.*' } }, {}, true],
  ])('%s', (_, condition, keys, expected) => {
    expect(holds(condition, keys)).toBe(expected);
  });
  test('names of a request that differ in case only are several values', () => {
    const keys = { 'kms:EncryptionContext:AppName': 'good', 'kms:EncryptionContext:appname': 'evil' };
    expect(holds({ StringEquals: { 'kms:EncryptionContext:AppName': 'good' } }, keys)).toBe(false);
    expect(holds({ StringEquals: { 'kms:EncryptionContext:AppName': 'evil' } }, keys, 'Deny')).toBe(true);
  });
});

describe('a value of the request that is not of the type never widens access', () => {
  test.each([
    ['NumericEquals', '5', 'five'],
    ['NumericNotEquals', '5', 'five'],
    ['NumericLessThan', '5', ''],
    ['NumericLessThan', '5', '1e0'],
    ['NumericGreaterThan', '5', '0x10'],
    ['NumericEquals', '9007199254740993', '9007199254740992'],
    ['DateLessThan', '2020-01-01', 'yesterday'],
    ['DateNotEquals', '2020-01-01', '2020-02-30'],
    ['Bool', 'true', 'yes'],
    ['BinaryEquals', 'QUJD', 'not base64!'],
    ['IpAddress', '10.0.0.0/8', '10.1.1'],
    ['NotIpAddress', '10.0.0.0/8', '010.0.0.1'],
    ['NotIpAddress', 'fe80::/10', 'fe80::1%eth0'],
  ])('%s %s with %j', (operator, value, actual) => {
    const condition = { [operator]: { [text]: value } };
    // A policy value with too many digits is refused already.
    if (thrownBy(() => holds(condition))) return expect(value.length).toBeGreaterThan(15);
    expect(holds(condition, { [text]: actual }, 'Allow')).toBe(false);
    expect(holds(condition, { [text]: actual }, 'Deny')).toBe(true);
  });
});

describe('a value of the policy that is not of the type is refused', () => {
  test.each([
    ['NumericEquals', 'five'],
    ['NumericEquals', ''],
    ['NumericEquals', '1e3'],
    ['NumericEquals', 1e21],
    ['NumericEquals', '${aws:EpochTime}'],
    ['DateEquals', '2020-13-01'],
    ['DateEquals', '2020-02-30'],
    ['DateEquals', '2019-02-29'],
    ['DateEquals', '2020-01-01T24:00:00Z'],
    ['DateEquals', '2020-01-01T00:60:00Z'],
    ['DateEquals', '2020-01-01T00:00:00'],
    ['DateEquals', '2020-01-01T00:00:00+24:00'],
    ['DateEquals', '01/01/2020'],
    ['DateEquals', '2020-*'],
    ['Bool', 'yes'],
    ['Bool', ''],
    ['Bool', '${aws:SecureTransport}'],
    ['Null', 'maybe'],
    ['BinaryEquals', 'QUJ'],
    ['BinaryEquals', 'a b='],
    ['IpAddress', '*'],
    ['IpAddress', '10.0.0.0/33'],
    ['IpAddress', '10.0.0.0/-1'],
    ['IpAddress', '10.0.0.0/'],
    ['IpAddress', '10.0.0.0/8/8'],
    ['IpAddress', '10.0.0.0/08'],
    ['IpAddress', '10.0.0'],
    ['IpAddress', '2001:db8::/129'],
    ['IpAddress', '2001:db8::1::'],
    ['IpAddress', 'fe80::1%eth0'],
    ['ArnLike', '*'],
    ['ArnLike', 'arn:aws:s3'],
    ['ArnNotEquals', 'bucket'],
    ['StringEquals', null],
    ['StringEquals', {}],
    ['StringEquals', [[]]],
    ['StringNotEquals', []],
  ])('%s %j', (operator, value) => {
    const thrown = thrownBy(() => holds({ [operator]: { 'aws:username': value } }));
    expect(thrown?.name).toBe('MalformedPolicyDocumentException');
  });
  test.each(['2020-02-29', '2000-02-29', '0', '1577836800.5'])('DateEquals takes %s', (value) => {
    expect(thrownBy(() => holds({ DateEquals: { 'aws:CurrentTime': value } }))).toBeUndefined();
  });
});
