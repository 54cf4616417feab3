import { expect, test } from '@jest/globals';
import { type KeyObject, objectName } from '../../src/token/object-handles.js';

test('an object keeps its name, and what is made from it has its own', () => {
  const key: KeyObject = { id: Buffer.from('0a0b', 'hex'), class: 'private' };
  expect([objectName(key), objectName(key)]).toEqual(['private/0a0b', 'private/0a0b']);
  expect(objectName({ ...key, class: 'public' })).toBe('public/0a0b');
  expect(objectName(Object.assign({}, key, { id: Buffer.from('0c', 'hex') }))).toBe('private/0c');
});
