import { describe, expect, test } from '@jest/globals';
import { OctetString } from 'asn1js';
import { decodeEcPoint, decodeEd25519Point } from '../../src/encoding/ec-point.js';

const wrap = (bytes: Buffer) => Buffer.from(new OctetString({ valueHex: Uint8Array.from(bytes) }).toBER());
const pointOf = (fieldBytes: number, form = 0x04) =>
  Buffer.concat([Buffer.of(form), Buffer.alloc(2 * fieldBytes, 0x41)]);

describe.each([32, 48, 66])('decodeEcPoint with %i-byte coordinates', (fieldBytes) => {
  const point = pointOf(fieldBytes);

  test('takes the point bare and wrapped', () => {
    expect(decodeEcPoint(point, fieldBytes)).toEqual(point);
    expect(decodeEcPoint(wrap(point), fieldBytes)).toEqual(point);
  });

  test('takes a bare point that looks like a wrapped one', () => {
    const deceptive = Buffer.from(point);
    deceptive[1] = 2 * fieldBytes - 1;
    deceptive[2] = 0x04;
    expect(decodeEcPoint(deceptive, fieldBytes)).toEqual(deceptive);
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['compressed', Buffer.concat([Buffer.of(0x02), Buffer.alloc(fieldBytes, 1)])],
    ['compressed, wrapped', wrap(Buffer.concat([Buffer.of(0x02), Buffer.alloc(fieldBytes, 1)]))],
    ['hybrid', pointOf(fieldBytes, 0x06)],
    ['hybrid, wrapped', wrap(pointOf(fieldBytes, 0x06))],
    ['short', point.subarray(0, -1)],
    ['long', Buffer.concat([point, Buffer.of(0)])],
    ['with a trailing byte behind the wrapping', Buffer.concat([wrap(point), Buffer.of(0)])],
    ['wrapped twice', wrap(wrap(point))],
    ['in a BIT STRING', Buffer.concat([Buffer.of(0x03), wrap(point).subarray(1)])],
    ['wrapped with another length', Buffer.from(wrap(point)).fill(0, 1, 2)],
  ])('refuses a point that is %s', (_, attribute) => {
    expect(() => decodeEcPoint(attribute, fieldBytes)).toThrow(RangeError);
  });
});

describe('decodeEd25519Point', () => {
  const point = Buffer.alloc(32, 0x04);

  test('takes the point bare and wrapped', () => {
    expect(decodeEd25519Point(point)).toEqual(point);
    expect(decodeEd25519Point(wrap(point))).toEqual(point);
  });

  test.each([
    ['empty', Buffer.alloc(0)],
    ['short', Buffer.alloc(31)],
    ['of 33 bytes', Buffer.alloc(33, 0x04)],
    ['of 34 bytes without wrapping', Buffer.alloc(34)],
    ['in a BIT STRING', Buffer.concat([Buffer.from('032100', 'hex'), point])],
  ])('refuses a point that is %s', (_, attribute) => {
    expect(() => decodeEd25519Point(attribute)).toThrow(RangeError);
  });
});
