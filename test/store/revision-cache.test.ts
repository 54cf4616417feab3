import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sql, type Transaction } from 'kysely';
import { type Dependence, RevisionCache } from '../../src/store/revision-cache.js';
import type { Schema } from '../../src/store/schema.js';
import type { Change } from '../../src/store/seal/change.js';
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

const insertLease = (transaction: Transaction<Schema>) =>
  transaction
    .insertInto('leases')
    .values({ task: `task ${Math.random()}`, holder: 'x', expires_at: 0 })
    .execute();

/** Writes a record, a new one or again. */
const write = (arn: string) => async (change: Change) => {
  const policy = await change.find('managed_policies', arn);
  if (policy) return policy.set({ updated_at: Date.now() });
  const names = { arn, unique_id: arn, path: '/', name: arn, folded_name: arn, description: null };
  await change.insert('managed_policies', { ...names, document: '{}', version: 1, created_at: 0, updated_at: 0 });
};
const writeKeyStore = (id: string) => async (change: Change) => {
  const names = { id, name: id, cluster_id: id, trust_anchor_certificate: '', sealed_password: Buffer.of(1) };
  const state = { connection_state: 'DISCONNECTED', connection_error: null, connection: 0 };
  await change.insert('custom_key_stores', { ...names, ...state, created_at: 0, version: 1 });
};
const remove = (arn: string) => (change: Change) => change.delete('managed_policies', arn);

/** A cache, and what was loaded. */
function counted(limit = 100, dependence: Dependence = { of: 'managed_policies' }) {
  const loads: string[] = [];
  const cache = new RevisionCache<string>(store, limit, 'tested', dependence);
  const get = (id: string, variant = '') => {
    const load = async () => {
      loads.push(id + variant);
      return id === 'absent' ? undefined : `value of ${id}${variant}`;
    };
    return cache.get(id, load, variant);
  };
  return { cache, loads, get };
}

test('a value is loaded once, and given without waiting afterwards', async () => {
  const { get, loads } = counted();
  expect(await get('a')).toBe('value of a');
  expect(get('a')).toBe('value of a');
  expect(await get('a', ' in red')).toBe('value of a in red');
  expect(get('a', ' in red')).toBe('value of a in red');
  expect(loads).toEqual(['a', 'a in red']);
});

test('what is absent is looked for each time', async () => {
  const { get, loads } = counted();
  await get('absent');
  await get('absent');
  expect(loads).toEqual(['absent', 'absent']);
});

test.each([
  ['this process', 'a new record', () => store.change(write('a'))],
  ['another process', 'a new record', () => other.change(write('a'))],
  ['another process', 'a record changed twice', () => other.change(write('a')).then(() => other.change(write('a')))],
  ['another process', 'a record that is gone', () => other.change(write('a')).then(() => other.change(remove('a')))],
])('a change of %s is seen: %s; what else is kept stays', async (_who, _what, change) => {
  const { get, loads } = counted();
  for (const id of ['a', 'b']) await get(id);
  await get('a', ' in red');
  await change();
  await opened.untilHeard();
  for (const id of ['a', 'b']) await get(id);
  await get('a', ' in red');
  expect(loads).toEqual(['a', 'b', 'a in red', 'a', 'a in red']);
  expect(get('b')).toBe('value of b');
});

test('a value can depend on all records of a table', async () => {
  const { get, loads } = counted(100, { of: 'managed_policies', on: ['custom_key_stores'] });
  for (const id of ['a', 'b']) await get(id);
  await other.change(writeKeyStore('cks-1'));
  await opened.untilHeard();
  for (const id of ['a', 'b']) await get(id);
  expect(loads).toEqual(['a', 'b', 'a', 'b']);
});

test.each<[string, () => Promise<unknown>]>([
  ['everything was sealed anew', () => other.sealAll(async () => true)],
  [
    'a change was not written down',
    async () => {
      await other.change(write('c'));
      await sql`delete from store_changes`.execute(other.db);
    },
  ],
  [
    'somebody else has changed what was written down',
    async () => {
      await other.change(write('a'));
      await sql`update store_changes set records = '[]'`.execute(other.db);
    },
  ],
  [
    'what was written down of another change was put there',
    async () => {
      await other.change(write('b'));
      const { rows } = await sql<{
        records: string;
        seal: Buffer;
      }>`select records, seal from store_changes order by revision desc limit 1`.execute(other.db);
      await other.change(write('a'));
      await sql`update store_changes set records = ${rows[0]!.records}, seal = ${rows[0]!.seal} where revision = (select max(revision) from store_changes)`.execute(
        other.db,
      );
    },
  ],
  [
    'a change was about more than is written down',
    () =>
      other.change(async (change) => {
        for (let each = 0; each < 1_001; each++) await write(`m${each}`)(change);
      }),
  ],
  [
    'there were more changes than are kept',
    async () => {
      for (let each = 0; each < 1_030; each++) await other.change(write('c'));
    },
  ],
])('nothing is believed when it is not known what was changed: %s', async (_what, happen) => {
  const { get, loads } = counted();
  for (const id of ['a', 'b']) await get(id);
  await happen();
  await opened.untilHeard();
  for (const id of ['a', 'b']) await get(id);
  expect(loads).toEqual(['a', 'b', 'a', 'b']);
});

test('a change that fails has changed nothing', async () => {
  const { get, loads } = counted();
  await get('a');
  const failing = store.change(async (change) => {
    await write('a')(change);
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
  const cache = new RevisionCache<string>(store, 100, 'tested', { of: 'managed_policies' });
  let state = 'before';
  const slow = cache.get('a', async () => {
    const read = state;
    await other.change(write('a'));
    await opened.untilHeard();
    state = 'after';
    return read;
  });
  expect(await slow).toBe('before');
  expect(await cache.get('a', async () => state)).toBe('after');
});

test('a load that began before a change does not come back after it', async () => {
  const cache = new RevisionCache<string>(store, 100, 'tested', { of: 'managed_policies' });
  let finish = (_value: string) => {};
  const slow = cache.get(
    'a',
    () =>
      new Promise((resolve) => {
        finish = resolve;
      }),
  );
  await store.change(write('a'));
  expect(await cache.get('a', async () => 'new')).toBe('new');
  finish('old');
  expect(await slow).toBe('old');
  expect(await cache.get('a', async () => 'loaded again')).toBe('new');
});

test('who reads while others go on changing never gets what was before their answers', async () => {
  const cache = new RevisionCache<number>(store, 100, 'tested', { of: 'managed_policies' });
  await store.change(write('a'));
  const stamp = async () => {
    const [row] = await store.db.selectFrom('managed_policies').select('updated_at').where('arn', '=', 'a').execute();
    return row!.updated_at;
  };
  let answered = 0;
  let isOver = false;
  const changing = (async () => {
    for (let each = 1; each <= 100; each++) {
      await other.change(async (change) => {
        await (await change.find('managed_policies', 'a'))?.set({ updated_at: each });
        await write(`b${each}`)(change);
      });
      await opened.untilHeard();
      answered = each;
    }
    isOver = true;
  })();
  let reads = 0;
  while (!isOver) {
    const least = answered;
    expect(await cache.get('a', stamp)).toBeGreaterThanOrEqual(least);
    reads += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  await changing;
  expect(reads).toBeGreaterThan(20);
});

test('it holds no more than its limit', async () => {
  const { get, loads } = counted(2);
  for (const id of ['a', 'b', 'c', 'a']) await get(id);
  expect(loads).toEqual(['a', 'b', 'c', 'a']);
});

test('the revision only grows, and differs after each change', async () => {
  const seen = [store.revision()];
  for (const each of [store, other, store, other, other, store]) {
    await each.change(write('a'));
    await opened.untilHeard();
    seen.push(store.revision());
  }
  expect(seen).toEqual([...new Set(seen)].toSorted((a, b) => Number(a) - Number(b)));
});
