import { expect, test } from '@jest/globals';
import { CallPaces, type CallPlace, type CallTraits } from '../../src/token/call-pace.js';
import { plain } from '../../src/token/mechanisms.js';

const sign: CallTraits = {
  key: { id: Buffer.from('key'), class: 'private' },
  mechanism: plain('ECDSA'),
  outputBytes: 96,
  slow: false,
  canBeElsewhere: true,
};
const verify: CallTraits = { ...sign, key: { ...sign.key, class: 'public' }, canBeElsewhere: false };
const signRsa: CallTraits = { ...sign, mechanism: plain('RSA_PKCS'), outputBytes: 256, slow: true };

function after(call: CallTraits, milliseconds: readonly number[], takesTurns: boolean): CallPaces {
  const paces = new CallPaces(takesTurns);
  for (const each of milliseconds) paces.note(call, each);
  return paces;
}

test.each<[string, CallTraits, number, { turns: CallPlace; noTurns: CallPlace }]>([
  ['a quick one', sign, 0.2, { turns: 'together', noTurns: 'together' }],
  ['one that is neither quick nor long', sign, 0.4, { turns: 'in turn', noTurns: 'in turn' }],
  ['a long one', sign, 0.8, { turns: 'in turn', noTurns: 'elsewhere' }],
  ['one too long for turns', sign, 1.2, { turns: 'elsewhere', noTurns: 'elsewhere' }],
  ['a long one that cannot be elsewhere', verify, 1.2, { turns: 'in turn', noTurns: 'in turn' }],
  ['a quick one that cannot be elsewhere', verify, 0.2, { turns: 'together', noTurns: 'together' }],
  ['one of RSA that is quick', signRsa, 0.2, { turns: 'together', noTurns: 'together' }],
  ['one of RSA that is neither', signRsa, 0.4, { turns: 'in turn', noTurns: 'elsewhere' }],
])('%s', (_what, call, milliseconds, expected) => {
  const placeOf = (takesTurns: boolean) => after(call, Array(16).fill(milliseconds), takesTurns).placeOf(call);
  expect({ turns: placeOf(true), noTurns: placeOf(false) }).toEqual(expected);
});

test.each<[string, CallTraits, CallPlace]>([
  ['RSA with the private key elsewhere', signRsa, 'elsewhere'],
  ['what is taken to be quick together', sign, 'together'],
  ['what cannot be elsewhere together', { ...signRsa, canBeElsewhere: false }, 'together'],
])('before there are enough calls: %s', (_what, call, place) => {
  expect(after(call, Array(15).fill(2), true).placeOf(call)).toBe(place);
});

test.each([
  ['of which one was fast are fast: the others waited for a processor', [...Array(15).fill(9), 0.1]],
  ['that have become fast again are', [...Array(16).fill(2), ...Array(16).fill(0.1)]],
])('calls %s', (_what, milliseconds) => {
  expect(after(sign, milliseconds, false).placeOf(sign)).toBe('together');
});

test('key sizes, mechanisms and the two keys of a pair are told apart', () => {
  const paces = after(sign, Array(16).fill(2), false);
  expect(paces.placeOf(sign)).toBe('elsewhere');
  expect(paces.placeOf({ ...sign, outputBytes: 64 })).toBe('together');
  expect(paces.placeOf({ ...sign, mechanism: plain('EDDSA') })).toBe('together');
  expect(paces.placeOf({ ...sign, key: { ...sign.key, class: 'public' } })).toBe('together');
});
