import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, contentType, expectRefused, send, signedHeaders } from '../service/http.js';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

type Headers = Record<string, string>;
const body = '{}';
/** A request that would be answered, but for the change. */
async function changed(change: (headers: Headers) => unknown): Promise<Answer> {
  const headers = await signedHeaders(service, 'ListKeys', body);
  const other = change(headers);
  return send(service, { headers, body: typeof other === 'string' ? other : body });
}
const without =
  (...names: string[]) =>
  (headers: Headers) => {
    for (const name of names) delete headers[name];
  };
const adding = (name: string, value: string) => (headers: Headers) => {
  headers[name] = value;
};
const edit = (name: string, how: (value: string) => string) => (headers: Headers) => {
  headers[name] = how(headers[name]!);
};

test('what is signed and unchanged is answered', async () => {
  const answer = await changed(() => {});
  expect(answer.status).toBe(200);
  expect(answer.headers).toMatchObject({ 'content-type': contentType, date: expect.any(String) });
  expect(answer.headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  expect(answer.headers).not.toHaveProperty('x-powered-by');
  expect(answer.headers).not.toHaveProperty('x-hsm-kms-warning');
});

test.each<[string, (headers: Headers) => unknown, string]>([
  ['is not signed', without('authorization'), 'MissingAuthenticationTokenException'],
  ['is authorized otherwise', edit('authorization', () => 'Bearer x'), 'MissingAuthenticationTokenException'],
  ['has no date', without('x-amz-date'), 'IncompleteSignatureException'],
  [
    'has no signature',
    edit('authorization', (text) => text.replace(/, Signature=.*/, '')),
    'IncompleteSignatureException',
  ],
  [
    'has no credential',
    edit('authorization', (text) => text.replace(/Credential=[^,]+, /, '')),
    'IncompleteSignatureException',
  ],
  [
    'has another signature',
    edit('authorization', (text) => text.replace(/.$/, (digit) => (digit === '0' ? '1' : '0'))),
    'InvalidSignatureException',
  ],
  ['has another body', () => '{"Limit":1}', 'InvalidSignatureException'],
  ['has another operation', edit('x-amz-target', () => 'TrentService.CreateKey'), 'InvalidSignatureException'],
  ['has another host', edit('host', () => 'elsewhere'), 'InvalidSignatureException'],
  [
    'has another date',
    edit('x-amz-date', (date) => date.replace(/\d\dZ$/, '00Z').replace(/00Z$/, '59Z')),
    'InvalidSignatureException',
  ],
  [
    'does not sign its target',
    edit('authorization', (text) => text.replace(';x-amz-target', '')),
    'InvalidSignatureException|IncompleteSignatureException',
  ],
  [
    'has an x-amz header that is not signed',
    adding('x-amz-extra', '1'),
    'InvalidSignatureException|IncompleteSignatureException',
  ],
  [
    'is scoped to another Region',
    edit('authorization', (text) => text.replace('us-east-1', 'eu-west-1')),
    'InvalidSignatureException',
  ],
  [
    'is scoped to another service',
    edit('authorization', (text) => text.replace('/kms/', '/s3/')),
    'InvalidSignatureException',
  ],
  [
    'says that its payload is not signed',
    adding('x-amz-content-sha256', 'UNSIGNED-PAYLOAD'),
    'InvalidSignatureException',
  ],
  [
    'has a session token',
    adding('x-amz-security-token', 'x'),
    'InvalidSignatureException|IncompleteSignatureException|UnrecognizedClientException',
  ],
])('what %s is refused', async (_what, change, name) => {
  const answer = await changed(change);
  expect(expectRefused(answer).__type).toMatch(new RegExp(`^(${name})$`));
  expect(answer.status).toBe(400);
  expect(answer.headers).toHaveProperty('date');
});

describe('the SDK', () => {
  test('with an unknown access key is refused by name', async () => {
    const stranger = service.newClient({ accessKeyId: 'AKIAUNKNOWNUNKNOWN22', secretAccessKey: 'x'.repeat(40) });
    expect(await refusal(stranger.listKeys({}))).toEqual({
      name: 'UnrecognizedClientException',
      message: 'The security token included in the request is invalid.',
    });
  });

  test('with a wrong secret is refused by name', async () => {
    const { accessKeyId } = service.credentials;
    const liar = service.newClient({ accessKeyId, secretAccessKey: 'x'.repeat(40) });
    const { name, message } = await refusal(liar.listKeys({}));
    expect(name).toBe('InvalidSignatureException');
    expect(message).toMatch(/^The request signature we calculated does not match the signature you provided\./);
  });

  test('with a clock that is five minutes off corrects it by the Date header', async () => {
    for (const minutes of [-6, 6, 600]) {
      const client = service.newClient();
      client.config.systemClockOffset = minutes * 60_000;
      await refusal(client.listKeys({}));
      expect(Math.abs(client.config.systemClockOffset)).toBeLessThan(30_000);
      expect((await client.listKeys({})).Truncated).toBe(false);
    }
  });
});

test('a request that is refused for its signature does nothing', async () => {
  const before = (await service.kms.listKeys({})).Keys!.length;
  const headers = await signedHeaders(service, 'CreateKey', '{}');
  const answer = await send(service, { headers, body: '{"Description":"x"}' });
  expectRefused(answer);
  expect((await service.kms.listKeys({})).Keys).toHaveLength(before);
});
