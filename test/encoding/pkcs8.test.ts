import { execFileSync } from 'node:child_process';
import { createPrivateKey, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as asn1 from 'asn1js';
import fc from 'fast-check';
import { namedCurves } from '../../src/encoding/named-curves.js';
import { ecPkcs8, ed25519Pkcs8, parsePkcs8, rsaPkcs8, zeroPrivateParts } from '../../src/encoding/pkcs8.js';

const pkcs8Of = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' });
const part = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
const newEc = (namedCurve: string) => generateKeyPairSync('ec', { namedCurve }).privateKey;
const newRsa = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent }).privateKey;
const rsaKey = newRsa(2048);

function rsaPartsOf(key: KeyObject) {
  const { n, e, d, p, q, dp, dq, qi } = key.export({ format: 'jwk' });
  return {
    modulus: part(n),
    publicExponent: part(e),
    privateExponent: part(d),
    prime1: part(p),
    prime2: part(q),
    exponent1: part(dp),
    exponent2: part(dq),
    coefficient: part(qi),
  };
}

function ecPartsOf(key: KeyObject) {
  const { d, x, y } = key.export({ format: 'jwk' });
  return { privateValue: part(d), point: Buffer.concat([Buffer.of(0x04), part(x), part(y)]) };
}

/** asn1js as a plain writer of whatever structure a test wants. */
const sequence = (...value: asn1.AsnType[]) => new asn1.Sequence({ value });
const oid = (value: string) => new asn1.ObjectIdentifier({ value });
const integer = (value: number) => new asn1.Integer({ value });
const octets = (bytes: Uint8Array) => new asn1.OctetString({ valueHex: Uint8Array.from(bytes) });
const bits = (bytes: Uint8Array) => new asn1.BitString({ valueHex: Uint8Array.from(bytes) });
const tagged = (tagNumber: number, ...value: asn1.AsnType[]) =>
  new asn1.Constructed({ idBlock: { tagClass: 3, tagNumber }, value });
const implicit = (tagNumber: number, bytes: Uint8Array) =>
  new asn1.Primitive({ idBlock: { tagClass: 3, tagNumber }, valueHex: Uint8Array.from(bytes) });
const der = (block: asn1.AsnType) => Buffer.from(block.toBER());
const wrapped = (block: asn1.AsnType) => octets(der(block));

describe('rsaPkcs8', () => {
  test.each([
    [2048, 65537],
    [2048, 3],
    [4096, 65537],
  ])('is what OpenSSL writes and is read back, %i bits, exponent %i', (modulusLength, publicExponent) => {
    const key = newRsa(modulusLength, publicExponent);
    const parts = rsaPartsOf(key);
    expect(rsaPkcs8(parts)).toEqual(pkcs8Of(key));
    expect(parsePkcs8(pkcs8Of(key))).toEqual({ type: 'RSA', ...parts });
  });

  test('takes leading zeros away', () => {
    const parts = rsaPartsOf(rsaKey);
    const zero = Buffer.alloc(2);
    const padded = Object.fromEntries(
      Object.entries(parts).map(([name, value]) => [name, Buffer.concat([zero, value])]),
    );
    expect(rsaPkcs8(padded as typeof parts)).toEqual(pkcs8Of(rsaKey));
  });

  test('leaves its input as it is', () => {
    const parts = rsaPartsOf(rsaKey);
    rsaPkcs8(parts);
    expect(parts).toEqual(rsaPartsOf(rsaKey));
  });

  test('writes numbers of all lengths as asn1js does', () => {
    const number = fc.uint8Array({ minLength: 1, maxLength: 200 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.tuple(number, number, number, number, number, number, number, number), (numbers) => {
        const [modulus, publicExponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient] = numbers;
        const oracle = numbers.map((bytes) => asn1.Integer.fromBigInt(BigInt(`0x${bytes.toString('hex')}`)));
        const expected = der(
          sequence(
            integer(0),
            sequence(oid('1.2.840.113549.1.1.1'), new asn1.Null()),
            wrapped(sequence(integer(0), ...oracle)),
          ),
        );
        const parts = { modulus, publicExponent, privateExponent, prime1, prime2, exponent1, exponent2, coefficient };
        expect(rsaPkcs8(parts).toString('hex')).toBe(expected.toString('hex'));
      }),
    );
  });
});

describe.each(Object.values(namedCurves))('ecPkcs8, $name', ({ name, opensslName, orderBytes, oid: curveOid }) => {
  const key = newEc(opensslName);
  const { privateValue, point } = ecPartsOf(key);
  const expected = { type: 'EC', curve: name, privateValue, point };
  const algorithm = () => sequence(oid('1.2.840.10045.2.1'), oid(curveOid));

  test('is what OpenSSL writes and is read back', () => {
    expect(ecPkcs8(name, privateValue, point)).toEqual(pkcs8Of(key));
    expect(parsePkcs8(pkcs8Of(key))).toEqual(expected);
    const converted = execFileSync('openssl', ['pkcs8', '-topk8', '-nocrypt', '-inform', 'DER', '-outform', 'DER'], {
      input: key.export({ format: 'der', type: 'sec1' }),
    });
    expect(converted).toEqual(pkcs8Of(key));
  });

  test('pads a short private value and shortens a long one', () => {
    // Private value 1: the public key is the curve's generator.
    const { d: _, ...generator } = createPrivateKey({
      key: der(
        sequence(
          integer(0),
          algorithm(),
          wrapped(sequence(integer(1), octets(Buffer.concat([Buffer.alloc(orderBytes - 1), Buffer.of(1)])))),
        ),
      ),
      format: 'der',
      type: 'pkcs8',
    }).export({ format: 'jwk' });
    const base = Buffer.concat([Buffer.of(0x04), part(generator.x), part(generator.y)]);
    const written = ecPkcs8(name, Buffer.of(1), base);
    expect(ecPkcs8(name, Buffer.concat([Buffer.alloc(orderBytes + 3), Buffer.of(1)]), base)).toEqual(written);
    expect(pkcs8Of(createPrivateKey({ key: written, format: 'der', type: 'pkcs8' }))).toEqual(written);
    expect(parsePkcs8(written)).toMatchObject({ point: base });
    expect(() => ecPkcs8(name, Buffer.alloc(orderBytes + 1, 1), base)).toThrow(RangeError);
    expect(() => ecPkcs8(name, Buffer.alloc(0), base)).toThrow(RangeError);
    expect(() => ecPkcs8(name, Buffer.of(1), base.subarray(1))).toThrow(RangeError);
  });

  const value = () => octets(privateValue);
  const info = (version: number, privateKey: asn1.AsnType, ...optional: asn1.AsnType[]) =>
    der(sequence(integer(version), algorithm(), wrapped(privateKey), ...optional));

  test.each<[string, Buffer]>([
    ['no public key', info(0, sequence(integer(1), value()))],
    ['parameters', info(0, sequence(integer(1), value(), tagged(0, oid(curveOid)), tagged(1, bits(point))))],
    ['parameters only', info(0, sequence(integer(1), value(), tagged(0, oid(curveOid))))],
    ['version 2', info(1, sequence(integer(1), value()), implicit(1, Buffer.concat([Buffer.of(0), point])))],
    ['attributes', info(0, sequence(integer(1), value()), tagged(0, sequence(oid('2.5.29.15'))))],
    [
      'a public key in its compressed form',
      info(
        0,
        sequence(
          integer(1),
          value(),
          tagged(
            1,
            bits(Buffer.concat([Buffer.of(0x02 | (point.at(-1)! & 1)), point.subarray(1, 1 + (point.length >> 1))])),
          ),
        ),
      ),
    ],
  ])('is read with %s', (_, bytes) => {
    expect(parsePkcs8(bytes)).toEqual(expected);
  });

  const anotherPoint = ecPartsOf(newEc(opensslName)).point;
  const otherOid = name === 'P-256' ? namedCurves.secp256k1.oid : namedCurves['P-256'].oid;
  test.each<[string, Buffer]>([
    ['another public key', info(0, sequence(integer(1), value(), tagged(1, bits(anotherPoint))))],
    [
      'a second, another public key',
      info(
        1,
        sequence(integer(1), value(), tagged(1, bits(point))),
        implicit(1, Buffer.concat([Buffer.of(0), anotherPoint])),
      ),
    ],
    [
      'a public key with unused bits',
      info(
        0,
        sequence(
          integer(1),
          value(),
          tagged(1, new asn1.BitString({ valueHex: Uint8Array.from(point), unusedBits: 1 })),
        ),
      ),
    ],
    [
      'a private value in pieces',
      info(0, sequence(integer(1), new asn1.OctetString({ isConstructed: true, value: [value()] }))),
    ],
    ['an empty public key', info(1, sequence(integer(1), value()), implicit(1, Buffer.of(0)))],
    [
      'a public key in version 1',
      info(0, sequence(integer(1), value()), implicit(1, Buffer.concat([Buffer.of(0), point]))),
    ],
    ['a private value of zero', info(0, sequence(integer(1), octets(Buffer.alloc(orderBytes))))],
    ['a private value beyond the order', info(0, sequence(integer(1), octets(Buffer.alloc(orderBytes, 0xff))))],
    ['a private value too long', info(0, sequence(integer(1), octets(Buffer.concat([Buffer.of(0), privateValue]))))],
    ['no private value', info(0, sequence(integer(1), octets(Buffer.alloc(0))))],
    ['other parameters', info(0, sequence(integer(1), value(), tagged(0, oid(otherOid))))],
    ['ECPrivateKey version 0', info(0, sequence(integer(0), value()))],
    ['PrivateKeyInfo version 2', info(2, sequence(integer(1), value()))],
    ['fields out of order', info(0, sequence(integer(1), value(), tagged(1, bits(point)), tagged(0, oid(curveOid))))],
    ['an unknown field', info(0, sequence(integer(1), value(), tagged(2, bits(point))))],
    ['a surplus field', info(0, sequence(integer(1), value(), tagged(1, bits(point)), integer(1)))],
    ['a surplus outer field', info(0, sequence(integer(1), value()), integer(1))],
    ['an unknown curve', pkcs8Of(newEc('brainpoolP256r1'))],
    [
      'explicit parameters',
      pkcs8Of(generateKeyPairSync('ec', { namedCurve: opensslName, paramEncoding: 'explicit' }).privateKey),
    ],
    ['the bare ECPrivateKey', key.export({ format: 'der', type: 'sec1' })],
    ['a trailing byte', Buffer.concat([pkcs8Of(key), Buffer.of(0)])],
    ['a missing byte', pkcs8Of(key).subarray(0, -1)],
    ['encryption', key.export({ format: 'der', type: 'pkcs8', cipher: 'aes-128-cbc', passphrase: 'p' })],
  ])('is refused with %s', (_, bytes) => {
    expect(parsePkcs8(bytes)).toBeUndefined();
  });
});

describe('ed25519Pkcs8', () => {
  const { privateKey } = generateKeyPairSync('ed25519');
  const jwk = privateKey.export({ format: 'jwk' });
  const expected = { type: 'Ed25519', seed: part(jwk.d), point: part(jwk.x) };
  const info = (version: number, inner: Buffer, ...optional: asn1.AsnType[]) =>
    der(sequence(integer(version), sequence(oid('1.3.101.112')), wrapped(octets(inner)), ...optional));

  test('is what OpenSSL writes and is read back', () => {
    expect(ed25519Pkcs8(part(jwk.d))).toEqual(pkcs8Of(privateKey));
    expect(parsePkcs8(pkcs8Of(privateKey))).toEqual(expected);
    expect(() => ed25519Pkcs8(Buffer.alloc(31))).toThrow(RangeError);
  });

  test('reads the second example of RFC 8410 section 10.3, with attributes and public key', () => {
    const example = Buffer.from(
      'MHICAQEwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhCoB8wHQYKKoZIhvcNAQkJFDEPDA1DdXJkbGUgQ2hhaXJzgSEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=',
      'base64',
    );
    expect(parsePkcs8(example)).toMatchObject({
      type: 'Ed25519',
      point: Buffer.from('19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1', 'hex'),
    });
    const otherPoint = Buffer.from(example);
    otherPoint[otherPoint.length - 1] = 0;
    expect(parsePkcs8(otherPoint)).toBeUndefined();
  });

  test.each<[string, Buffer]>([
    ['a short seed', info(0, Buffer.alloc(31))],
    ['a long seed', info(0, Buffer.alloc(33))],
    [
      'a NULL as parameters',
      der(sequence(integer(0), sequence(oid('1.3.101.112'), new asn1.Null()), wrapped(octets(part(jwk.d))))),
    ],
    ['a bare seed', der(sequence(integer(0), sequence(oid('1.3.101.112')), octets(part(jwk.d))))],
    ['the key of X25519', pkcs8Of(generateKeyPairSync('x25519').privateKey)],
  ])('is refused with %s', (_, bytes) => {
    expect(parsePkcs8(bytes)).toBeUndefined();
  });
});

describe('parsePkcs8', () => {
  const rsaInfo = (numbers: asn1.AsnType[], parameters: asn1.AsnType[] = [new asn1.Null()], version = 0) =>
    der(
      sequence(
        integer(0),
        sequence(oid('1.2.840.113549.1.1.1'), ...parameters),
        wrapped(sequence(integer(version), ...numbers)),
      ),
    );
  const numbers = () =>
    Object.values(rsaPartsOf(rsaKey)).map((bytes) => asn1.Integer.fromBigInt(BigInt(`0x${bytes.toString('hex')}`)));
  const replaced = (valueHex: Uint8Array) =>
    numbers().map((number, index) =>
      index === 3 ? new asn1.Integer({ valueHex: Uint8Array.from(valueHex) }) : number,
    );
  /** Rewrites the outermost length in a longer form than DER allows. */
  const longLength = (bytes: Buffer) => {
    expect(bytes[1]).toBe(0x82);
    return Buffer.concat([Buffer.of(0x30, 0x83, 0), bytes.subarray(2)]);
  };

  test('the structure of the cases below is right', () => {
    expect(rsaInfo(numbers())).toEqual(pkcs8Of(rsaKey));
    expect(parsePkcs8(rsaInfo(replaced(Buffer.of(0x7f))))).toMatchObject({ prime1: Buffer.of(0x7f) });
  });

  test.each<[string, Buffer]>([
    ['nothing', Buffer.alloc(0)],
    ['no parameters', rsaInfo(numbers(), [])],
    ['other parameters', rsaInfo(numbers(), [oid('1.2.3')])],
    [
      'a NULL with contents',
      rsaInfo(numbers(), [new asn1.Primitive({ idBlock: { tagClass: 1, tagNumber: 5 }, valueHex: Uint8Array.of(0) })]),
    ],
    ['two parameters', rsaInfo(numbers(), [new asn1.Null(), new asn1.Null()])],
    ['seven numbers', rsaInfo(numbers().slice(1))],
    ['nine numbers', rsaInfo([...numbers(), integer(1)])],
    ['multi-prime version', rsaInfo(numbers(), undefined, 1)],
    ['a zero', rsaInfo(replaced(Buffer.of(0)))],
    ['a negative number', rsaInfo(replaced(Buffer.of(0x80, 1, 2, 3)))],
    ['a padded number', rsaInfo(replaced(Buffer.of(0, 1, 2, 3)))],
    ['a string as number', rsaInfo(numbers().map((number, index) => (index === 3 ? octets(Buffer.of(1)) : number)))],
    ['a trailing byte', Buffer.concat([pkcs8Of(rsaKey), Buffer.of(0)])],
    ['a needlessly long length', longLength(pkcs8Of(rsaKey))],
    ['an indefinite length', Buffer.concat([Buffer.of(0x30, 0x80), pkcs8Of(rsaKey).subarray(4), Buffer.of(0, 0)])],
    ['the bare RSAPrivateKey', rsaKey.export({ format: 'der', type: 'pkcs1' })],
    ['an RSA-PSS key', pkcs8Of(generateKeyPairSync('rsa-pss', { modulusLength: 2048 }).privateKey)],
  ])('refuses an RSA key with %s', (_, bytes) => {
    expect(parsePkcs8(bytes)).toBeUndefined();
  });

  test('returns copies, which can be zeroed', () => {
    const bytes = pkcs8Of(rsaKey);
    const key = parsePkcs8(bytes);
    expect(bytes).toEqual(pkcs8Of(rsaKey));
    bytes.fill(0);
    expect(key).toEqual({ type: 'RSA', ...rsaPartsOf(rsaKey) });
    zeroPrivateParts(key!);
    for (const value of Object.values(key!))
      if (Buffer.isBuffer(value)) expect(value.every((byte) => byte === 0)).toBe(true);
  });

  test('never throws', () => {
    const samples = [pkcs8Of(rsaKey), pkcs8Of(newEc('P-256')), ed25519Pkcs8(Buffer.alloc(32, 7))];
    const mutated = fc
      .tuple(
        fc.constantFrom(...samples),
        fc.array(fc.tuple(fc.nat({ max: 60 }), fc.nat({ max: 255 })), { maxLength: 3 }),
        fc.nat(),
      )
      .map(([sample, changes, length]) => {
        const bytes = Buffer.from(sample);
        for (const [position, byte] of changes) bytes[position] = byte;
        return length % 4 === 0 ? bytes.subarray(0, length % bytes.length) : bytes;
      });
    const anything = fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes));
    fc.assert(
      fc.property(fc.oneof(mutated, anything), (bytes) => {
        expect(() => parsePkcs8(bytes)).not.toThrow();
      }),
      { numRuns: 3000 },
    );
  });
});
