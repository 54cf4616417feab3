import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { LastUses } from '../../src/store/last-uses.js';
import { TestStore } from '../service/store.js';

let database: TestStore;
beforeAll(async () => {
  database = new TestStore();
  await database.migrate();
});
afterAll(() => database?.end());

interface Use {
  readonly at: number;
}
let writes: string[];
let failsAt: string | undefined;
let uses: LastUses<Use>;
beforeEach(() => {
  writes = [];
  failsAt = undefined;
  uses = new LastUses<Use>(database.store, async (transaction, id, { at }) => {
    if (id === failsAt) throw new Error('the disk is full');
    await sql`SELECT 1`.execute(transaction);
    writes.push(`${id}:${at}`);
  });
});
const ids = Array.from({ length: 500 }, (_, index) => `key-${String(index).padStart(3, '0')}`);
const noteAll = (at: number) => {
  for (const id of ids.toReversed()) uses.note(id, { at });
};

test('uses are written once, by their ids', async () => {
  noteAll(1);
  await uses.write();
  await uses.write();
  expect(writes).toEqual(ids.map((id) => `${id}:1`));
  expect(uses.find('key-000')).toBeUndefined();
});

test('what is noted while others are written is written next, and found in between', async () => {
  noteAll(1);
  const writing = uses.write();
  await new Promise((resolve) => setImmediate(resolve));
  uses.note('key-000', { at: 2 });
  uses.note('key-499', { at: 2 });
  await writing;
  expect([uses.find('key-000'), uses.find('key-499')]).toEqual([{ at: 2 }, { at: 2 }]);
  writes = [];
  await Promise.all([uses.write(), uses.write()]);
  expect(writes).toEqual(['key-000:2', 'key-499:2']);
});

test('other work gets its turn between', async () => {
  noteAll(1);
  let isOver = false;
  const seen = new Set<number>();
  const look = () => {
    seen.add(writes.length);
    if (!isOver) setImmediate(look);
  };
  look();
  await uses.write();
  isOver = true;
  expect(seen.size).toBeGreaterThanOrEqual(ids.length / 64);
});

test('what could not be written stays noted, and no more', async () => {
  noteAll(1);
  failsAt = 'key-300';
  await expect(uses.write()).rejects.toThrow('the disk is full');
  expect(uses.find('key-000')).toBeUndefined();
  expect([uses.find('key-300'), uses.find('key-499')]).toEqual([{ at: 1 }, { at: 1 }]);
  failsAt = undefined;
  await uses.write();
  expect(new Set(writes)).toEqual(new Set(ids.map((id) => `${id}:1`)));
});
