import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { type Answer, call, contentType, expectRefused, send, signedHeaders } from '../service/http.js';
import { Service } from '../service/service.js';

let service: Service;
let KeyId: string;
let supervisor: number;
let workers: number[];
beforeAll(async () => {
  service = await Service.start();
  ({ KeyId } = await service.newKey());
  supervisor = service.supervisor;
  workers = service.workers;
});
afterAll(() => service?.end());

/** Whatever was sent: the same processes answer the next request. */
afterEach(async () => {
  expect((await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') })).$metadata.httpStatusCode).toBe(200);
  expect(service.supervisor).toBe(supervisor);
  expect(service.workers).toEqual(workers);
});

describe('a signed body', () => {
  const nested = (depth: number, open: string, close: string) => open.repeat(depth) + close.repeat(depth);
  test.each<[string, string | Buffer]>([
    ['that is empty', ''],
    ['of blanks', ' \n'],
    ['that is no JSON', 'KeyId=1'],
    ['that is cut', '{"KeyId":"x"'],
    ['with a comma too many', '{"KeyId":"x",}'],
    ['in single quotes', "{'KeyId':'x'}"],
    ['with a comment', '{/* */}'],
    ['that is null', 'null'],
    ['that is a number', '1e999'],
    ['that is a string', '"{}"'],
    ['that is a truth value', 'true'],
    ['that is a list', '[]'],
    ['of two objects', '{}{}'],
    ['with a byte order mark', '\ufeff{}'],
    ['that is not UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0xfe, 0x22, 0x7d])],
    ['of UTF-8 that is too long', Buffer.from([0x7b, 0x22, 0xc0, 0xaf, 0x22, 0x3a, 0x31, 0x7d])],
    ['of zeros', Buffer.alloc(1000)],
    ['nested 100,000 lists deep', nested(100_000, '[', ']')],
    ['that opens 500,000 lists', '['.repeat(500_000)],
  ])('%s is refused', async (_what, body) => {
    expect(expectRefused(await call(service, 'Encrypt', body)).__type).toBe('SerializationException');
  });

  test.each([
    ['lists', nested(100_000, '[', ']')],
    ['objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
  ])('with %s that are nested deep in a member that nobody knows is read', async (_what, deep) => {
    const answer = await call(service, 'DescribeKey', `{"KeyId":"${KeyId}","Unheard":${deep}}`);
    expect(answer.status).toBe(200);
  });

  test.each([
    ['one megabyte and a byte', 1024 * 1024 + 1],
    ['ten megabytes', 10 * 1024 * 1024],
  ])('of %s is refused', async (_what, bytes) => {
    const answer = await call(service, 'Encrypt', Buffer.alloc(bytes, 0x20));
    expect(expectRefused(answer)).toEqual({
      __type: 'RequestEntityTooLargeException',
      message: 'The request body is larger than 1048576 bytes.',
    });
    expect(answer.status).toBe(413);
  });

  test('of exactly one megabyte is read', async () => {
    const body = `{"KeyId":"${KeyId}"}`.padEnd(1024 * 1024, ' ');
    expect((await call(service, 'DescribeKey', body)).status).toBe(200);
  });
});

describe('a member', () => {
  const encrypt = (json: string) => call(service, 'Encrypt', `{"KeyId":"${KeyId}",${json}}`);

  test.each([
    ['"Plaintext":1', 'NUMBER_VALUE can not be converted to a Blob'],
    ['"Plaintext":true', 'TRUE_VALUE can not be converted to a Blob'],
    ['"Plaintext":[]', 'Start of list found where not expected'],
    ['"Plaintext":{}', 'Start of structure or map found where not expected.'],
    ['"Plaintext":"eA==","EncryptionContext":[]', 'Start of list found where not expected'],
    ['"Plaintext":"eA==","EncryptionContext":{"a":1}', 'NUMBER_VALUE can not be converted to a String'],
    ['"Plaintext":"eA==","GrantTokens":{}', 'Start of structure or map found where not expected.'],
    ['"Plaintext":"eA==","DryRun":"true"', 'STRING_VALUE can not be converted to a Boolean'],
  ])('of the wrong type: %s', async (json, message) => {
    expect(expectRefused(await encrypt(json))).toEqual({ __type: 'SerializationException', message });
  });

  test.each(['!', 'eA', 'eA=', 'eA===', 'e A=', '=eA=', 'eB==', 'e\\nA=', '-_8=', '🔑', 'é==='])(
    'of base64 that is none: %s',
    async (text) => {
      const error = expectRefused(await encrypt(`"Plaintext":"${text}"`));
      expect(error.__type).toBe('SerializationException');
      expect(error.message).toMatch(/^STRING_VALUE can not be converted to a Blob: /);
    },
  );

  test.each(['"\\ud800"', '"a\\udfffb"', '"\\udc00\\ud800"'])('with a lone surrogate: %s', async (text) => {
    for (const context of [`{"a":${text}}`, `{${text}:"a"}`]) {
      const error = expectRefused(await encrypt(`"Plaintext":"eA==","EncryptionContext":${context}`));
      expect(error).toEqual({
        __type: 'SerializationException',
        message: 'The request body has a string that is not valid Unicode.',
      });
    }
    expectRefused(await call(service, 'DescribeKey', `{"KeyId":${text}}`));
  });

  test.each([
    ['Limit', '1e308'],
    ['Limit', '-1'],
    ['Limit', '0.5'],
    ['Limit', '-0'],
    ['Limit', '1001'],
    ['Marker', '"\\u0000"'],
    ['Marker', '"\\u2028"'],
  ])('out of its bounds: %s %s', async (name, json) => {
    const error = expectRefused(await call(service, 'ListKeys', `{"${name}":${json}}`));
    expect(error.__type).toMatch(/^(ValidationException|InvalidMarkerException)$/);
  });

  test('that is missing is named', async () => {
    expect(expectRefused(await call(service, 'Encrypt', {}))).toEqual({
      __type: 'ValidationException',
      message:
        "2 validation errors detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null; " +
        "Value null at 'plaintext' failed to satisfy constraint: Member must not be null",
    });
  });

  test('that is long is not sent back whole', async () => {
    const answer = await call(service, 'DescribeKey', { KeyId: 'x'.repeat(900_000) });
    expectRefused(answer);
    expect(answer.body.length).toBeLessThan(2_000);
  });

  test('that is secret is not sent back at all', async () => {
    const answer = await encrypt(`"Plaintext":"${Buffer.alloc(5000, 'secret').toString('base64')}"`);
    expect(expectRefused(answer).message).not.toMatch(/c2Vjc|secret/);
  });

  test('with ten thousand pairs of encryption context is served, or refused', async () => {
    const EncryptionContext = Object.fromEntries(Array.from({ length: 10_000 }, (_, i) => [`key${i}`, `${i}`]));
    const answer = await call(service, 'Encrypt', { KeyId, Plaintext: 'eA==', EncryptionContext });
    expect(answer.status).toBeLessThan(500);
  });

  test.each([
    "x' OR '1'='1",
    'x"; DROP TABLE keys; --',
    '%00',
    '{jndi:ldap://x}',
    '../../../../etc/passwd',
    '\u0000',
    `alias/${'x'.repeat(3000)}`,
  ])('that would do harm elsewhere: %j', async (text) => {
    expectRefused(await call(service, 'DescribeKey', { KeyId: text }));
  });
});

describe('a target', () => {
  const target = async (value: string | undefined): Promise<Answer> => {
    const headers = await signedHeaders(
      service,
      'ListKeys',
      '{}',
      value === undefined ? {} : { 'x-amz-target': value },
    );
    if (value === undefined) delete headers['x-amz-target'];
    return send(service, { headers, body: '{}' });
  };

  test.each([
    'TrentService.Unheard',
    'TrentService.listKeys',
    'trentservice.ListKeys',
    'TrentService',
    'TrentService.',
    'ListKeys',
    'DynamoDB_20120810.ListTables',
    'TrentService.__proto__',
    'TrentService.constructor',
    'TrentService.ListKeys,TrentService.ListKeys',
    ' ',
  ])('%j is unknown', async (value) => {
    const answer = await target(value);
    expectRefused(answer);
    expect(JSON.parse(answer.body)).toEqual({ __type: 'UnknownOperationException' });
  });

  test('that is missing is unknown', async () => {
    expect(expectRefused(await target(undefined)).__type).toBe('UnknownOperationException');
  });
});

describe('a request', () => {
  test.each(['text/plain', 'application/json', 'application/x-amz-json-1.0', 'application/cbor', ''])(
    'of content type %j is refused',
    async (type) => {
      const headers = await signedHeaders(service, 'ListKeys', '{}', { 'content-type': type });
      expectRefused(await send(service, { headers, body: '{}' }));
    },
  );

  test('of the content type with a parameter is answered', async () => {
    const answer = await call(service, 'ListKeys', {}, { 'content-type': `${contentType}; charset=utf-8` });
    expect(answer.status).toBe(200);
  });

  test.each(['GET', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND'])('by %s is refused', async (method) => {
    expect(expectRefused(await send(service, { method })).__type).toBe('UnknownOperationException');
    const headers = await signedHeaders(service, 'ListKeys', '');
    expectRefused(await send(service, { method, headers }));
  });

  test.each([
    '/keys',
    '//',
    '/?x=1',
    '/?X-Amz-Signature=1',
    '/%00',
    '/%ff',
    '/%',
    '/healthz/../../etc/passwd',
    '/..%2f..%2fetc%2fpasswd',
    '*',
    'http://elsewhere/',
    `/${'x'.repeat(4000)}`,
  ])('for %s is refused', async (path) => {
    for (const method of ['POST', 'GET']) {
      const answer = await send(service, { method, path, headers: { 'content-type': contentType } });
      expectRefused(answer);
    }
  });

  test('for the probes of operators is answered without a signature', async () => {
    for (const path of ['/healthz', '/readyz']) {
      expect((await send(service, { method: 'GET', path })).status).toBe(200);
    }
  });
});
