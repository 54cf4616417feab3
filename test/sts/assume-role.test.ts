import { beforeEach, describe, expect, test } from '@jest/globals';
import type { Principal, Role } from '../../src/authorization/principal.js';
import type { Session } from '../../src/authorization/sessions/session.js';
import { assumeRole } from '../../src/sts/assume-role.js';
import { QueryParameters } from '../../src/sts/query-parameters.js';
import type { Result, Sts } from '../../src/sts/sts.js';
import { account, at, factsOf, home, policy, role, sessionOf, user } from './fixtures.js';

const trustPolicy = policy('trust', { Principal: { AWS: account } });
const everything = { identityPolicies: [policy('identity', {})] };
const target = role('target', { trustPolicy, maxSessionSeconds: 7_200 });
const managedArn = `arn:aws:iam::${account}:policy/managed`;
const bob = user('bob', everything);
const firstRole = role('first', everything);

let issued: Session[];
let roles: Role[];
beforeEach(() => {
  issued = [];
  roles = [target];
});

const sts: Sts = {
  home,
  identities: {
    findRole: (arn) => roles.find((each) => each.arn === arn),
    hasManagedPolicy: async (arn) => arn === managedArn,
  },
  sessions: {
    issue: async (session) => {
      issued.push(session);
      return { accessKeyId: 'ASIA', secretAccessKey: 's', sessionToken: 't', expiration: session.expiresAt };
    },
  },
  now: () => at,
};

type Parameters = Readonly<Record<string, string>>;
const named: Parameters = { RoleArn: target.arn, RoleSessionName: 'one' };

async function assume(parameters: Parameters, principal: Principal = bob): Promise<Result> {
  const body = new URLSearchParams({ ...named, ...parameters }).toString();
  return assumeRole(sts, { ...factsOf(principal), requestId: 'r' }, new QueryParameters(body));
}

const sessionFrom = async (parameters: Parameters, principal?: Principal) => {
  await assume(parameters, principal);
  return issued.at(-1) as Session;
};

function tagParameters(tags: Readonly<Record<string, string>>, transitive: readonly string[] = []): Parameters {
  return Object.fromEntries([
    ...Object.entries(tags).flatMap(([key, value], index) => [
      [`Tags.member.${index + 1}.Key`, key],
      [`Tags.member.${index + 1}.Value`, value],
    ]),
    ...transitive.map((key, index) => [`TransitiveTagKeys.member.${index + 1}`, key]),
  ]);
}

test('answers what AWS answers', async () => {
  expect(await assume({})).toEqual({
    AssumedRoleUser: {
      AssumedRoleId: 'AROATARGET:one',
      Arn: `arn:aws:sts::${account}:assumed-role/target/one`,
    },
    Credentials: {
      AccessKeyId: 'ASIA',
      SecretAccessKey: 's',
      SessionToken: 't',
      Expiration: '2026-01-02T04:04:05Z',
    },
    PackedPolicySize: undefined,
    SourceIdentity: undefined,
  });
  expect(issued).toEqual([
    {
      roleArn: target.arn,
      roleId: 'AROATARGET',
      sessionName: 'one',
      issuedAt: new Date('2026-01-02T03:04:05Z'),
      expiresAt: new Date('2026-01-02T04:04:05Z'),
      sourceIdentity: undefined,
      tags: new Map(),
      transitiveTagKeys: [],
      policy: undefined,
      policyArns: [],
    },
  ]);
});

describe('the duration', () => {
  const seconds = ({ issuedAt, expiresAt }: Session) => (expiresAt.getTime() - issuedAt.getTime()) / 1000;

  test.each(['900', '3600', '7200'])('is %s seconds when so many are asked for', async (DurationSeconds) => {
    expect(seconds(await sessionFrom({ DurationSeconds }))).toBe(Number(DurationSeconds));
  });

  test("is the role's at the most", async () => {
    await expect(assume({ DurationSeconds: '7201' })).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.',
    });
  });

  test('is an hour at the most when the caller is a session', async () => {
    const chained = sessionOf(firstRole);
    expect(seconds(await sessionFrom({ DurationSeconds: '3600' }, chained))).toBe(3_600);
    await expect(assume({ DurationSeconds: '3601' }, chained)).rejects.toMatchObject({
      name: 'ValidationError',
      message: 'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.',
    });
  });
});

describe('session tags', () => {
  const chained = sessionOf(firstRole, {
    tags: new Map([
      ['Team', 'red'],
      ['kept', 'here'],
    ]),
    transitiveTagKeys: ['Team'],
  });

  test("are the session's, and go on when they are transitive, however their keys are spelled", async () => {
    const session = await sessionFrom(tagParameters({ Team: 'red', Cost: '' }, ['TEAM', 'team']));
    expect(session.tags).toEqual(new Map(Object.entries({ Team: 'red', Cost: '' })));
    expect(session.transitiveTagKeys).toEqual(['Team']);
  });

  test('are inherited when they are transitive, and stay so', async () => {
    const session = await sessionFrom(tagParameters({ Cost: '7' }, ['Cost']), chained);
    expect([...session.tags]).toEqual([
      ['Team', 'red'],
      ['Cost', '7'],
    ]);
    expect(session.transitiveTagKeys).toEqual(['Team', 'Cost']);
  });

  test.each(['Team', 'team'])('do not replace what is inherited: %s', async (key) => {
    await expect(assume(tagParameters({ [key]: 'blue' }), chained)).rejects.toMatchObject({
      name: 'InvalidParameterValue',
      message:
        "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.",
    });
  });

  test('are fifty at the most, with those that are inherited', async () => {
    const fifty = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`k${index}`, '']));
    expect((await sessionFrom(tagParameters(fifty))).tags.size).toBe(50);
    await expect(assume(tagParameters(fifty), chained)).rejects.toMatchObject({ name: 'InvalidParameterValue' });
  });

  test('need sts:TagSession, inherited ones too', async () => {
    roles = [role('target', { trustPolicy: policy('trust', { Principal: '*', Action: 'sts:AssumeRole' }) })];
    await assume({}, sessionOf(firstRole));
    for (const refused of [assume(tagParameters({ a: 'b' })), assume({}, chained)]) {
      await expect(refused).rejects.toMatchObject({
        name: 'AccessDenied',
        message: expect.stringMatching(/ is not authorized to perform: sts:TagSession on resource: /),
      });
    }
  });
});

describe('the source identity', () => {
  const chained = sessionOf(firstRole, { sourceIdentity: 'alice' });

  test("is the session's, and inherited", async () => {
    expect((await assume({ SourceIdentity: 'alice' })).SourceIdentity).toBe('alice');
    expect((await sessionFrom({}, chained)).sourceIdentity).toBe('alice');
    expect((await sessionFrom({ SourceIdentity: 'alice' }, chained)).sourceIdentity).toBe('alice');
  });

  test('is never changed', async () => {
    await expect(assume({ SourceIdentity: 'carol' }, chained)).rejects.toMatchObject({
      name: 'AccessDenied',
      message: expect.stringMatching(/sts:SetSourceIdentity .* cannot be changed$/),
    });
  });

  test('needs sts:SetSourceIdentity, an inherited one too', async () => {
    roles = [role('target', { trustPolicy: policy('trust', { Principal: '*', Action: 'sts:AssumeRole' }) })];
    for (const refused of [assume({ SourceIdentity: 'alice' }), assume({}, chained)]) {
      await expect(refused).rejects.toMatchObject({
        name: 'AccessDenied',
        message: expect.stringMatching(/ is not authorized to perform: sts:SetSourceIdentity on resource: /),
      });
    }
  });
});

describe('session policies', () => {
  const text = '{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"kms:Sign","Resource":"*"}}';

  test('are in the session as they were sent', async () => {
    const { PackedPolicySize } = await assume({ Policy: text, 'PolicyArns.member.1.arn': managedArn });
    expect(issued[0]).toMatchObject({ policy: text, policyArns: [managedArn] });
    expect(PackedPolicySize).toBeGreaterThan(1);
    expect(PackedPolicySize).toBeLessThan(10);
  });

  test.each([
    ['no JSON', '{', /invalid Json/],
    ['a principal', text.replace('"Action"', '"Principal":"*","Action"'), /should not specify a principal/],
    ['an unknown condition key', text.replace('}}', ',"Condition":{"Null":{"kms:Nothing":"true"}}}}'), /kms:Nothing/],
  ])('are refused with %s', async (_what, Policy, message) => {
    await expect(assume({ Policy })).rejects.toMatchObject({
      name: 'MalformedPolicyDocumentException',
      message: expect.stringMatching(message),
    });
  });

  test('of an ARN that is no managed policy here are refused', async () => {
    const arn = `${managedArn}s`;
    await expect(assume({ 'PolicyArns.member.1.arn': arn })).rejects.toMatchObject({
      name: 'ValidationError',
      message: `Policy ${arn} does not exist or is not attachable.`,
    });
  });

  test('have 2,048 characters at the most, ARNs counted', async () => {
    const full = `${text}${' '.repeat(2_048 - text.length)}`;
    await assume({ Policy: full });
    await expect(assume({ Policy: full, 'PolicyArns.member.1.arn': managedArn })).rejects.toMatchObject({
      name: 'PackedPolicyTooLarge',
      message: 'Packed policy consumes 102% of allotted space, please use smaller policy.',
    });
    await expect(assume({ Policy: `${full} ` })).rejects.toMatchObject({ name: 'ValidationException' });
  });
});

test('tags have to fit when they are packed', async () => {
  const random = () => Array.from({ length: 100 }, () => Math.random().toString(36).slice(2, 4)).join('');
  const tags = Object.fromEntries(Array.from({ length: 30 }, () => [random().slice(0, 128), random()]));
  await expect(assume(tagParameters(tags))).rejects.toMatchObject({
    name: 'PackedPolicyTooLarge',
    message: expect.stringMatching(/^Packed size of session tags consumes [1-9]\d\d% of allotted space\.$/),
  });
  expect(issued).toEqual([]);
});

test('nobody who has not the right to assume learns more than that', async () => {
  const nobody = user('nobody');
  const inquiries: Parameters[] = [
    { DurationSeconds: '43200' },
    { 'PolicyArns.member.1.arn': `${managedArn}s` },
    { RoleArn: `${target.arn}s` },
    { RoleArn: 'arn:aws:iam::444455556666:role/target' },
    { RoleArn: bob.arn },
  ];
  for (const inquiry of inquiries) {
    await expect(assume(inquiry, nobody)).rejects.toMatchObject({
      name: 'AccessDenied',
      message: `User: ${nobody.arn} is not authorized to perform: sts:AssumeRole on resource: ${inquiry.RoleArn ?? target.arn}`,
    });
  }
});
