import { expect, test } from '@jest/globals';
import { CallPaces } from '../../src/token/call-pace.js';
import { aesGcm, plain } from '../../src/token/mechanisms.js';

const ecdsa = plain('ECDSA');

test.each([
  ['that all take long are long', Array(16).fill(2), true],
  ['of which one was fast are not: the others waited for a processor', [...Array(15).fill(9), 0.1], false],
  ['are not judged before there are enough of them', Array(15).fill(2), false],
  ['that have become fast again are not long any more', [...Array(16).fill(2), ...Array(16).fill(0.1)], false],
])('calls %s', (_what, milliseconds, isLong) => {
  const paces = new CallPaces();
  for (const each of milliseconds) paces.note(ecdsa, 96, each);
  expect(paces.isLong(ecdsa, 96)).toBe(isLong);
});

test('key sizes and mechanisms are told apart', () => {
  const paces = new CallPaces();
  for (let call = 0; call < 16; call++) paces.note(ecdsa, 96, 2);
  expect(paces.isLong(ecdsa, 96)).toBe(true);
  expect(paces.isLong(ecdsa, 64)).toBe(false);
  expect(paces.isLong(aesGcm(Buffer.alloc(12), Buffer.from('x')), 96)).toBe(false);
});
