import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { deriveSigningKey } from '../../src/http/sigv4/signing-key.js';
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
  verify,
  withHeader,
  withoutHeader,
} from './sigv4-requests.js';

describe('published vectors', () => {
  const form = 'application/x-www-form-urlencoded';
  const formUtf8 = `${form}; charset=utf8`;
  const plain = 'host;x-amz-date';
  const one = 'host;my-header1;x-amz-date';
  const duplicates = ['My-Header1', 'value2', 'My-Header1', 'value2', 'My-Header1', 'value1'];
  const unordered = ['value4', 'value1', 'value3', 'value2'].flatMap((value) => ['My-Header1', value]);
  // aws-sig-v4-test-suite: name, method, headers, body, SignedHeaders, signature.
  test.each<[string, string, string[], string, string, string]>([
    ['get-vanilla', 'GET', [], '', plain, '5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31'],
    ['post-vanilla', 'POST', [], '', plain, '5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b'],
    [
      'get-header-key-duplicate',
      'GET',
      duplicates,
      '',
      one,
      'c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea',
    ],
    [
      'get-header-value-order',
      'GET',
      unordered,
      '',
      one,
      '08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01',
    ],
    [
      'get-header-value-trim',
      'GET',
      ['My-Header1', ' value1', 'My-Header2', ' "a   b   c"'],
      '',
      'host;my-header1;my-header2;x-amz-date',
      'acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736',
    ],
    [
      'post-header-key-sort',
      'POST',
      ['My-Header1', 'value1'],
      '',
      one,
      'c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c',
    ],
    [
      'post-header-value-case',
      'POST',
      ['My-Header1', 'VALUE1'],
      '',
      one,
      'cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d',
    ],
    [
      'post-x-www-form-urlencoded',
      'POST',
      ['Content-Type', form],
      'Param1=value1',
      'content-type;host;x-amz-date',
      'ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a',
    ],
    [
      'post-x-www-form-urlencoded-parameters',
      'POST',
      ['Content-Type', formUtf8],
      'Param1=value1',
      'content-type;host;x-amz-date',
      '1a72ec8f64bd914b0e42e42607c7fbce7fb2c7465f63e3092b3b0d39fa77a6fe',
    ],
  ])('%s', async (_name, method, headers, text, signedHeaders, signature) => {
    const credential = `${ID}/20150830/us-east-1/service/aws4_request`;
    const request = {
      method,
      url: '/',
      rawHeaders: [
        ...['Host', 'example.amazonaws.com', ...headers, 'X-Amz-Date', '20150830T123600Z', 'Authorization'],
        `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=${signedHeaders}, Signature=${signature}`,
      ],
      body: Buffer.from(text),
    };
    await expect(verify(request, { services: ['service'] })).resolves.toMatchObject({ accessKeyId: ID });
    const other = { ...request, body: Buffer.from(`${text} `) };
    await expectRefused(verify(other, { services: ['service'] }), 'InvalidSignatureException', MISMATCH);
  });

  test('signing key of the AWS documentation', () => {
    const key = deriveSigningKey(Buffer.from(SECRET), '20150830', 'us-east-1', 'iam');
    expect(key.export().toString('hex')).toBe('c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9');
  });
});

describe('what is accepted', () => {
  test("any request of AWS's signer", async () => {
    const value = fc.stringMatching(/^[!-~]([ -~]{0,30}[!-~])?$/);
    const name = fc.stringMatching(/^[a-z][a-z0-9-]{0,12}$/).filter((text) => !/^(authorization|date|te)$/.test(text));
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ maxLength: 300 }), fc.dictionary(name, value), async (bytes, extra) => {
        const headers = { ...extra, ...HEADERS };
        const request = await sign(headers, Buffer.from(bytes));
        await expect(verify(request)).resolves.toEqual({
          accessKey: { secretAccessKey: Buffer.from(SECRET) },
          accessKeyId: ID,
          region: 'us-east-1',
          service: 'kms',
          signedAt: NOW,
        });
      }),
      { numRuns: 60 },
    );
  });

  test('headers in any order and case, with blanks around and between', async () => {
    const request = await sign();
    const pairs = request.rawHeaders.flatMap((name, i) => (i % 2 ? [] : [[name, request.rawHeaders[i + 1]!]]));
    const blanks = fc.stringMatching(/^[ \t]{1,4}$/);
    await fc.assert(
      fc.asyncProperty(
        fc.shuffledSubarray(pairs, { minLength: pairs.length }),
        fc.bigInt({ min: 0n, max: 2n ** 128n }),
        blanks,
        async (shuffled, bits, blank) => {
          const rawHeaders = shuffled.flatMap(([name, value]) => [
            [...name!].map((char, i) => ((bits >> BigInt(i)) & 1n ? char.toUpperCase() : char)).join(''),
            `${blank}${value!.replaceAll(' ', blank)}${blank}`,
          ]);
          await expect(verify({ ...request, rawHeaders })).resolves.toMatchObject({ region: 'us-east-1' });
        },
      ),
    );
  });

  test('header values in UTF-8, whose bytes node shows as latin1', async () => {
    // à ends in the byte A0, which is white space to String.prototype.trim.
    const text = '\u0160ko\u00e0  a \u{1f511} caf\u00e0';
    const request = await sign({ ...HEADERS, 'x-amz-meta-note': text });
    const received = withHeader(request, 'x-amz-meta-note', (value) => Buffer.from(value).toString('latin1'));
    await expect(verify(received)).resolves.toBeDefined();
    const latin1 = withHeader(request, 'x-amz-meta-note', () => 'caf\u00e0');
    await expectRefused(verify(latin1), 'InvalidSignatureException', MISMATCH);
  });

  test('a Date header instead of X-Amz-Date, in RFC 1123 or ISO 8601', async () => {
    for (const date of ['Sun, 30 Aug 2015 12:36:00 GMT', '20150830T123600Z']) {
      const request = await signLines([`date:${date}`, 'host:h'], ['Host', 'h', 'Date', date]);
      await expect(verify(request)).resolves.toMatchObject({ signedAt: NOW });
      await expectRefused(
        verify(withHeader(request, 'date', (text) => text.replace('36', '37'))),
        'InvalidSignatureException',
        MISMATCH,
      );
    }
  });

  test('X-Amz-Date rules when both dates are there', async () => {
    const request = adding(await sign(), 'Date', 'Sun, 30 Aug 2015 01:00:00 GMT');
    await expect(verify(request)).resolves.toMatchObject({ signedAt: NOW });
  });

  test('a key record that comes later, any of several Regions and services', async () => {
    const accessKey = { secretAccessKey: Buffer.from(SECRET), principal: 'arn:aws:iam::000000000000:user/a' };
    const options = {
      regions: ['eu-west-1', 'us-east-1'],
      services: ['kms', 'sts'],
      findAccessKey: async () => accessKey,
    };
    const request = await sign(HEADERS, BODY, { region: 'eu-west-1', service: 'sts' });
    const verified = await verify(request, options);
    expect(verified).toMatchObject({ region: 'eu-west-1', service: 'sts' });
    expect(verified.accessKey).toBe(accessKey);
  });

  test('five minutes either way, to the second', async () => {
    const request = await sign();
    for (const minutes of [-5, 5]) {
      const now = NOW + minutes * 60_000;
      await expect(verify(request, { clock: () => now })).resolves.toBeDefined();
      await expect(verify(request, { clock: () => now + 999 })).resolves.toBeDefined();
    }
  });

  test('an unsigned Content-Type only where that is allowed (the AWS SDK for PHP)', async () => {
    const request = await signLines(
      ['host:h', 'x-amz-date:20150830T123600Z', 'x-amz-target:TrentService.ListKeys'],
      [
        ...['Host', 'h', 'X-Amz-Date', '20150830T123600Z', 'X-Amz-Target', 'TrentService.ListKeys'],
        ...['Content-Type', 'application/x-amz-json-1.1'],
      ],
    );
    await expect(verify(request, { requireSignedContentType: false })).resolves.toBeDefined();
    await expectRefused(
      verify(request),
      'InvalidSignatureException',
      /^'content-type' must be a 'SignedHeader' in the AWS Authorization\.$/,
    );
  });
});

describe('what was signed cannot be changed', () => {
  test('no byte of the body', async () => {
    const request = await sign();
    // Without x-amz-content-sha256 the canonical request alone has to notice.
    const bare = await signLines(
      ['host:h', 'x-amz-date:20150830T123600Z'],
      ['Host', 'h', 'X-Amz-Date', '20150830T123600Z'],
    );
    await expect(verify(bare)).resolves.toBeDefined();
    await fc.assert(
      fc.asyncProperty(fc.nat(BODY.length - 1), fc.integer({ min: 1, max: 255 }), async (position, mask) => {
        const body = Buffer.from(BODY);
        body[position]! ^= mask;
        await expectRefused(verify({ ...request, body }), 'InvalidSignatureException', 'x-amz-content-sha256');
        await expectRefused(verify({ ...bare, body }), 'InvalidSignatureException', MISMATCH);
      }),
    );
    await expectRefused(verify({ ...bare, body: BODY.subarray(1) }), 'InvalidSignatureException', MISMATCH);
  });

  const SIGNED = ['amz-sdk-request', 'content-type', 'host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-target'];

  test('no character of a signed header', async () => {
    const request = await sign();
    const signedHeaders = /SignedHeaders=([^,]+)/.exec(header(request, 'authorization'))?.[1];
    expect(signedHeaders?.split(';')).toEqual(SIGNED);
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...SIGNED), fc.nat(), fc.constantFrom('!', 'a', '0'), async (name, at, char) => {
        const value = header(request, name);
        const position = at % value.length;
        fc.pre(value[position] !== char);
        const changed = `${value.slice(0, position)}${char}${value.slice(position + 1)}`;
        const error = await refusal(verify(withHeader(request, name, () => changed)));
        expect(['InvalidSignatureException', 'IncompleteSignatureException']).toContain(error.name);
      }),
    );
  });

  test.each(SIGNED)('%s cannot be taken away', async (name) => {
    const error = await refusal(verify(withoutHeader(await sign(), name)));
    expect(['InvalidSignatureException', 'IncompleteSignatureException']).toContain(error.name);
  });

  test('the target is swapped', async () => {
    const request = withHeader(await sign(), 'x-amz-target', () => 'TrentService.Decrypt');
    await expectRefused(verify(request), 'InvalidSignatureException', MISMATCH);
  });

  test('the method', async () => {
    await expectRefused(verify({ ...(await sign()), method: 'PUT' }), 'InvalidSignatureException', MISMATCH);
  });

  test('the signature', async () => {
    const request = await sign();
    await fc.assert(
      fc.asyncProperty(fc.nat(63), fc.integer({ min: 1, max: 15 }), async (digit, mask) => {
        const changed = withHeader(request, 'authorization', (text) => {
          const start = text.indexOf('Signature=') + 10;
          const flipped = (Number.parseInt(text[start + digit]!, 16) ^ mask).toString(16);
          return `${text.slice(0, start + digit)}${flipped}${text.slice(start + digit + 1)}`;
        });
        await expectRefused(verify(changed), 'InvalidSignatureException', MISMATCH);
      }),
      { numRuns: 50 },
    );
  });

  test('the scope, to another that is served as well', async () => {
    const options = { regions: ['us-east-1', 'eu-west-1'], services: ['kms', 'sts'] };
    const request = await sign();
    for (const [from, to] of [
      ['us-east-1', 'eu-west-1'],
      ['/kms/', '/sts/'],
    ] as const) {
      const changed = withHeader(request, 'authorization', (text) => text.replace(from, to));
      await expectRefused(verify(changed, options), 'InvalidSignatureException', MISMATCH);
    }
  });

  test('with another secret', async () => {
    await fc.assert(
      fc.asyncProperty(fc.string({ minLength: 1 }), async (secret) => {
        const request = await sign(HEADERS, BODY, { secret });
        await expectRefused(verify(request), 'InvalidSignatureException', MISMATCH);
      }),
      { numRuns: 30 },
    );
  });

  test('x-amz headers added on the way', async () => {
    const request = await sign();
    await fc.assert(
      fc.asyncProperty(fc.stringMatching(/^[a-z0-9_-]{0,12}$/), fc.string(), async (suffix, value) => {
        const added = adding(request, `X-Amz-${suffix}`, value);
        const name = `x-amz-${suffix}`;
        const once = ['x-amz-date', 'x-amz-target', 'x-amz-content-sha256'].includes(name);
        await expectRefused(
          verify(added),
          'InvalidSignatureException',
          once ? 'Found more than one' : `'${name}' must be a 'SignedHeader' in the AWS Authorization.`,
        );
      }),
    );
    await expect(verify(adding(request, 'X-Amzn-Trace-Id', 'Root=1', 'Via', '1.1 proxy'))).resolves.toBeDefined();
  });

  test.each(['authorization', 'content-type', 'host', 'x-amz-content-sha256', 'x-amz-date', 'x-amz-target'])(
    'a second %s, even an equal one',
    async (name) => {
      const request = await sign();
      const again = [name.toUpperCase(), header(request, name)];
      const message = new RegExp(`^Found more than one '${name}' header\\.$`);
      await expectRefused(verify(adding(request, ...again)), 'InvalidSignatureException', message);
      const first = { ...request, rawHeaders: [...again, ...request.rawHeaders] };
      await expectRefused(verify(first), 'InvalidSignatureException', message);
    },
  );

  test.each(['UNSIGNED-PAYLOAD', 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD', 'STREAMING-UNSIGNED-PAYLOAD-TRAILER'])(
    '%s, signed as it should be',
    async (value) => {
      const request = await sign({ ...HEADERS, 'x-amz-content-sha256': value });
      expect(header(request, 'x-amz-content-sha256')).toBe(value);
      await expectRefused(verify(request), 'InvalidSignatureException', 'does not match what was computed');
    },
  );
});
