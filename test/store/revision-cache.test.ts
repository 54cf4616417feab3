import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Transaction } from 'kysely';
import { RevisionCache } from '../../src/store/revision-cache.js';
import type { Schema } from '../../src/store/schema.js';
import type { Store } from '../../src/store/store.js';
import { TestStore } from '../service/store.js';

let opened: TestStore;
let store: Store;
let other: Store;
beforeEach(async () => {
  opened = new TestStore();
  store = opened.store;
  await opened.migrate();
  // as another process has it open
  other = opened.another();
  await opened.untilHeard(store);
  await opened.untilHeard(other);
});
afterEach(async () => {
  await other.close();
  await opened.end();
});

let count = 0;
const insertLease = (transaction: Transaction<Schema>) =>
  transaction
    .insertInto('leases')
    .values({ task: `task ${count++}`, holder: 'x', expires_at: 0 })
    .execute();
const write = (to: Store) => to.change(({ db }) => insertLease(db));

/** A cache, and how often each name was loaded. */
function counted(limit = 100) {
  const loads: string[] = [];
  const cache = new RevisionCache<string>(store, limit);
  const get = (name: string) =>
    cache.get(name, async (each) => {
      loads.push(each);
      return each === 'absent' ? undefined : `value of ${each}`;
    });
  return { cache, loads, get };
}

test('a value is loaded once, and given without waiting afterwards', async () => {
  const { get, loads } = counted();
  expect(await get('a')).toBe('value of a');
  expect(get('a')).toBe('value of a');
  expect(loads).toEqual(['a']);
});

test('what is absent is looked for each time', async () => {
  const { get, loads } = counted();
  await get('absent');
  await get('absent');
  expect(loads).toEqual(['absent', 'absent']);
});

test.each(['own', 'foreign'] as const)(
  "a change is seen at once, another process's when it is heard: %s",
  async (whose) => {
    const { get, loads } = counted();
    await get('a');
    await write(whose === 'own' ? store : other);
    if (whose === 'foreign') await opened.untilHeard();
    await get('a');
    expect(loads).toEqual(['a', 'a']);
  },
);

test('a change that fails has changed nothing', async () => {
  const { get, loads } = counted();
  await get('a');
  const failing = store.change(async () => {
    throw new Error('on purpose');
  });
  await expect(failing).rejects.toThrow('on purpose');
  await get('a');
  expect(loads).toEqual(['a']);
});

test('what no process remembers makes nothing stale', async () => {
  const { get, loads } = counted();
  await get('a');
  for (const each of [store, other]) await each.record(insertLease);
  await opened.untilHeard();
  await get('a');
  expect(loads).toEqual(['a']);
});

test('what was loaded while something changed is not kept', async () => {
  const cache = new RevisionCache<string>(store, 100);
  let state = 'before';
  const slow = cache.get('a', async () => {
    const read = state;
    await write(other);
    await opened.untilHeard();
    state = 'after';
    return read;
  });
  expect(await slow).toBe('before');
  expect(await cache.get('a', async () => state)).toBe('after');
});

test('a load that began before a change does not come back after it', async () => {
  const cache = new RevisionCache<string>(store, 100);
  let finish = (_value: string) => {};
  const slow = cache.get(
    'a',
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  await write(store);
  expect(await cache.get('a', async () => 'new')).toBe('new');
  finish('old');
  expect(await slow).toBe('old');
  expect(await cache.get('a', async () => 'loaded again')).toBe('new');
});

test('it holds no more than its limit', async () => {
  const { get, loads } = counted(2);
  for (const name of ['a', 'b', 'c', 'a']) await get(name);
  expect(loads).toEqual(['a', 'b', 'c', 'a']);
});

test('the revision only grows, and differs after each change', async () => {
  const seen = [store.revision()];
  for (const each of [store, other, store, other, other, store]) {
    await write(each);
    await opened.untilHeard();
    seen.push(store.revision());
  }
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => Number(a) - Number(b)));
});
