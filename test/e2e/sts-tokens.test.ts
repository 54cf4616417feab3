import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { send, signedHeaders } from '../service/http.js';
import { applyIdentities, identity, putPolicy } from '../service/identities.js';
import { type Refusal, refusal } from '../service/refusal.js';
import { accountId, type Credentials, Service } from '../service/service.js';
import { issueSession, roleArn, sessionOf, sts, stsError } from '../service/sts.js';

let service: Service;
let administrator: Credentials;
let session: Required<Credentials>;

const trustPolicy = {
  Version: '2012-10-17',
  Statement: [{ Effect: 'Allow', Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: 'sts:AssumeRole' }],
};
const list = { Version: '2012-10-17', Statement: [{ Effect: 'Allow', Action: 'kms:List*', Resource: '*' }] };
const roles = { lister: { trustPolicy, policies: { list } }, other: { trustPolicy, policies: { list } } };

beforeAll(async () => {
  service = await Service.start();
  administrator = service.credentials;
  await applyIdentities(service, { roles });
  session = await sessionOf(service, 'lister', administrator);
});
afterAll(() => service?.end());

/** What both services say of credentials; undefined when they take them. */
async function refusals(credentials: Credentials): Promise<{ kms: Refusal; sts: ReturnType<typeof stsError> }> {
  const identityAnswer = await sts(service, 'GetCallerIdentity', {}, credentials);
  expect(identityAnswer.status).toBe(403);
  return { kms: await refusal(service.newClient(credentials).listKeys({})), sts: stsError(identityAnswer) };
}

const expectTaken = async (credentials: Credentials) => {
  expect((await sts(service, 'GetCallerIdentity', {}, credentials)).status).toBe(200);
  await service.newClient(credentials).listKeys({});
};

const invalid = {
  kms: { name: 'UnrecognizedClientException', message: 'The security token included in the request is invalid.' },
  sts: { code: 'InvalidClientTokenId', message: 'The security token included in the request is invalid.' },
};
const expired = {
  kms: { name: 'ExpiredTokenException', message: 'The security token included in the request is expired' },
  sts: { code: 'ExpiredToken', message: 'The security token included in the request is expired' },
};

describe('credentials are invalid', () => {
  const cases: [string, () => Promise<Credentials> | Credentials][] = [
    ['without their session token', () => ({ ...session, sessionToken: undefined as never })],
    [
      'with the access key id of another session',
      async () => {
        const { accessKeyId } = await sessionOf(service, 'lister', administrator);
        return { ...session, accessKeyId };
      },
    ],
    [
      'with the session token of another session',
      async () => {
        const { sessionToken } = await sessionOf(service, 'other', administrator);
        return { ...session, sessionToken };
      },
    ],
    ['of a user, with a session token', () => ({ ...administrator, sessionToken: session.sessionToken })],
    ['of a user, with a token that is none', () => ({ ...administrator, sessionToken: 'x' })],
    ['with a token from AWS', () => ({ ...session, sessionToken: 'IQoJb3JpZ2luX2VjEA//////////wEaCXVzLWVhc3QtMSJ' })],
    ['with an endless token', () => ({ ...session, sessionToken: 'A'.repeat(10_000) })],
    ['with a cut token', () => ({ ...session, sessionToken: session.sessionToken.slice(0, -4) })],
    ['with a longer token', () => ({ ...session, sessionToken: `${session.sessionToken}AAAA` })],
  ];
  test.each(cases)('%s', async (_what, credentials) => {
    expect(await refusals(await credentials())).toEqual(invalid);
  });

  test('with any character of the token changed', async () => {
    const { sessionToken } = session;
    for (let at = 0; at < sessionToken.length; at += 16) {
      const changed = `${sessionToken.slice(0, at)}${sessionToken[at] === 'x' ? 'y' : 'x'}${sessionToken.slice(at + 1)}`;
      const { code } = stsError(await sts(service, 'GetCallerIdentity', {}, { ...session, sessionToken: changed }));
      expect(code).toBe('InvalidClientTokenId');
    }
    await expectTaken(session);
  });
});

test('a wrong secret is a wrong signature, with a token that is right', async () => {
  const wrong = await refusals({ ...session, secretAccessKey: administrator.secretAccessKey });
  expect([wrong.kms.name, wrong.sts.code]).toEqual(['InvalidSignatureException', 'SignatureDoesNotMatch']);
});

test('a token has to be signed', async () => {
  const { sessionToken, ...withoutToken } = session;
  const headers = await signedHeaders(service, 'ListKeys', '{}', {}, withoutToken);
  const { status, body } = await send(service, {
    headers: { ...headers, 'x-amz-security-token': sessionToken },
    body: '{}',
  });
  expect([status, JSON.parse(body)]).toEqual([
    400,
    {
      __type: 'InvalidSignatureException',
      message: "'x-amz-security-token' must be a 'SignedHeader' in the AWS Authorization.",
    },
  ]);
});

describe('time', () => {
  const rowOfRole = async (name: string) =>
    JSON.parse(await identity(service, 'get-role', '--role-name', name)).Role as { RoleId: string };
  /** A session that began and ends so many seconds from now. */
  const sessionFrom = async (role: string, begin: number, end: number) =>
    issueSession(service, {
      ...{ roleArn: roleArn(role), roleId: (await rowOfRole(role)).RoleId, sessionName: 'timed' },
      issuedAt: new Date(Date.now() + begin * 1_000),
      expiresAt: new Date(Date.now() + end * 1_000),
    });

  test('ends a session', async () => {
    expect(await refusals(await sessionFrom('lister', -3_600, -1))).toEqual(expired);
  });

  test('is what a policy revokes sessions by', async () => {
    const old = await sessionFrom('lister', -600, 3_000);
    const recent = await sessionFrom('lister', -60, 3_000);
    await expectTaken(old);
    const before = new Date(Date.now() - 300_000).toISOString();
    // as the AWS console writes it
    await putPolicy(service, 'role', 'lister', 'AWSRevokeOlderSessions', {
      Effect: 'Deny',
      Condition: { DateLessThan: { 'aws:TokenIssueTime': before } },
    });
    const { name, message } = await refusal(service.newClient(old).listKeys({}));
    expect(name).toBe('AccessDeniedException');
    expect(message).toMatch(/with an explicit deny in an identity-based policy$/);
    await expectTaken(recent);
    await expectTaken(session);
  });
});

test('a session ends with its role, and another role of that name is another', async () => {
  const ofOther = await sessionOf(service, 'other', administrator);
  await expectTaken(ofOther);
  await identity(service, 'delete-role-policy', '--role-name', 'other', '--policy-name', 'list');
  await identity(service, 'delete-role', '--role-name', 'other');
  expect(await refusals(ofOther)).toEqual(invalid);
  await applyIdentities(service, { roles });
  expect(await refusals(ofOther)).toEqual(invalid);
  await expectTaken(await sessionOf(service, 'other', administrator));
});
