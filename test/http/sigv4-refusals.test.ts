import { createHash } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KmsError, type KmsErrorName } from '../../src/contract/kms-error.js';
import { SigningKeyCache } from '../../src/http/sigv4/signing-key.js';
import type { AccessKey } from '../../src/http/sigv4/verifier.js';
import {
  adding,
  BODY,
  expectRefused,
  HEADERS,
  header,
  ID,
  MISMATCH,
  NOW,
  refusal,
  SECRET,
  sign,
  signLines,
  verifier,
  verify,
  withHeader,
  withoutHeader,
} from './sigv4-requests.js';

describe('what is refused, in the words of AWS', () => {
  test('nothing to authenticate', async () => {
    for (const rawHeaders of [[], ['Authorization', ''], ['Authorization', 'Bearer abc'], ['authorization', 'aws4-']]) {
      const request = { method: 'POST', url: '/', rawHeaders, body: BODY };
      await expectRefused(verify(request), 'MissingAuthenticationTokenException', /^Missing Authentication Token$/);
    }
  });

  test.each([
    [
      'AWS4-HMAC-SHA256',
      "Authorization header requires 'Credential' parameter. Authorization header requires 'Signature' parameter. " +
        "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either " +
        "a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=",
    ],
    [
      'AWS4-HMAC-SHA256 Credential=a, Signature=s3cr3t',
      "Authorization header requires 'SignedHeaders' parameter. Authorization header requires existence of either " +
        "a 'X-Amz-Date' or a 'Date' header. (Hashed with SHA-256 and encoded with Base64) Authorization=",
    ],
    [
      'AWS4-HMAC-SHA256 Credential, Signature=s3cr3t',
      'Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with ' +
        "Base64): '",
    ],
  ])('%s', async (authorization, message) => {
    const request = { method: 'POST', url: '/', rawHeaders: ['Authorization', authorization], body: BODY };
    const error = await refusal(verify(request));
    expect(error.name).toBe('IncompleteSignatureException');
    const digest = createHash('sha256').update(authorization).digest('base64');
    expect(error.clientMessage).toBe(`${message}${digest}${message.endsWith("'") ? "'." : ''}`);
  });

  test.each<[string, (authorization: string) => string, KmsErrorName, string | RegExp]>([
    [
      'SigV4A',
      (text) => text.replace('AWS4-HMAC-SHA256', 'AWS4-ECDSA-P256-SHA256'),
      'IncompleteSignatureException',
      "Unsupported AWS 'algorithm' (only AWS4-HMAC-SHA256 for now).",
    ],
    [
      'a credential of four parts',
      (text) => text.replace('/aws4_request', ''),
      'IncompleteSignatureException',
      /^Credential must have exactly 5 slash-delimited elements, e\.g\. keyid\/date\/region\/service\/term\.$/,
    ],
    [
      'a credential of six parts',
      (text) => text.replace('/aws4_request', '/aws4_request/'),
      'IncompleteSignatureException',
      'exactly 5',
    ],
    ['a parameter twice', (text) => `${text}, Credential=a`, 'IncompleteSignatureException', 'once each'],
    ['a parameter too many', (text) => `${text}, Foo=a`, 'IncompleteSignatureException', 'once each'],
    ['no signature', (text) => text.replace(/Signature=.*/, 'Signature='), 'IncompleteSignatureException', 'Signature'],
    [
      'another Region',
      (text) => text.replace('us-east-1', 'us-west-2'),
      'InvalidSignatureException',
      /^Credential should be scoped to a valid region\.$/,
    ],
    [
      'another service',
      (text) => text.replace('/kms/', '/s3/'),
      'InvalidSignatureException',
      /^Credential should be scoped to correct service: 'kms'\.$/,
    ],
    [
      'another terminator',
      (text) => text.replace('aws4_request', 'aws5_request'),
      'InvalidSignatureException',
      /^Credential should be scoped with a valid terminator: 'aws4_request'\.$/,
    ],
    [
      'another day',
      (text) => text.replace('20150830', '20150831'),
      'InvalidSignatureException',
      /^Date in Credential scope .* date from HTTP: '20150831' != '20150830', from '20150830T123600Z'\.$/,
    ],
    [
      'all of it',
      (text) => text.replace(/Credential=[^,]+/, `Credential=${ID}/b/c/d/e`),
      'InvalidSignatureException',
      /^Credential should .* region\. Credential .* service: 'kms'\. Credential .* terminator.*\. Date in .*\.$/,
    ],
    [
      'an upper-case signature',
      (text) => text.replace(/[^=]+$/, (hex) => hex.toUpperCase()),
      'InvalidSignatureException',
      MISMATCH,
    ],
    ['a short signature', (text) => text.slice(0, -1), 'InvalidSignatureException', MISMATCH],
    ['a long signature', (text) => `${text}0`, 'InvalidSignatureException', MISMATCH],
    [
      'Host unsigned',
      (text) => text.replace('host;', ''),
      'InvalidSignatureException',
      /^'Host' or ':authority' must be a 'SignedHeader' in the AWS Authorization\.$/,
    ],
    ['the target unsigned', (text) => text.replace(';x-amz-target', ''), 'InvalidSignatureException', "'x-amz-target'"],
    ['the date unsigned', (text) => text.replace(';x-amz-date', ''), 'InvalidSignatureException', "'x-amz-date' must"],
    ...['host;host', 'Host', 'host;', ';host', 'host; x', 'x-amz-date;host', 'host;nowhere', 'host;__proto__'].map(
      (names): [string, (text: string) => string, KmsErrorName, string] => [
        `SignedHeaders=${names}`,
        (text) => text.replace(/SignedHeaders=[^,]+/, `SignedHeaders=${names}`),
        'InvalidSignatureException',
        'lower case, sorted, each once',
      ],
    ),
  ])('%s', async (_name, change, name, message) => {
    const request = await sign();
    const changed = withHeader(request, 'authorization', change);
    expect(changed).not.toEqual(request);
    await expectRefused(verify(changed), name, message);
  });

  test.each([
    [301, 'Signature expired: 20150830T123600Z is now earlier than 20150830T123601Z (20150830T124101Z - 5 min.)'],
    [
      -301,
      'Signature not yet current: 20150830T123600Z is still later than 20150830T123559Z (20150830T123059Z + 5 min.)',
    ],
    [86_400, 'Signature expired: 20150830T123600Z is now earlier than 20150831T123100Z (20150831T123600Z - 5 min.)'],
  ])('a clock that is %d seconds ahead', async (seconds, message) => {
    const error = await refusal(verify(await sign(), { clock: () => NOW + seconds * 1000 }));
    expect(error.name).toBe('InvalidSignatureException');
    expect(error.clientMessage).toBe(message);
  });

  test.each([
    '',
    '201',
    '20150830T123600',
    '20150230T123600Z',
    '20151330T123600Z',
    '20150830T250000Z',
    'Sun, 30 Aug 2015 12:36:00 GMT',
  ])('X-Amz-Date: %s', async (date) => {
    const request = withHeader(await sign(), 'x-amz-date', () => date);
    const error = await refusal(verify(request));
    expect(error.name).toBe('IncompleteSignatureException');
    expect(error.clientMessage).toBe(
      `Date must be in ISO-8601 'basic format'. Got '${date}'. See http://en.wikipedia.org/wiki/ISO_8601`,
    );
  });

  test.each(['Sun, 30 Aug 2015 12:36:00 CET', 'Mon, 30 Aug 2015 12:36:00 GMT', '2015-08-30T12:36:00Z', '1440938160'])(
    'Date: %s',
    async (date) => {
      const request = await signLines([`date:${date}`, 'host:h'], ['Host', 'h', 'Date', date]);
      await expectRefused(verify(request), 'IncompleteSignatureException', 'Date must be in');
    },
  );

  test('a signature in the query', async () => {
    const request = await sign();
    const url = '/?X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Signature=00';
    await expectRefused(
      verify({ ...request, url }),
      'InvalidSignatureException',
      /^Found both 'X-Amz-Algorithm' as a query-string param and 'Authorization' as HTTP header\.$/,
    );
    const presigned = withoutHeader(request, 'authorization');
    await expectRefused(verify({ ...presigned, url }), 'IncompleteSignatureException', 'Presigned');
    await expectRefused(verify({ ...presigned, url: '/?a' }), 'MissingAuthenticationTokenException', 'Missing');
  });

  test.each(['/?a=b', '/?', '//', '/a', '', '*', 'http://kms.example.com/'])('the request target %p', async (url) => {
    await expectRefused(verify({ ...(await sign()), url }), 'InvalidSignatureException', "path '/'");
  });
});

describe('access keys', () => {
  const UNRECOGNIZED = /^The security token included in the request is invalid\.$/;

  test('one that does not exist, whether its signature would be right or not', async () => {
    const nobody = { findAccessKey: () => undefined };
    const request = await sign();
    await expectRefused(verify(request, nobody), 'UnrecognizedClientException', UNRECOGNIZED);
    const wrong = await sign(HEADERS, BODY, { secret: 'wrong' });
    await expectRefused(verify(wrong, nobody), 'UnrecognizedClientException', UNRECOGNIZED);
    await expectRefused(verify(wrong), 'InvalidSignatureException', MISMATCH);
  });

  test('ids that are none are not looked up', async () => {
    const asked: string[] = [];
    const findAccessKey = (id: string) => {
      asked.push(id);
      return undefined;
    };
    for (const id of ['', 'a b', 'a'.repeat(129), 'a\u00e9', "'"]) {
      const request = withHeader(await sign(), 'authorization', (text) => text.replace(ID, id));
      await expectRefused(verify(request, { findAccessKey }), 'UnrecognizedClientException', UNRECOGNIZED);
    }
    expect(asked).toEqual([]);
  });

  test('a record with an empty secret is no record', async () => {
    const lines = ['host:h', 'x-amz-date:20150830T123600Z'];
    const request = await signLines(lines, ['Host', 'h', 'X-Amz-Date', '20150830T123600Z']);
    const findAccessKey = () => ({ secretAccessKey: Buffer.alloc(0) });
    await expectRefused(verify(request, { findAccessKey }), 'UnrecognizedClientException', UNRECOGNIZED);
  });

  test('a session token goes to the lookup, and only with a temporary key', async () => {
    const longTerm = { secretAccessKey: Buffer.from(SECRET) };
    const temporary = { ...longTerm, temporary: true };
    const withToken = await sign(HEADERS, BODY, { sessionToken: 'token' });
    const tokens: unknown[] = [];
    const finding = (accessKey: AccessKey) => ({
      findAccessKey: (_id: string, token: string | undefined) => {
        tokens.push(token);
        return accessKey;
      },
    });
    await expect(verify(withToken, finding(temporary))).resolves.toMatchObject({ accessKey: temporary });
    await expectRefused(verify(withToken, finding(longTerm)), 'UnrecognizedClientException', UNRECOGNIZED);
    await expectRefused(verify(await sign(), finding(temporary)), 'UnrecognizedClientException', UNRECOGNIZED);
    expect(tokens).toEqual(['token', 'token', undefined]);
    const stripped = withoutHeader(withToken, 'x-amz-security-token');
    await expectRefused(verify(stripped, finding(longTerm)), 'InvalidSignatureException', 'SignedHeaders');
    const swapped = withHeader(withToken, 'x-amz-security-token', () => 'other');
    await expectRefused(verify(swapped, finding(temporary)), 'InvalidSignatureException', MISMATCH);
    const empty = await signLines(
      ['host:h', 'x-amz-date:20150830T123600Z', 'x-amz-security-token:'],
      ['Host', 'h', 'X-Amz-Date', '20150830T123600Z', 'X-Amz-Security-Token', ''],
    );
    await expectRefused(verify(empty, finding(longTerm)), 'UnrecognizedClientException', UNRECOGNIZED);
  });

  test('a failure of the lookup is the failure of the request', async () => {
    const findAccessKey = () => Promise.reject(new Error('store is gone'));
    await expect(verify(await sign(), { findAccessKey })).rejects.toThrow('store is gone');
  });

  test('a secret that changes takes its signing keys with it', async () => {
    let accessKey = { secretAccessKey: Buffer.from(SECRET) };
    const one = verifier({ findAccessKey: () => accessKey });
    const old = await sign();
    const fresh = await sign(HEADERS, BODY, { secret: 'fresh' });
    await expect(one.verify(old, BODY)).resolves.toBeDefined();
    await expectRefused(one.verify(fresh, BODY), 'InvalidSignatureException', MISMATCH);
    accessKey = { secretAccessKey: Buffer.from('fresh') };
    await expect(one.verify(fresh, BODY)).resolves.toBeDefined();
    await expectRefused(one.verify(old, BODY), 'InvalidSignatureException', MISMATCH);
  });

  test('signing keys are derived once per scope and secret, and not kept for ever', () => {
    const cache = new SigningKeyCache(2);
    const secret = Buffer.from(SECRET);
    const get = (day: string, of = secret) => cache.get(of, day, 'us-east-1', 'kms');
    const first = get('20150830');
    expect(get('20150830')).toBe(first);
    expect(get('20150830', Buffer.from(SECRET))).not.toBe(first);
    expect(get('20150831')).not.toBe(first);
    expect(get('20150830')).toBe(first);
    get('20150901');
    const again = get('20150830');
    expect(again).not.toBe(first);
    expect(again.equals(first)).toBe(true);
  });
});

describe('garbage', () => {
  test('is a KmsError, and is not echoed', async () => {
    const piece = fc.oneof(
      fc.constantFrom(
        ...['AWS4-HMAC-SHA256', ' ', ',', '=', ';', '/', 'Credential=', 'SignedHeaders=', 'Signature=', 'host'],
        ...[`${ID}/20150830/us-east-1/kms/aws4_request`, '__proto__', 'constructor', '\t', '0'.repeat(64)],
      ),
      fc.string({ maxLength: 8, unit: 'binary-ascii' }),
    );
    const request = await sign();
    const list = fc.array(piece, { maxLength: 14 }).map((pieces) => pieces.join(''));
    await fc.assert(
      fc.asyncProperty(list, fc.boolean(), async (text, prefix) => {
        const value = `${prefix ? 'AWS4-HMAC-SHA256 ' : ''}${text}n3v3r-3ch0`;
        const error = await refusal(verify(withHeader(request, 'authorization', () => value)));
        expect(error.status).toBe(400);
        expect(error.message).not.toContain('n3v3r-3ch0');
      }),
      { numRuns: 500 },
    );
  });

  test('in every header and in the request line is a KmsError', async () => {
    const latin1 = fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)) });
    const name = fc.oneof(
      fc.constantFrom('host', 'x-amz-date', 'date', '__proto__', 'constructor', 'x-amz-security-token'),
      latin1,
    );
    const authorization = ['Authorization', header(await sign(), 'authorization')];
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(name, latin1)), latin1, fc.boolean(), async (pairs, url, root) => {
        const rawHeaders = [...authorization, ...pairs.flat()];
        await refusal(verify({ method: 'POST', url: root ? '/' : url, rawHeaders, body: BODY }));
      }),
      { numRuns: 300 },
    );
  });

  test('costs linear time', async () => {
    const request = await sign();
    const size = 500_000;
    const long = (name: string, text: string) => withHeader(request, name, (value) => `${value}${text}${value}`);
    const many = (name: string) => adding(request, ...Array.from({ length: size / 10 }, () => [name, ' a  b ']).flat());
    const started = performance.now();
    for (const hostile of [
      long('host', ' '.repeat(size)),
      long('host', ' \t'.repeat(size)),
      long('x-amz-date', '0'.repeat(size)),
      ...[',', '=', ' ', ';', '/', ', a=', ';a'].map((text) => long('authorization', text.repeat(size))),
      { ...request, url: `/${'?X-Amz-'.repeat(size)}` },
      many('a'),
    ]) {
      await verify(hostile).catch((error: unknown) => expect(error).toBeInstanceOf(KmsError));
    }
    // Quadratic would be minutes.
    expect(performance.now() - started).toBeLessThan(60_000);
  });
});
