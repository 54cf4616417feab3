import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { EncryptionBudget } from '../../src/keys/encryption-budget.js';
import type { Store } from '../../src/store/store.js';
import { TestStore } from '../service/store.js';

let opened: TestStore;
let store: Store;
beforeEach(async () => {
  opened = new TestStore();
  store = opened.store;
  await store.migrate();
  const texts = { id: 'key', spec: '', usage: '', origin: '', state: '', description: '', policy: '' };
  await store.db
    .insertInto('keys')
    .values({ ...texts, created_at: 0, multi_region: 0 } as never)
    .execute();
  const material = { id: 'material', key_id: 'key', created_at: 0, state: 'CURRENT', present: 1 };
  await store.db
    .insertInto('key_materials')
    .values(material as never)
    .execute();
});
afterEach(() => opened.end());

async function reserved(): Promise<number> {
  const row = await store.db.selectFrom('key_materials').select('encryptions_reserved').executeTakeFirstOrThrow();
  return row.encryptions_reserved;
}

test('requests that come together set one block aside, not one each', async () => {
  const budget = new EncryptionBudget(store, () => {});
  await Promise.all(Array.from({ length: 50 }, () => budget.take('material')));
  expect(await reserved()).toBe(4096);
});

test('every encryption is within what was set aside, also over the end of a block', async () => {
  const budget = new EncryptionBudget(store, () => {});
  for (let each = 0; each < 4090; each++) await budget.take('material');
  await Promise.all(Array.from({ length: 50 }, () => budget.take('material')));
  expect(await reserved()).toBe(4096 + 4 * 4096);
});

test('material whose budget is used up encrypts no more, after a warning', async () => {
  await store.db
    .updateTable('key_materials')
    .set({ encryptions_reserved: 2 ** 32 - 4096 } as never)
    .execute();
  const warned: number[] = [];
  const budget = new EncryptionBudget(store, (_material, count) => warned.push(count));
  for (let each = 0; each < 4096; each++) await budget.take('material');
  expect(warned).toEqual([2 ** 32]);
  await expect(async () => budget.take('material')).rejects.toMatchObject({ name: 'LimitExceededException' });
});
