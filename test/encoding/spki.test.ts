import { createPublicKey, ECDH, generateKeyPairSync, type KeyObject } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as asn1 from 'asn1js';
import fc from 'fast-check';
import { type EcCurveName, namedCurves } from '../../src/encoding/named-curves.js';
import { ecSpki, ed25519Spki, parseEcSpki, rsaSpki } from '../../src/encoding/spki.js';

const spkiOf = (key: KeyObject) => key.export({ format: 'der', type: 'spki' });
const part = (value: string | undefined) => Buffer.from(value ?? '', 'base64url');
const zeros = Buffer.alloc(3);
const anRsaKey = spkiOf(generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey);

/** Whether OpenSSL takes it. Without expect: where it is asked a thousand times, a failure's stack is what takes long. */
function isTakenByOpenSsl(der: Buffer): boolean {
  try {
    createPublicKey({ key: der, format: 'der', type: 'spki' });
    return true;
  } catch {
    return false;
  }
}

function newPoint(opensslName: string) {
  const { publicKey } = generateKeyPairSync('ec', { namedCurve: opensslName });
  const { x, y } = publicKey.export({ format: 'jwk' });
  return { publicKey, point: Buffer.concat([Buffer.of(0x04), part(x), part(y)]) };
}

/** What stands before the point in the SubjectPublicKeyInfo of a curve. */
function prefixOf(curve: EcCurveName): Buffer {
  const length = 1 + 2 * namedCurves[curve].fieldBytes;
  return ecSpki(curve, Buffer.alloc(length, 0x04)).subarray(0, -length);
}

describe('rsaSpki', () => {
  test.each([
    [2048, 65537],
    [2048, 3],
    [4096, 65537],
  ])('is what OpenSSL writes, %i bits, exponent %i', (modulusLength, publicExponent) => {
    const { publicKey } = generateKeyPairSync('rsa', { modulusLength, publicExponent });
    const { n, e } = publicKey.export({ format: 'jwk' });
    expect(rsaSpki({ modulus: part(n), publicExponent: part(e) })).toEqual(spkiOf(publicKey));
    const padded = { modulus: Buffer.concat([zeros, part(n)]), publicExponent: Buffer.concat([zeros, part(e)]) };
    expect(rsaSpki(padded)).toEqual(spkiOf(publicKey));
  });

  test('refuses an absent number', () => {
    expect(() => rsaSpki({ modulus: Buffer.alloc(0), publicExponent: Buffer.of(3) })).toThrow(RangeError);
  });
});

test('ed25519Spki is what OpenSSL writes', () => {
  const { publicKey } = generateKeyPairSync('ed25519');
  expect(ed25519Spki(part(publicKey.export({ format: 'jwk' }).x))).toEqual(spkiOf(publicKey));
  expect(() => ed25519Spki(Buffer.alloc(33))).toThrow(RangeError);
});

describe.each(Object.values(namedCurves))('$name', ({ name, opensslName, fieldBytes, oid }) => {
  const { publicKey, point } = newPoint(opensslName);
  const der = spkiOf(publicKey);
  const sequence = (...value: asn1.AsnType[]) => new asn1.Sequence({ value });
  const objectId = (value: string) => new asn1.ObjectIdentifier({ value });
  const withPoint = (bytes: Buffer) =>
    Buffer.from(
      sequence(
        sequence(objectId('1.2.840.10045.2.1'), objectId(oid)),
        new asn1.BitString({ valueHex: Uint8Array.from(bytes) }),
      ).toBER(),
    );
  const compressed = ECDH.convertKey(point, opensslName, undefined, undefined, 'compressed') as Buffer;
  const hybrid = ECDH.convertKey(point, opensslName, undefined, undefined, 'hybrid') as Buffer;

  test('is written as OpenSSL does', () => {
    expect(ecSpki(name, point)).toEqual(der);
    expect(() => ecSpki(name, compressed)).toThrow(RangeError);
    expect(() => ecSpki(name, hybrid)).toThrow(RangeError);
    expect(() => ecSpki(name, point.subarray(1))).toThrow(RangeError);
  });

  test('is read back', () => {
    expect(withPoint(point)).toEqual(der);
    expect(parseEcSpki(der)).toEqual({ curve: name, point });
    for (let round = 0; round < 20; round++) {
      const another = newPoint(opensslName);
      expect(parseEcSpki(spkiOf(another.publicKey))).toEqual({ curve: name, point: another.point });
    }
  });

  test('a compressed point is decompressed', () => {
    expect(parseEcSpki(withPoint(compressed))).toEqual({ curve: name, point });
    const other = Buffer.from(compressed);
    other[0] = (other[0] as number) ^ 0x01;
    const negated = parseEcSpki(withPoint(other))?.point;
    expect(negated?.subarray(0, 1 + fieldBytes)).toEqual(point.subarray(0, 1 + fieldBytes));
    expect(negated).not.toEqual(point);
  });

  test('no bit of a point can change and leave it on the curve', () => {
    const taken: number[] = [];
    for (let bit = 8; bit < point.length * 8; bit++) {
      const changed = Buffer.from(point);
      changed[bit >> 3] = (changed[bit >> 3] as number) ^ (0x80 >> (bit & 7));
      const changedDer = withPoint(changed);
      // the second by another way into OpenSSL than ECDH.convertKey
      if (parseEcSpki(changedDer) !== undefined || isTakenByOpenSsl(changedDer)) taken.push(bit);
    }
    expect(taken).toEqual([]);
  });

  const zero = Buffer.alloc(fieldBytes);
  const ones = Buffer.alloc(fieldBytes, 0xff);
  const uncompressed = (x: Buffer, y: Buffer) => Buffer.concat([Buffer.of(0x04), x, y]);
  const x = point.subarray(1, 1 + fieldBytes);
  const y = point.subarray(1 + fieldBytes);
  const others = Object.values(namedCurves).filter((curve) => curve.name !== name);
  test.each<[string, Buffer]>([
    ['(0, 0)', withPoint(uncompressed(zero, zero))],
    ['(0, y)', withPoint(uncompressed(zero, y))],
    ['(x, 0)', withPoint(uncompressed(x, zero))],
    ['(y, x)', withPoint(uncompressed(y, x))],
    ['coordinates outside the field', withPoint(uncompressed(ones, ones))],
    ['a compressed point outside the field', withPoint(Buffer.concat([Buffer.of(0x02), ones]))],
    ['the point at infinity', withPoint(Buffer.of(0))],
    ['infinity at full length', withPoint(Buffer.alloc(point.length))],
    ['the hybrid form', withPoint(hybrid)],
    ['a compressed form at full length', withPoint(Buffer.concat([Buffer.of(0x02), point.subarray(1)]))],
    ['an uncompressed form at half length', withPoint(Buffer.concat([Buffer.of(0x04), x]))],
    ['no point', withPoint(Buffer.alloc(0))],
    ['a longer point', withPoint(Buffer.concat([point, Buffer.of(0)]))],
    ['a trailing byte', Buffer.concat([der, Buffer.of(0)])],
    ['two keys', Buffer.concat([der, der])],
    ['a missing byte', der.subarray(0, -1)],
    ['nothing', Buffer.alloc(0)],
    ['the bare point', point],
    ['an RSA key', anRsaKey],
    ['an Ed25519 key', spkiOf(generateKeyPairSync('ed25519').publicKey)],
    [
      'explicit parameters',
      spkiOf(generateKeyPairSync('ec', { namedCurve: opensslName, paramEncoding: 'explicit' }).publicKey),
    ],
    ['another curve of the group', spkiOf(generateKeyPairSync('ec', { namedCurve: 'brainpoolP256r1' }).publicKey)],
    [
      'id-ecDH in place of id-ecPublicKey',
      Buffer.from(
        sequence(
          sequence(objectId('1.3.132.1.12'), objectId(oid)),
          new asn1.BitString({ valueHex: Uint8Array.from(point) }),
        ).toBER(),
      ),
    ],
    [
      'a NULL behind the curve',
      Buffer.from(
        sequence(
          sequence(objectId('1.2.840.10045.2.1'), objectId(oid), new asn1.Null()),
          new asn1.BitString({ valueHex: Uint8Array.from(point) }),
        ).toBER(),
      ),
    ],
    [
      'a BIT STRING with unused bits',
      Buffer.from(
        sequence(
          sequence(objectId('1.2.840.10045.2.1'), objectId(oid)),
          new asn1.BitString({ valueHex: Uint8Array.from(point), unusedBits: 1 }),
        ).toBER(),
      ),
    ],
  ])('refuses %s', (_, bytes) => {
    expect(parseEcSpki(bytes)).toBeUndefined();
  });

  test.each(others)('a point of it is refused under the name of $name', (other) => {
    const bytes = Buffer.concat([prefixOf(other.name), point]);
    expect(parseEcSpki(bytes)).toBeUndefined();
    expect(() => createPublicKey({ key: bytes, format: 'der', type: 'spki' })).toThrow();
  });

  test('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat({ max: der.length }), (tail, keep) => {
        const bytes = Buffer.concat([der.subarray(0, keep), tail]);
        const key = parseEcSpki(bytes);
        if (key !== undefined) expect(bytes).toEqual(der);
      }),
      { numRuns: 500 },
    );
  });
});
