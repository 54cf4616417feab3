import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { RevisionCache } from '../../src/store/revision-cache.js';
import type { Change } from '../../src/store/seal/change.js';
import type { Store } from '../../src/store/store.js';
import { TestStore } from '../service/store.js';
import { testedDatabase } from '../service/tested-database.js';

/** What who writes into the database can do about what a process remembers: nothing that was changed stays in memory. */
let opened: TestStore;
let store: Store;
let other: Store;
beforeEach(async () => {
  opened = new TestStore();
  store = opened.store;
  await opened.migrate();
  other = opened.another();
  await other.change(write('a', 'first'));
  for (const each of [store, other]) await opened.untilHeard(each);
});
afterEach(async () => {
  await other.close();
  await opened.end();
});

const write = (arn: string, document: string) => async (change: Change) => {
  const policy = await change.find('managed_policies', arn);
  if (policy) return policy.set({ document });
  const names = { arn, unique_id: arn, path: '/', name: arn, folded_name: arn, description: null };
  await change.insert('managed_policies', { ...names, document, version: 1, created_at: 0, updated_at: 0 });
};

/** A cache of documents, over a store. */
function cacheOf(over: Store, name = 'tested') {
  const cache = new RevisionCache<string>(over, 100, name, { of: 'managed_policies' });
  return async (arn = 'a') =>
    cache.get(arn, async () => (await over.records().find('managed_policies', arn))?.row.document);
}

/** As somebody else writes who may: what PostgreSQL announces, too. */
async function setRevision(revision: number): Promise<void> {
  await sql`update store_revision set revision = ${revision}`.execute(other.db);
  if (other.kind === 'PostgreSQL') await announce(revision);
}
const announce = (revision: number) =>
  sql`select pg_notify('hsm_kms_store_revision', ${`${revision}`})`.execute(other.db);

/** Until the process has seen exactly this; undefined for none that it believes. */
async function heard(revision: number | undefined): Promise<void> {
  const seen = () => {
    const now = store.revision();
    return now && now % 2 ** 40;
  };
  while (seen() !== revision) await new Promise((resolve) => setTimeout(resolve, 5));
  await new Promise((resolve) => setImmediate(resolve));
}

test.each([1, 2])('a revision that was written ahead of %i changes hides none of them', async (changes) => {
  const get = cacheOf(store);
  const revision = await store.lastRevision();
  await setRevision(revision + 1);
  await heard(revision + 1);
  expect([await get(), await get()]).toEqual(['first', 'first']);
  await setRevision(revision);
  await heard(revision);
  await other.change(write('a', 'second'));
  for (let each = 1; each < changes; each++) await other.change(write('b', `${each}`));
  await heard(revision + changes);
  expect(await get()).toBe('second');
});

test('a revision that was written back hides no change, and nothing is changed on it', async () => {
  const get = cacheOf(store);
  const revision = await store.lastRevision();
  expect(await get()).toBe('first');
  await other.change(write('a', 'second'));
  await setRevision(revision);
  await heard(undefined);
  expect(await get()).toBe('second');
  await expect(other.change(write('a', 'third'))).rejects.toThrow('store was changed in the database');
  await other.sealAll(async () => true, 1_000);
  await heard(revision + 1_001);
  expect(await get()).toBe('second');
  await other.change(write('a', 'third'));
  await heard(revision + 1_002);
  expect(await get()).toBe('third');
});

const testOfPostgres = testedDatabase.title === 'PostgreSQL' ? test : test.skip;

testOfPostgres('an announcement by somebody else hides no change', async () => {
  const get = cacheOf(store);
  const revision = await store.lastRevision();
  await announce(revision + 1);
  for (let each = 0; each < 100; each++) {
    expect(await get()).toBe('first');
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  await heard(revision);
  await other.change(write('a', 'second'));
  await heard(revision + 1);
  expect(await get()).toBe('second');
});

test('a store that was put back as it had been, and was changed since, is another one', async () => {
  const [get, getOther] = [cacheOf(store), cacheOf(store, 'another')];
  const tables = ['store_revision', 'managed_policies', 'store_changes'] as const;
  const kept = await Promise.all(tables.map((table) => other.db.selectFrom(table).selectAll().execute()));
  const revision = await store.lastRevision();
  await other.change(write('a', 'lost'));
  await heard(revision + 1);
  expect(await get()).toBe('lost');
  await other.db.transaction().execute(async (transaction) => {
    for (const [at, table] of tables.entries()) {
      await transaction.deleteFrom(table).execute();
      await transaction
        .insertInto(table)
        .values(kept[at] as never)
        .execute();
    }
  });
  await heard(revision);
  // a process that has not seen what is lost
  const restarted = opened.another();
  expect(await getOther('b')).toBeUndefined();
  await restarted.change(write('b', 'new'));
  await heard(revision + 1);
  expect(await getOther('b')).toBe('new');
  await expect(get()).rejects.toThrow('managed_policies/a was put back as it had been earlier');
  await restarted.close();
});

test('what is read with the help of another cache is kept as true of the older of both', async () => {
  const inner = cacheOf(store, 'inner');
  const outer = new RevisionCache<string>(store, 100, 'outer', { on: ['managed_policies'] });
  const getOuter = (wait: Promise<void>) =>
    outer.get('', async () => {
      const found = await inner();
      await wait;
      return found;
    });
  await inner();
  await inner('absent');
  await outer.get('warm', async () => 'warm');
  let goOn = () => {};
  const waiting = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  // in one turn: the revision is seen, another process changes the record, and what was seen is still believed
  store.revisionOfTurn();
  const turn = new Promise((resolve) => setImmediate(resolve));
  const revision = await other.lastRevision();
  await other.change(write('a', 'second'));
  const slow = getOuter(waiting);
  await turn;
  await heard(revision + 1);
  expect(await outer.get('warm', async () => 'warm')).toBe('warm');
  goOn();
  await slow;
  expect(await getOuter(Promise.resolve())).toBe('second');
});

test('a change of more records than are written down, and one of none, leave what is read later in memory', async () => {
  const get = cacheOf(store);
  const counting = () => ({ ...store.cacheUses.get('tested') });
  for (const happen of [
    () => other.sealAll(async () => true),
    () => other.change(async () => {}),
    () => other.sealAll(async () => false),
    () =>
      other.change(async (change) => {
        for (let each = 0; each < 1_001; each++) await write(`m${each}`, '{}')(change);
      }),
  ]) {
    await happen();
    await heard(await other.lastRevision());
    await get();
    const before = counting();
    await get();
    expect(counting()).toEqual({ ...before, hits: (before.hits ?? 0) + 1 });
  }
});
