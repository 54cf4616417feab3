import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { fromPostgres, rowsFromPostgres, toPostgres } from '../../src/store/postgres-text.js';

const texts = fc.string({ unit: fc.constantFrom('\0', '\uffff', '0', '1', 'a', 'ä', '🔑') });

test('every text comes back from PostgreSQL as it was, and none holds U+0000 there', () => {
  fc.assert(
    fc.property(texts, (text) => {
      const written = toPostgres(text);
      expect(written).not.toContain('\0');
      expect(fromPostgres(written)).toBe(text);
    }),
  );
});

test('texts that differ differ there, too', () => {
  fc.assert(fc.property(texts, texts, (one, other) => (one === other) === (toPostgres(one) === toPostgres(other))));
});

test('what is no text is left as it is', () => {
  const bytes = Buffer.from([0, 255]);
  for (const value of [bytes, 0, null, undefined]) {
    expect(toPostgres(value)).toBe(value);
    expect(fromPostgres(value)).toBe(value);
  }
  const rows = [{ a: '\uffff0', b: bytes, c: null }];
  rowsFromPostgres(rows);
  expect(rows).toEqual([{ a: '\0', b: bytes, c: null }]);
});
