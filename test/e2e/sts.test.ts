import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call, contentType, send } from '../service/http.js';
import { accountId, cleanEnvironment, region, Service } from '../service/service.js';
import { element, formType, post, type Signing } from '../service/sts.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service.end());

const getCallerIdentity = 'Action=GetCallerIdentity&Version=2011-06-15';
const administrator = `arn:aws:iam::${accountId}:user/administrator`;

test('tells the caller who it is', async () => {
  const { status, headers, body } = await post(service, getCallerIdentity);
  expect(status).toBe(200);
  expect(headers['content-type']).toBe('text/xml');
  expect(body).toMatch(
    /^<GetCallerIdentityResponse xmlns="https:\/\/sts\.amazonaws\.com\/doc\/2011-06-15\/"><GetCallerIdentityResult>/,
  );
  expect(element(body, 'Arn')).toBe(administrator);
  expect(element(body, 'UserId')).toMatch(/^AIDA[A-Z2-7]{16}$/);
  expect(element(body, 'Account')).toBe(accountId);
  expect(element(body, 'RequestId')).toBe(headers['x-amzn-requestid']);
});

test('takes a signature for the global endpoint', async () => {
  const elsewhere = await Service.start({ flags: ['--region', 'eu-central-1'] });
  try {
    expect((await post(elsewhere, getCallerIdentity, { region: 'us-east-1' })).status).toBe(200);
    expect((await post(elsewhere, getCallerIdentity, { region: 'eu-central-1' })).status).toBe(200);
    expect((await post(elsewhere, getCallerIdentity, { region: 'eu-west-1' })).status).toBe(403);
  } finally {
    await elsewhere.end();
  }
});

describe('refuses', () => {
  const hourAgo = new Date(Date.now() - 3_600_000);
  const unknown = { accessKeyId: 'AKIAAAAAAAAAAAAAAAAA', secretAccessKey: 'x' };
  const cases: [string, string, Signing, number, string, RegExp][] = [
    ['another action', 'Action=GetSessionToken&Version=2011-06-15', {}, 400, 'InvalidAction', /AssumeRole and Get/],
    ['another version', 'Action=GetCallerIdentity&Version=2012', {}, 400, 'InvalidAction', /2011-06-15/],
    ['no action', '', {}, 400, 'InvalidAction', /./],
    ['a scope of KMS', getCallerIdentity, { service: 'kms' }, 403, 'SignatureDoesNotMatch', /service: 'sts'\./],
    ['another Region', getCallerIdentity, { region: 'eu-west-1' }, 403, 'SignatureDoesNotMatch', /valid region/],
    ['an old signature', getCallerIdentity, { at: hourAgo }, 403, 'SignatureDoesNotMatch', /Signature expired/],
    ['an unknown key', getCallerIdentity, { credentials: unknown }, 403, 'InvalidClientTokenId', /security token/],
  ];
  test.each(cases)('%s', async (_what, body, signing, status, code, message) => {
    const answer = await post(service, body, signing);
    expect(answer.status).toBe(status);
    expect(answer.headers['content-type']).toBe('text/xml');
    expect(element(answer.body, 'Type')).toBe('Sender');
    expect(element(answer.body, 'Code')).toBe(code);
    expect(element(answer.body, 'Message')).toMatch(message);
    expect(element(answer.body, 'RequestId')).toBe(answer.headers['x-amzn-requestid']);
  });

  test('a request without a signature', async () => {
    const answer = await send(service, { headers: { 'content-type': formType }, body: getCallerIdentity });
    expect(answer.status).toBe(403);
    expect(element(answer.body, 'Code')).toBe('MissingAuthenticationToken');
  });

  test('a wrong secret, and writes XML that no header breaks', async () => {
    const { accessKeyId } = service.credentials;
    const wrong = await post(service, getCallerIdentity, { credentials: { accessKeyId, secretAccessKey: '<&">' } });
    expect(element(wrong.body, 'Code')).toBe('SignatureDoesNotMatch');
    const headers = { 'content-type': formType, authorization: 'AWS4-HMAC-SHA256 Credential=<b>&x' };
    const { body } = await send(service, { headers, body: getCallerIdentity });
    expect(body).not.toMatch(/<b>|&x/);
  });

  test('too large a body', async () => {
    const answer = await post(service, `${getCallerIdentity}&x=${'y'.repeat(2 ** 20)}`);
    expect([answer.status, element(answer.body, 'Code')]).toEqual([413, 'RequestEntityTooLarge']);
  });

  test('GET', async () => {
    const { status } = await send(service, { method: 'GET', path: `/?${getCallerIdentity}`, body: '' });
    expect(status).toBe(400);
  });
});

test('KMS refuses what is signed for STS, in its own words', async () => {
  const headers = { 'x-amz-target': 'TrentService.ListKeys' };
  const { status, body } = await post(service, '{}', { type: contentType, headers });
  expect(status).toBe(400);
  expect(JSON.parse(body)).toEqual({
    __type: 'InvalidSignatureException',
    message: "Credential should be scoped to correct service: 'kms'.",
  });
  expect((await call(service, 'ListKeys', {})).status).toBe(200);
});

test('without authentication it names the administrator who stands in', async () => {
  const open = await Service.start({ flags: ['--insecure-no-auth'] });
  try {
    const answer = await send(open, { headers: { 'content-type': formType }, body: getCallerIdentity });
    expect([answer.status, element(answer.body, 'Arn')]).toEqual([200, administrator]);
    const other = await send(open, { headers: { 'content-type': formType }, body: 'Action=GetSessionToken' });
    expect([other.status, element(other.body, 'Code')]).toEqual([400, 'InvalidAction']);
  } finally {
    await open.end();
  }
});

const hasAwsCli = (() => {
  try {
    execFileSync('aws', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    console.warn('SKIPPED: there is no AWS CLI (aws) here; sts get-caller-identity is tested with raw requests only');
    return false;
  }
})();

(hasAwsCli ? describe : describe.skip)('the AWS CLI', () => {
  const aws = (...parameters: string[]) =>
    promisify(execFile)('aws', [...parameters, '--endpoint-url', service.url, '--output', 'json'], {
      env: {
        ...cleanEnvironment(),
        AWS_SHARED_CREDENTIALS_FILE: `${service.dataDir}/credentials`,
        AWS_CONFIG_FILE: `${service.dataDir}/no-such-file`,
        AWS_REGION: region,
        AWS_MAX_ATTEMPTS: '1',
      },
    });

  test('reads who it is', async () => {
    const { stdout } = await aws('sts', 'get-caller-identity');
    expect(JSON.parse(stdout)).toEqual({
      UserId: expect.stringMatching(/^AIDA/),
      Account: accountId,
      Arn: administrator,
    });
  });

  test('reads an error', async () => {
    await expect(aws('sts', 'get-session-token')).rejects.toMatchObject({
      stderr: expect.stringContaining('(InvalidAction) when calling the GetSessionToken operation'),
    });
  });
});
