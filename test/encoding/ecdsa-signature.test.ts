import { createPublicKey, createVerify, generateKeyPairSync, sign } from 'node:crypto';
import { describe, expect, test } from '@jest/globals';
import * as asn1 from 'asn1js';
import fc from 'fast-check';
import { fromDer, toDer } from '../../src/encoding/ecdsa-signature.js';
import { namedCurves } from '../../src/encoding/named-curves.js';

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');

/** Oracle: the same signature as asn1js writes it. */
function asn1jsDer(rs: Buffer): Buffer {
  const half = rs.length / 2;
  const integer = (bytes: Buffer) => asn1.Integer.fromBigInt(BigInt(`0x${bytes.toString('hex')}`));
  const value = [integer(rs.subarray(0, half)), integer(rs.subarray(half))];
  return Buffer.from(new asn1.Sequence({ value }).toBER());
}

/** Halves that are seldom zero, and often short or with the top bit set. */
const half = (bytes: number) =>
  fc
    .oneof(
      fc.uint8Array({ minLength: bytes, maxLength: bytes }),
      fc
        .uint8Array({ minLength: 1, maxLength: 3 })
        .map((low) => Uint8Array.from([...new Uint8Array(bytes - low.length), ...low])),
      fc.constantFrom(0x7f, 0x80, 0xff, 0x01).map((byte) => new Uint8Array(bytes).fill(byte)),
    )
    .filter((value) => value.some((byte) => byte !== 0))
    .map((value) => Buffer.from(value));

const widths = [32, 48, 66];

describe('toDer', () => {
  test.each(widths)('agrees with asn1js and reads back, %i bytes', (bytes) => {
    fc.assert(
      fc.property(half(bytes), half(bytes), (r, s) => {
        const rs = Buffer.concat([r, s]);
        const der = toDer(rs);
        expect(der.toString('hex')).toBe(asn1jsDer(rs).toString('hex'));
        expect(fromDer(der, bytes)).toEqual(rs);
      }),
      { numRuns: 500 },
    );
  });

  test.each(Object.values(namedCurves))('is what OpenSSL makes and verifies, $name', ({ opensslName, orderBytes }) => {
    const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: opensslName });
    const message = Buffer.from('message');
    for (let round = 0; round < 50; round++) {
      const rs = sign('sha256', message, { key: privateKey, dsaEncoding: 'ieee-p1363' });
      expect(rs).toHaveLength(2 * orderBytes);
      expect(createVerify('sha256').update(message).verify(publicKey, toDer(rs))).toBe(true);
      const der = sign('sha256', message, privateKey);
      const back = fromDer(der, orderBytes);
      expect(back && toDer(back)).toEqual(der);
      expect(
        createVerify('sha256')
          .update(message)
          .verify({ key: createPublicKey(privateKey), dsaEncoding: 'ieee-p1363' }, back ?? Buffer.alloc(0)),
      ).toBe(true);
    }
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['odd', Buffer.alloc(63, 1)],
    ['wider than P-521', Buffer.alloc(134, 1)],
    ['r zero', Buffer.concat([Buffer.alloc(32), Buffer.alloc(32, 1)])],
    ['s zero', Buffer.concat([Buffer.alloc(32, 1), Buffer.alloc(32)])],
  ])('refuses r||s that is %s', (_, rs) => {
    expect(() => toDer(rs)).toThrow(RangeError);
  });
});

describe('fromDer', () => {
  const r32 = `00${'ff'.repeat(32)}`;
  test('takes the smallest and the largest signature', () => {
    expect(fromDer(hex('3006 020101 020102'), 32)).toEqual(
      Buffer.concat([Buffer.alloc(31), hex('01'), Buffer.alloc(31), hex('02')]),
    );
    expect(fromDer(hex(`3046 0221${r32} 0221${r32}`), 32)).toEqual(Buffer.alloc(64, 0xff));
    const r66 = 'ff'.repeat(66);
    expect(fromDer(hex(`30818a 024300${r66} 024300${r66}`), 66)).toEqual(Buffer.alloc(132, 0xff));
    expect(fromDer(hex(`307f 023d${'01'.repeat(61)} 023e${'01'.repeat(62)}`), 66)).toBeDefined();
  });

  test.each([
    ['nothing', ''],
    ['tag only', '30'],
    ['no contents', '3000'],
    ['r only', '3003 020101'],
    ['three integers', '3009 020101 020102 020103'],
    ['trailing byte behind', '3006 020101 020102 00'],
    ['trailing byte inside', '3007 020101 020102 00'],
    ['truncated', '3006 020101 0201'],
    ['length too large', '3007 020101 020102'],
    ['length too small', '3005 020101 020102'],
    ['long form of a short length', '308106 020101 020102'],
    ['length in two bytes', '30820006 020101 020102'],
    ['indefinite length', '3080 020101 020102 0000'],
    ['SET', '3106 020101 020102'],
    ['OCTET STRING for r', '3006 040101 020102'],
    ['OCTET STRING for s', '3006 020101 040102'],
    ['r zero', '3006 020100 020102'],
    ['s zero', '3006 020101 020100'],
    ['r empty', '3005 0200 020102'],
    ['s empty', '3005 020101 0200'],
    ['r negative', '3006 0201ff 020102'],
    ['s negative', '3006 020101 020180'],
    ['r with a needless zero', '3007 02020001 020102'],
    ['s with a needless zero', '3007 020101 0202007f'],
    ['s zero in two bytes', '3007 020101 02020000'],
    ['long form of an integer length', '3007 02810101 020102'],
    ['r one byte too wide', `3026 0221${'01'.repeat(33)} 020102`],
    ['s one byte too wide', `3026 020101 0221${'01'.repeat(33)}`],
    ['r with sign byte one byte too wide', `3027 022200${'ff'.repeat(33)} 020102`],
    ['r longer than all', '3006 027f01 020102'],
    ['s longer than the rest', '3006 020101 020302'],
    ['r reaching to the end', '3006 020401020102'],
    ['raw r||s', '01'.repeat(64)],
  ])('refuses %s', (_, der) => {
    expect(fromDer(hex(der), 32)).toBeUndefined();
  });

  test('refuses a signature of a larger curve', () => {
    expect(fromDer(toDer(Buffer.alloc(96, 1)), 32)).toBeUndefined();
  });

  test('never throws, and has one encoding per signature', () => {
    const nearly = fc
      .tuple(half(32), half(32), fc.nat(), fc.integer({ min: 0, max: 255 }))
      .map(([r, s, position, byte]) => {
        const der = toDer(Buffer.concat([r, s]));
        der[position % Math.min(der.length, 8)] = byte;
        return der;
      });
    const bytes = fc.uint8Array({ maxLength: 80 }).map((value) => Buffer.from(value));
    fc.assert(
      fc.property(fc.oneof(bytes, nearly), (der) => {
        const rs = fromDer(der, 32);
        if (rs !== undefined) expect(toDer(rs)).toEqual(der);
      }),
      { numRuns: 5000 },
    );
  });
});
