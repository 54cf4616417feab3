import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KmsError } from '../../src/contract/kms-error.js';
import { readAssumeRoleInput } from '../../src/sts/assume-role-input.js';
import { QueryParameters } from '../../src/sts/query-parameters.js';
import { StsError } from '../../src/sts/sts-error.js';

const RoleArn = 'arn:aws:iam::111122223333:role/path/app';
const named = { RoleArn, RoleSessionName: 'one' };
const read = (parameters: Readonly<Record<string, string>>) =>
  readAssumeRoleInput(new QueryParameters(new URLSearchParams(parameters).toString()));

test('reads everything', () => {
  const input = read({
    ...{ ...named, Policy: '{}', DurationSeconds: '900', ExternalId: 'a:/b', SourceIdentity: 'alice@example.com' },
    ...{
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/A',
      'PolicyArns.member.2.arn': 'arn:aws:iam::aws:policy/B',
    },
    // in the order of their numbers, not of their arrival
    ...{
      'Tags.member.10.Key': 'ten',
      'Tags.member.10.Value': '10',
      'Tags.member.2.Value': '',
      'Tags.member.2.Key': 'Ä b',
    },
    ...{ 'TransitiveTagKeys.member.1': 'TEN' },
  });
  expect(input).toEqual({
    ...{ roleArn: RoleArn, roleSessionName: 'one', policy: '{}', durationSeconds: 900 },
    ...{ externalId: 'a:/b', sourceIdentity: 'alice@example.com' },
    policyArns: ['arn:aws:iam::aws:policy/A', 'arn:aws:iam::aws:policy/B'],
    tags: new Map([
      ['Ä b', ''],
      ['ten', '10'],
    ]),
    transitiveTagKeys: ['ten'],
  });
});

test('ignores parameters that there are not', () => {
  const unknown = { Tags: '', 'Tags.member': 'x', 'Tags.member.x.Key': 'y', 'TagsX.member.1.Key': 'z', Nothing: '1' };
  expect(read({ ...named, ...unknown })).toMatchObject({ tags: new Map(), transitiveTagKeys: [], policyArns: [] });
});

const constraint = (at: string, value: string, text: string) =>
  `1 validation error detected: Value ${value}at '${at}' failed to satisfy constraint: Member must ${text}`;

describe('refuses what the model of STS refuses', () => {
  const table: [Readonly<Record<string, string>>, string][] = [
    [{ RoleArn }, constraint('roleSessionName', 'null ', 'not be null')],
    [{ RoleSessionName: 'one' }, constraint('roleArn', 'null ', 'not be null')],
    [{ ...named, RoleArn: 'short' }, constraint('roleArn', "'short' ", 'have length greater than or equal to 20')],
    [
      { ...named, RoleSessionName: 'Session1:2' },
      constraint('roleSessionName', "'Session1:2' ", 'satisfy regular expression pattern: [\\w+=,.@-]*'),
    ],
    [
      { ...named, RoleSessionName: 's'.repeat(65) },
      constraint('roleSessionName', `'${'s'.repeat(65)}' `, 'have length less than or equal to 64'),
    ],
    [
      { ...named, RoleSessionName: 's' },
      constraint('roleSessionName', "'s' ", 'have length greater than or equal to 2'),
    ],
    [
      { ...named, DurationSeconds: '899' },
      constraint('durationSeconds', "'899' ", 'have value greater than or equal to 900'),
    ],
    [
      { ...named, DurationSeconds: '43201' },
      constraint('durationSeconds', "'43201' ", 'have value less than or equal to 43200'),
    ],
    [{ ...named, DurationSeconds: '1h' }, constraint('durationSeconds', "'1h' ", 'be a whole number')],
    [{ ...named, ExternalId: 'x' }, constraint('externalId', "'x' ", 'have length greater than or equal to 2')],
    [
      { ...named, SourceIdentity: 'aws:x' },
      constraint('sourceIdentity', "'aws:x' ", 'satisfy regular expression pattern: [\\w+=,.@-]*'),
    ],
    [{ ...named, 'Tags.member.1.Key': 'a' }, constraint('tags.1.member.value', 'null ', 'not be null')],
    [{ ...named, 'Tags.member.1.Value': 'a' }, constraint('tags.1.member.key', 'null ', 'not be null')],
    [
      { ...named, 'Tags.member.1.Key': 'a', 'Tags.member.1.Value': '<' },
      constraint('tags.1.member.value', "'<' ", 'satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]*'),
    ],
    [
      { ...named, 'TransitiveTagKeys.member.1': '' },
      '2 validation errors detected: ' +
        "Value '' at 'transitiveTagKeys.1.member' failed to satisfy constraint: Member must have length greater than or equal to 1; " +
        "Value '' at 'transitiveTagKeys.1.member' failed to satisfy constraint: Member must satisfy regular expression pattern: [\\p{L}\\p{Z}\\p{N}_.:/=+\\-@]+",
    ],
    [
      {
        ...named,
        ...Object.fromEntries(Array.from({ length: 11 }, (_, n) => [`PolicyArns.member.${n}.arn`, RoleArn])),
      },
      constraint('policyArns', '', 'have length less than or equal to 10'),
    ],
    [
      {
        ...named,
        ...Object.fromEntries(
          Array.from({ length: 102 }, (_, n) => [`Tags.member.${n >> 1}.${n % 2 ? 'Value' : 'Key'}`, `t${n}`]),
        ),
      },
      constraint('tags', '', 'have length less than or equal to 50'),
    ],
  ];
  test.each(table)('%j', (parameters, message) => {
    expect(() => read(parameters)).toThrow(expect.objectContaining({ name: 'ValidationException', message }));
  });
});

describe('refuses, in words recorded from AWS,', () => {
  const tags = { 'Tags.member.1.Key': 'Team', 'Tags.member.1.Value': 'red' };
  test.each([
    ['what is no ARN', { RoleArn: 'nothing-valid-in-here' }, 'ValidationError', 'nothing-valid-in-here is invalid'],
    ['an ARN of nothing', { RoleArn: 'arn:a:a::aaaaaaaaaa:' }, 'ValidationError', 'arn:a:a::aaaaaaaaaa: is invalid'],
    [
      'keys that differ in case only',
      { ...tags, 'Tags.member.2.Key': 'TEAM', 'Tags.member.2.Value': '' },
      'InvalidParameterValue',
      'Duplicate tag keys found. Please note that Tag keys are case insensitive.',
    ],
    [
      'a transitive key without its tag',
      { ...tags, 'TransitiveTagKeys.member.1': 'other' },
      'InvalidParameterValue',
      'The specified transitive tag key must be included in the requested tags.',
    ],
    [
      'a device that nobody has',
      { SerialNumber: 'arn:aws:iam::111122223333:mfa/bob', TokenCode: '123456' },
      'AccessDenied',
      'MultiFactorAuthentication failed, unable to validate MFA code.  Please verify your MFA serial number is valid and associated with this user.',
    ],
  ])('%s', (_what, parameters, name, message) => {
    expect(() => read({ ...named, ...parameters })).toThrow(expect.objectContaining({ name, message }));
  });

  test("a tag of AWS's, and contexts of providers that there are not", () => {
    const reserved = { 'Tags.member.1.Key': 'AWS:x', 'Tags.member.1.Value': '' };
    expect(() => read({ ...named, ...reserved })).toThrow(/reserved/);
    const contexts = { 'ProvidedContexts.member.1.ProviderArn': 'arn:aws:iam::aws:contextProvider/IdentityCenter' };
    expect(() => read({ ...named, ...contexts })).toThrow(/no context providers/);
  });
});

test('whatever is sent is read, or refused in words of STS', () => {
  const names = [
    'RoleArn',
    'RoleSessionName',
    'Policy',
    'DurationSeconds',
    'ExternalId',
    'SourceIdentity',
    'TokenCode',
  ];
  const lists = ['Tags', 'PolicyArns', 'TransitiveTagKeys', 'ProvidedContexts'];
  const index = fc.constantFrom('0', '1', '2', '-1', '1e3', '', '999999999', '9'.repeat(20));
  const member = fc.constantFrom('', '.Key', '.Value', '.arn', '.', '.__proto__');
  const name = fc.oneof(
    fc.constantFrom(...names),
    fc.tuple(fc.constantFrom(...lists), index, member).map(([list, at, of]) => `${list}.member.${at}${of}`),
  );
  const value = fc.oneof(fc.constantFrom(...Object.values(named), '3600', '{}'), fc.string({ unit: 'binary' }));
  fc.assert(
    fc.property(fc.dictionary(name, value, { maxKeys: 8 }), (parameters) => {
      try {
        read({ ...named, ...parameters });
      } catch (error) {
        expect(error instanceof KmsError ? error.status : (error as StsError).status).toBeLessThan(500);
        expect(error instanceof KmsError || error instanceof StsError).toBe(true);
      }
    }),
    { numRuns: 1_000 },
  );
});
