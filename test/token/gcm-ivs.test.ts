import { randomBytes } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { GcmIvs } from '../../src/token/gcm-ivs.js';

test('each IV is given out once, and holds bytes that the token gave', () => {
  const given: Buffer[] = [];
  const ivs = new GcmIvs((bytes) => {
    const random = randomBytes(bytes);
    given.push(random);
    return random;
  });
  const taken = Array.from({ length: 1_000 }, () => ivs.next().toString('hex'));
  expect(new Set(taken).size).toBe(1_000);
  expect(Buffer.concat(given).toString('hex').startsWith(taken.join(''))).toBe(true);
});

test('a token that fails gives no IV, and the next is a new one', () => {
  let isThere = true;
  const ivs = new GcmIvs((bytes) => {
    if (!isThere) throw new Error('CKR_DEVICE_REMOVED');
    return randomBytes(bytes);
  });
  const before = Array.from({ length: 64 }, () => ivs.next().toString('hex'));
  isThere = false;
  expect(() => ivs.next()).toThrow('CKR_DEVICE_REMOVED');
  isThere = true;
  const after = ivs.next();
  expect(after).toHaveLength(12);
  expect(before).not.toContain(after.toString('hex'));
});
