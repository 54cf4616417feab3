import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { applyIdentities, identity, newAccessKey, policyText, putPolicy } from '../service/identities.js';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, type Credentials, Service, userArn } from '../service/service.js';
import { assumeRole, element, roleArn, sessionArn, sessionOf, sts, stsError } from '../service/sts.js';

let service: Service;
let bob: Credentials;

const trust = (AWS: string | string[], Condition?: object) => ({
  Version: '2012-10-17',
  Statement: [
    {
      Effect: 'Allow',
      Principal: { AWS },
      Action: ['sts:AssumeRole', 'sts:TagSession', 'sts:SetSourceIdentity'],
      ...(Condition && { Condition }),
    },
  ],
});
const allow = (...Action: string[]) => ({
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Action, Resource: '*' }],
});
const root = `arn:aws:iam::${accountId}:root`;

beforeAll(async () => {
  service = await Service.start({ workers: 2 });
  await applyIdentities(service, {
    policies: { listing: { document: allow('kms:ListKeys', 'kms:ListAliases') } },
    users: { bob: {} },
    roles: {
      lister: { path: '/', trustPolicy: trust(userArn('bob')), attachedPolicies: ['listing'], tags: { team: 'green' } },
      delegated: { trustPolicy: trust(root) },
      external: { trustPolicy: trust(userArn('bob'), { StringEquals: { 'sts:ExternalId': 'secret' } }) },
      chained: {
        trustPolicy: trust(roleArn('lister')),
        maxSessionDuration: 7200,
        policies: { use: allow('kms:List*') },
      },
      creator: {
        trustPolicy: trust(userArn('bob')),
        policies: { all: allow('kms:*') },
        maxSessionDuration: 43_200,
      },
    },
  });
  bob = await newAccessKey(service, 'bob');
});
afterAll(() => service?.end());

/** Clients on connections of their own, which the supervisor hands to its workers in turn. */
const ofEachWorker = async <T>(call: () => Promise<T>): Promise<T[]> => [await call(), await call()];

test('answers in the form of AWS', async () => {
  const before = Date.now();
  const { status, headers, body } = await assumeRole(service, 'lister', bob, { RoleSessionName: 'a=1,b' });
  expect([status, headers['content-type']]).toEqual([200, 'text/xml']);
  expect(body).toMatch(
    /^<AssumeRoleResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><AssumeRoleResult><AssumedRoleUser>/,
  );
  expect(element(body, 'Arn')).toBe(sessionArn('lister', 'a=1,b'));
  expect(element(body, 'AssumedRoleId')).toMatch(/^AROA[A-Z2-7]{16}:a=1,b$/);
  expect(element(body, 'AccessKeyId')).toMatch(/^ASIA[A-Z2-7]{16}$/);
  expect(element(body, 'SecretAccessKey')).toMatch(/^[A-Za-z0-9+/]{40}$/);
  expect(element(body, 'Expiration')).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
  const seconds = (Date.parse(element(body, 'Expiration') ?? '') - before) / 1000;
  expect(Math.abs(seconds - 3_600)).toBeLessThan(120);
  expect(body).not.toMatch(/PackedPolicySize|SourceIdentity/);
  expect(element(body, 'RequestId')).toBe(headers['x-amzn-requestid']);
});

describe('a session', () => {
  let session: Credentials;
  beforeAll(async () => {
    session = await sessionOf(service, 'lister', bob);
  });

  test('may do what its role may, and nothing else', async () => {
    await ofEachWorker(() => service.newClient(session).listKeys({}));
    const { name, message } = await refusal(service.newClient(session).createKey({}));
    expect(name).toBe('AccessDeniedException');
    expect(message).toBe(
      `User: ${sessionArn('lister', 'test')} is not authorized to perform: kms:CreateKey on resource: * because no identity-based policy allows the kms:CreateKey action`,
    );
    expect(await refusalName(service.newClient(bob).listKeys({}))).toBe('AccessDeniedException');
  });

  test('is told who it is', async () => {
    const { status, body } = await sts(service, 'GetCallerIdentity', {}, session);
    expect(status).toBe(200);
    expect(element(body, 'Arn')).toBe(sessionArn('lister', 'test'));
    expect(element(body, 'UserId')).toMatch(/^AROA[A-Z2-7]{16}:test$/);
    expect(element(body, 'Account')).toBe(accountId);
  });

  test('has what its role has, as soon as the role has it', async () => {
    await putPolicy(service, 'role', 'lister', 'more', { Action: 'kms:GenerateRandom' });
    await ofEachWorker(() => service.newClient(session).generateRandom({ NumberOfBytes: 1 }));
    await identity(service, 'delete-role-policy', '--role-name', 'lister', '--policy-name', 'more');
    for (const name of await ofEachWorker(() =>
      refusalName(service.newClient(session).generateRandom({ NumberOfBytes: 1 })),
    )) {
      expect(name).toBe('AccessDeniedException');
    }
  });

  test('outlives a restart: nothing of it is stored', async () => {
    await service.restart();
    await service.newClient(session).listKeys({});
  });

  test('is in no log, nor is its secret', async () => {
    await refusal(service.newClient({ ...session, accessKeyId: 'ASIAAAAAAAAAAAAAAAAA' }).listKeys({}));
    await service.logged(/request refused/);
    for (const secret of [session.sessionToken, session.secretAccessKey]) expect(service.stderr).not.toContain(secret);
  });

  test('is meant by key policies and grants, as its role and as itself', async () => {
    const ofBob = await sessionOf(service, 'lister', bob, { RoleSessionName: 'bob' });
    const statement = (AWS: string, Action: string) => ({ Effect: 'Allow', Principal: { AWS }, Action, Resource: '*' });
    const Policy = policyText(
      statement(root, 'kms:*'),
      statement(roleArn('lister'), 'kms:DescribeKey'),
      statement(sessionArn('lister', 'bob'), 'kms:Encrypt'),
    );
    const { KeyId } = await service.newKey({ Policy });
    await service.newClient(session).describeKey({ KeyId });
    const Plaintext = Buffer.from('x');
    const { CiphertextBlob } = await service.newClient(ofBob).encrypt({ KeyId, Plaintext });
    expect(await refusalName(service.newClient(session).encrypt({ KeyId, Plaintext }))).toBe('AccessDeniedException');
    const decrypt = () => service.newClient(session).decrypt({ CiphertextBlob });
    expect(await refusalName(decrypt())).toBe('AccessDeniedException');
    await service.kms.createGrant({ KeyId, GranteePrincipal: roleArn('lister'), Operations: ['Decrypt'] });
    expect((await decrypt()).Plaintext).toEqual(new Uint8Array(Plaintext));
  });
});

describe('who may assume a role', () => {
  const refused = async (role: string, credentials: Credentials, parameters = {}) => {
    const answer = await assumeRole(service, role, credentials, parameters);
    expect([answer.status, element(answer.body, 'Type')]).toEqual([403, 'Sender']);
    return stsError(answer);
  };
  const denied = (who: string, role: string, action = 'sts:AssumeRole') => ({
    code: 'AccessDenied',
    message: `User: ${who} is not authorized to perform: ${action} on resource: ${roleArn(role)}`,
  });

  test('is in the trust policy; the account root there leaves it to identity policies', async () => {
    expect(await refused('delegated', bob)).toEqual(denied(userArn('bob'), 'delegated'));
    await putPolicy(service, 'user', 'bob', 'assume', { Action: 'sts:AssumeRole', Resource: roleArn('delegated') });
    await sessionOf(service, 'delegated', bob);
    expect(await refused('delegated', bob, { SourceIdentity: 'bob' })).toEqual(
      denied(userArn('bob'), 'delegated', 'sts:SetSourceIdentity'),
    );
    await putPolicy(service, 'user', 'bob', 'assume', { Effect: 'Deny', Action: 'sts:*' });
    const { message } = await refused('lister', bob);
    expect(message).toBe(
      `${denied(userArn('bob'), 'lister').message} with an explicit deny in an identity-based policy`,
    );
    await identity(service, 'delete-user-policy', '--user-name', 'bob', '--policy-name', 'assume');
  });

  test('is not told whether a role is there', async () => {
    for (const role of ['chained', 'nothing']) expect(await refused(role, bob)).toEqual(denied(userArn('bob'), role));
  });

  test('knows the external id, where one is asked for', async () => {
    expect(await refused('external', bob)).toEqual(denied(userArn('bob'), 'external'));
    expect(await refused('external', bob, { ExternalId: 'wrong' })).toEqual(denied(userArn('bob'), 'external'));
    await sessionOf(service, 'external', bob, { ExternalId: 'secret' });
  });

  test('may be a session: an hour at the most, with what it inherits', async () => {
    const tags = { 'Tags.member.1.Key': 'team', 'Tags.member.1.Value': 'red', 'TransitiveTagKeys.member.1': 'team' };
    const first = await sessionOf(service, 'lister', bob, { ...tags, SourceIdentity: 'bob' });
    const { status, body } = await assumeRole(service, 'chained', first);
    expect([status, element(body, 'SourceIdentity')]).toEqual([200, 'bob']);
    expect(Number(element(body, 'PackedPolicySize'))).toBeGreaterThan(0);
    const tooLong = await assumeRole(service, 'chained', first, { DurationSeconds: '3601' });
    expect([tooLong.status, stsError(tooLong).code]).toEqual([400, 'ValidationError']);
    const conflict = await assumeRole(service, 'chained', first, tags);
    expect([conflict.status, stsError(conflict).code]).toEqual([400, 'InvalidParameterValue']);
  });
});

describe('a session with', () => {
  const tag = (Key: string, Value: string) => ({ 'Tags.member.1.Key': Key, 'Tags.member.1.Value': Value });

  test("tags is asked for them by policies, before its role's", async () => {
    const { KeyId } = await service.newKey({
      Policy: policyText(
        { Principal: { AWS: root } },
        {
          Principal: { AWS: roleArn('lister') },
          Action: 'kms:DescribeKey',
          Condition: { StringEquals: { 'aws:PrincipalTag/team': 'red' } },
        },
      ),
    });
    const describe = async (parameters: Readonly<Record<string, string>>) =>
      service.newClient(await sessionOf(service, 'lister', bob, parameters)).describeKey({ KeyId });
    await describe(tag('Team', 'red'));
    for (const parameters of [{}, tag('Team', 'blue'), tag('colour', 'red')]) {
      expect(await refusalName(describe(parameters))).toBe('AccessDeniedException');
    }
  });

  test('a session policy has what both allow', async () => {
    const Policy = JSON.stringify(allow('kms:ListKeys', 'kms:DescribeKey'));
    const session = await sessionOf(service, 'creator', bob, { Policy });
    const kms = service.newClient(session);
    await kms.listKeys({});
    const { message } = await refusal(kms.createKey({}));
    expect(message).toMatch(/because no session policy allows the kms:CreateKey action$/);
    const wider = {
      Policy: JSON.stringify(allow('kms:*')),
      'PolicyArns.member.1.arn': 'arn:aws:iam::aws:policy/AdministratorAccess',
    };
    const lister = service.newClient(await sessionOf(service, 'lister', bob, wider));
    await lister.listKeys({});
    expect(await refusalName(lister.createKey({}))).toBe('AccessDeniedException');
  });

  test('a managed session policy loses what that loses, and all with it', async () => {
    const arn = `arn:aws:iam::${accountId}:policy/narrow`;
    const document = ['--policy-document', policyText({ Action: 'kms:ListKeys' })];
    await identity(service, 'create-policy', '--policy-name', 'narrow', ...document);
    const kms = service.newClient(await sessionOf(service, 'creator', bob, { 'PolicyArns.member.1.arn': arn }));
    await kms.listKeys({});
    expect(await refusalName(kms.createKey({}))).toBe('AccessDeniedException');
    await identity(service, 'delete-policy', '--policy-arn', arn);
    expect(await refusalName(kms.listKeys({}))).toBe('AccessDeniedException');
    const again = await assumeRole(service, 'creator', bob, { 'PolicyArns.member.1.arn': arn });
    expect(stsError(again).code).toBe('ValidationError');
  });

  test('the largest policies and tags still fits into the headers of its requests', async () => {
    const random = (bytes: number) => randomBytes(bytes).toString('base64');
    let largest: Credentials | undefined;
    for (let count = 10; ; count++) {
      const tags = Array.from({ length: count }, (_, n) => [
        [`Tags.member.${n + 1}.Key`, random(9)],
        [`Tags.member.${n + 1}.Value`, random(60)],
      ]).flat();
      const answer = await assumeRole(service, 'lister', bob, Object.fromEntries(tags));
      if (answer.status !== 200) {
        expect(stsError(answer)).toEqual({
          code: 'PackedPolicyTooLarge',
          message: expect.stringMatching(/^Packed size of session tags consumes 10\d% of allotted space\.$/),
        });
        break;
      }
      expect(Number(element(answer.body, 'PackedPolicySize'))).toBeLessThanOrEqual(100);
      largest = {
        accessKeyId: element(answer.body, 'AccessKeyId') as string,
        secretAccessKey: element(answer.body, 'SecretAccessKey') as string,
        sessionToken: element(answer.body, 'SessionToken') as string,
      };
    }
    expect(largest?.sessionToken?.length).toBeGreaterThan(2_500);
    expect(largest?.sessionToken?.length).toBeLessThan(4_096);
    await service.newClient(largest).listKeys({});
  });
});

describe('a request is refused', () => {
  test.each([
    ['without a role', { RoleArn: '' }, 400, 'ValidationError'],
    ['with a name that is none', { RoleSessionName: '<a>&\u0001' }, 400, 'ValidationError'],
    ['with a policy that is none', { Policy: '{' }, 400, 'MalformedPolicyDocument'],
    ['with a longer policy than there may be', { Policy: ' '.repeat(2_049) }, 400, 'ValidationError'],
    ['with too long a session', { DurationSeconds: '43201' }, 400, 'ValidationError'],
    ['with a longer session than the role may have', { DurationSeconds: '3601' }, 400, 'ValidationError'],
    ['with a code of a device', { SerialNumber: 'GAHT12345678', TokenCode: '123456' }, 403, 'AccessDenied'],
  ])('%s', async (_what, parameters, status, code) => {
    const answer = await assumeRole(service, 'lister', bob, parameters);
    expect([answer.status, stsError(answer).code]).toEqual([status, code]);
    // what XML cannot hold is nowhere in it
    expect(answer.body).not.toMatch(/[^\t\n\r\u0020-\ufffd]|<a>/);
  });

  test('for what STS has and this service has not', async () => {
    const missing = ['AssumeRoleWithWebIdentity', 'AssumeRoleWithSAML', 'GetSessionToken', 'GetFederationToken'];
    for (const action of [...missing, 'GetAccessKeyInfo', 'DecodeAuthorizationMessage']) {
      const answer = await sts(service, action, {}, bob);
      expect([answer.status, stsError(answer).code]).toEqual([400, 'InvalidAction']);
      expect(stsError(answer).message).toMatch(`Could not find operation ${action}: `);
    }
  });
});
