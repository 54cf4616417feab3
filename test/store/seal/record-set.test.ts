import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { RecordSet } from '../../../src/store/seal/record-set.js';

const members = fc.uniqueArray(fc.tuple(fc.string(), fc.uint8Array({ minLength: 40, maxLength: 40 })), {
  selector: ([name]) => name,
  maxLength: 12,
});
const setOf = (all: readonly (readonly [string, Uint8Array])[]) => {
  const set = new RecordSet();
  for (const [name, seal] of all) set.add(name, Buffer.from(seal));
  return set;
};

test('the same members in whatever order are the same set', () => {
  fc.assert(
    fc.property(members, (all) => {
      expect(setOf(all).equals(setOf([...all].reverse()))).toBe(true);
    }),
  );
});

test('what was added and taken away again has left nothing', () => {
  fc.assert(
    fc.property(members, members, (kept, gone) => {
      const set = setOf(kept);
      for (const [name, seal] of gone) set.add(name, Buffer.from(seal));
      for (const [name, seal] of gone) set.remove(name, Buffer.from(seal));
      expect(set.equals(setOf(kept))).toBe(true);
      expect(set.digest()).toEqual(setOf(kept).digest());
    }),
  );
});

test('one member less, or with another seal or name, is another set', () => {
  fc.assert(
    fc.property(members, fc.string(), (all, other) => {
      fc.pre(all.length > 0 && !all.some(([name]) => name === other));
      const [[name, seal], ...rest] = all as [[string, Uint8Array], ...[string, Uint8Array][]];
      const changed = Buffer.from(seal);
      changed[7] = (changed[7] as number) ^ 1;
      const sets = [setOf(all), setOf(rest), setOf([[name, changed], ...rest]), setOf([[other, seal], ...rest])];
      expect(new Set(sets.map((set) => set.digest().toString('hex'))).size).toBe(sets.length);
    }),
  );
});

test('it is read again from its bytes; of anything else it is empty', () => {
  const set = setOf([['keys/x', Buffer.alloc(40, 1)]]);
  expect(new RecordSet(set.toBuffer()).equals(set)).toBe(true);
  expect(set.toBuffer()).toHaveLength(2048);
  expect(new RecordSet(Buffer.alloc(3)).equals(new RecordSet())).toBe(true);
});
