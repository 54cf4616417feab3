import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { encodeEncryptionContext } from '../../src/encoding/encryption-context.js';

const empty = Buffer.alloc(0);
const mapOf = (pairs: Iterable<readonly [string, string]>) => {
  const map: Record<string, string> = Object.create(null);
  for (const [key, value] of pairs) Object.defineProperty(map, key, { value, enumerable: true, configurable: true });
  return map;
};

/** Oracle: written down plainly, from the description in the source. */
function plainly(pairs: ReadonlyArray<readonly [string, string]>): Buffer {
  if (pairs.length === 0) return empty;
  const u32 = (value: number) => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };
  const sorted = pairs
    .map(([key, value]) => [Buffer.from(key), Buffer.from(value)] as const)
    .sort(([a], [b]) => Buffer.compare(a, b));
  return Buffer.concat([
    u32(sorted.length),
    ...sorted.flatMap(([key, value]) => [u32(key.length), key, u32(value.length), value]),
  ]);
}

/** Reads the encoding: that this can be written shows that it is injective. */
function read(bytes: Buffer): [string, string][] {
  if (bytes.length === 0) return [];
  let offset = 4;
  const text = () => {
    const start = offset + 4;
    offset = start + bytes.readUInt32BE(offset);
    return bytes.toString('utf8', start, offset);
  };
  const pairs = Array.from({ length: bytes.readUInt32BE(0) }, (): [string, string] => [text(), text()]);
  expect(offset).toBe(bytes.length);
  return pairs;
}

/** Well-formed text of all kinds: ASCII, the neighbourhood of the surrogates, beyond the BMP, long. */
const text = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: 'binary', maxLength: 8 }),
  fc.string({
    unit: fc.constantFrom('a', '\u007f', '\u0080', '\ud7ff', '\ue000', '\uffff', '\u{10000}', '\u{10ffff}'),
    maxLength: 4,
  }),
  fc.string({ minLength: 60, maxLength: 70 }),
  fc.constantFrom('__proto__', 'constructor', 'toString', 'hasOwnProperty', '', '\0'),
);
const pairs = fc.uniqueArray(fc.tuple(text, text), { maxLength: 8, selector: ([key]) => key });

describe('encodeEncryptionContext', () => {
  test('absent and empty are the same', () => {
    expect(encodeEncryptionContext(undefined)).toEqual(empty);
    expect(encodeEncryptionContext({})).toEqual(empty);
    expect(encodeEncryptionContext(mapOf([]))).toEqual(empty);
    expect(encodeEncryptionContext({ '': '' })).toHaveLength(12);
  });

  test('has this form', () => {
    expect(encodeEncryptionContext({ b: 'é', a: '' }).toString('hex')).toBe(
      '00000002' + '00000001' + '61' + '00000000' + '00000001' + '62' + '00000002' + 'c3a9',
    );
  });

  test('agrees with the plain way, in any order of the keys', () => {
    fc.assert(
      fc.property(pairs, (list) => {
        const encoded = encodeEncryptionContext(mapOf(list));
        expect(encoded.toString('hex')).toBe(plainly(list).toString('hex'));
        expect(encodeEncryptionContext(mapOf(list.toReversed()))).toEqual(encoded);
      }),
      { numRuns: 3000 },
    );
  });

  test.each([64, 65, 255, 256, 65_536, 16_777_216])('writes lengths of all sizes, %i', (length) => {
    const list = [['a'.repeat(length), 'é'.repeat(length / 2)]] as const;
    // Not toEqual: it takes its time over megabytes.
    expect(encodeEncryptionContext(mapOf(list)).equals(plainly(list))).toBe(true);
  });

  test('can be read back, so that no two contexts are alike', () => {
    fc.assert(
      fc.property(pairs, (list) => {
        expect(mapOf(read(encodeEncryptionContext(mapOf(list))))).toEqual(mapOf(list));
      }),
    );
  });

  test('contexts that a plain concatenation would confuse are told apart', () => {
    const contexts = [
      { a: 'bc' },
      { ab: 'c' },
      { abc: '' },
      { '': 'abc' },
      { a: 'b', c: '' },
      { a: '', c: 'b' },
      { a: '', b: 'c' },
      { A: 'bc' },
      { a: 'bC' },
      { a: 'bc ' },
      { a: 'bc', b: '' },
      // The same letter, composed and decomposed: not normalised.
      { é: '' },
      { 'e\u0301': '' },
    ];
    const encoded = contexts.map((context) => encodeEncryptionContext(context).toString('hex'));
    expect(new Set(encoded).size).toBe(contexts.length);
  });

  test('takes keys that objects inherit', () => {
    const parsed = JSON.parse('{"__proto__":"a","constructor":"b","hasOwnProperty":"c"}') as Record<string, string>;
    const list = [
      ['__proto__', 'a'],
      ['constructor', 'b'],
      ['hasOwnProperty', 'c'],
    ] as const;
    expect(encodeEncryptionContext(parsed)).toEqual(plainly(list));
    expect(encodeEncryptionContext(mapOf(list))).toEqual(plainly(list));
  });

  test.each([['\ud800'], ['\udfff'], ['a\ud800b'], ['\udc00\ud800'], [`${'a'.repeat(100)}\ud83d`]])(
    'refuses the lone surrogate in %j',
    (illFormed) => {
      expect(() => encodeEncryptionContext({ [illFormed]: 'a' })).toThrow(RangeError);
      expect(() => encodeEncryptionContext({ a: illFormed })).toThrow(RangeError);
      expect(() => encodeEncryptionContext({ a: 'a', [illFormed]: 'a' })).toThrow(RangeError);
    },
  );
});
