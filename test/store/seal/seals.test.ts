import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { sql } from 'kysely';
import { BrokenSealError } from '../../../src/store/seal/broken-seal-error.js';
import type { SealedTable } from '../../../src/store/seal/sealed-tables.js';
import { sealedTableNames } from '../../../src/store/seal/sealed-tables.js';
import type { Store } from '../../../src/store/store.js';
import { TestStore } from '../../service/store.js';

let opened: TestStore;
let store: Store;
beforeEach(async () => {
  opened = new TestStore();
  store = opened.store;
  await opened.migrate();
  await fill(store);
});
afterEach(() => opened.end());

const material = 'ab'.repeat(32);
const bob = 'arn:aws:iam::111122223333:user/bob';
const own = 'arn:aws:iam::111122223333:policy/own';

/** One record of each table, with all its parts. */
function fill(store: Store): Promise<void> {
  return store.change(async (change) => {
    await change.insert('custom_key_stores', {
      ...{ id: 'cks-1', name: 'one', cluster_id: 'cluster-1', trust_anchor_certificate: 'PEM' },
      ...{ sealed_password: Buffer.from('sealed'), connection_state: 'CONNECTED', connection_error: null },
      ...{ connection: 1, created_at: 1, version: 1 },
    });
    const key = await change.insert('keys', {
      ...{ id: 'key-1', spec: 'SYMMETRIC_DEFAULT', usage: 'ENCRYPT_DECRYPT', origin: 'AWS_KMS', state: 'Enabled' },
      ...{ description: 'x', policy: '{}', policy_principals: null, created_at: 1, deletion_at: null },
      ...{ pending_window_days: null, multi_region: 0, custom_key_store_id: null, rotation_period_days: null },
      ...{ next_rotation_at: null, current_material_id: material, version: 1 },
    });
    await key.put('key_materials', {
      ...{ id: material, key_id: 'key-1', public_key: null, created_at: 1, state: 'CURRENT', present: 1 },
      ...{ description: null, expires_at: null, rotated_at: null, rotation_type: null },
    });
    await key.put('tags', { key_id: 'key-1', tag_key: 'a', tag_value: '1' });
    await change.insert('aliases', { name: 'alias/a', key_id: 'key-1', created_at: 1, updated_at: 1 });
    const user = await change.insert('principals', {
      ...{ arn: bob, unique_id: 'AIDA1', kind: 'user', path: '/', name: 'bob', folded_name: 'bob', created_at: 1 },
      ...{ description: null, trust_policy: null, trust_principals: null, max_session_seconds: null },
      permissions_boundary: null,
    });
    await user.put('principal_tags', { principal_arn: bob, tag_key: 'a', tag_value: '1' });
    await user.put('inline_policies', { principal_arn: bob, name: 'p', document: '{}' });
    await user.put('attached_policies', { principal_arn: bob, policy_arn: own });
    await change.insert('managed_policies', {
      ...{ arn: own, unique_id: 'ANPA1', path: '/', name: 'own', folded_name: 'own', description: null },
      ...{ document: '{}', version: 1, created_at: 1, updated_at: 1 },
    });
    await change.insert('access_keys', {
      ...{ id: 'AKIA1', principal_arn: bob, sealed_secret: Buffer.from('sealed'), active: 1, created_at: 1 },
      ...{ last_used_at: null, last_used_service: null, last_used_region: null },
    });
    await change.insert('grants', {
      ...{ id: 'grant-1', key_id: 'key-1', name: '', grantee: bob, grantee_is_service: 0, retiring: null },
      ...{ retiring_is_service: 0, issuing_account: '111122223333', operations: '["Decrypt"]', constraints: null },
      ...{ principals: null, created_at: 1 },
    });
  });
}

const ids: Readonly<Record<SealedTable, string>> = {
  custom_key_stores: 'cks-1',
  keys: 'key-1',
  aliases: 'alias/a',
  principals: bob,
  managed_policies: own,
  access_keys: 'AKIA1',
  grants: 'grant-1',
};

/** As somebody does it who has the database and not the token. */
const tamper = (statement: string) => sql.raw(statement).execute(store.db);
const refusals = async () => {
  const found: string[] = [];
  for (const table of sealedTableNames) {
    await store
      .records()
      .find(table, ids[table])
      .catch((error: BrokenSealError) => found.push(`${error.record} ${error.fault}`));
  }
  return found;
};

test('what the service wrote is believed, by this process and by one that has not written it', async () => {
  const other = opened.another();
  for (const each of [store, other]) {
    for (const table of sealedTableNames) {
      expect(await each.records().find(table, ids[table])).toBeDefined();
    }
    expect(await each.examineSeals()).toEqual({ records: 7, broken: [], isWhole: true });
  }
  await other.close();
});

test('every column that is sealed is; those of counts and last uses are not', async () => {
  const unsealed = ['encryptions_reserved', 'last_used_at', 'last_used_service', 'last_used_region'];
  const parts = [
    ...sealedTableNames.map((table) => [table, table] as const),
    ...(['key_materials', 'tags'] as const).map((part) => [part, 'keys'] as const),
    ...(['principal_tags', 'inline_policies', 'attached_policies'] as const).map(
      (part) => [part, 'principals'] as const,
    ),
  ];
  for (const [table, owner] of parts) {
    const row = await store.db.selectFrom(table).selectAll().executeTakeFirstOrThrow();
    for (const [column, value] of Object.entries(row)) {
      // what names the record is another test's
      if (column === 'seal' || value === ids[owner] || (table === 'key_materials' && column === 'id')) continue;
      const next = typeof value === 'number' || /_at$|_days$|seconds$|_reserved$/.test(column) ? 77 : "'other'";
      const isBlob = Buffer.isBuffer(value) || column === 'public_key';
      await store.db
        .transaction()
        .execute(async (transaction) => {
          const off =
            store.kind === 'SQLite' ? 'pragma defer_foreign_keys = on' : 'set local session_replication_role = replica';
          await sql.raw(off).execute(transaction);
          const text = `update ${table} set ${column} = ${isBlob ? (store.kind === 'SQLite' ? "x'00ff'" : "'\\x00ff'") : next}`;
          await sql
            .raw(text)
            .execute(transaction)
            .catch(() => {
              throw new Error(text);
            });
          const found = await store
            .records(transaction)
            .find(owner, ids[owner])
            .then(
              () => 'believed',
              (error) => error,
            );
          if (unsealed.includes(column)) expect([column, found]).toEqual([column, 'believed']);
          else expect([column, found]).toEqual([column, expect.any(BrokenSealError)]);
          throw new Undone();
        })
        .catch((error) => {
          if (!(error instanceof Undone)) throw error;
        });
    }
  }
});

class Undone extends Error {}

describe('what somebody else has written is refused by its name', () => {
  const cases: [string, string, string[]][] = [
    ['a key policy', `update keys set policy = '{"x":1}'`, ['keys/key-1 changed']],
    ['a state', `update keys set state = 'Disabled'`, ['keys/key-1 changed']],
    ['a tag', `insert into tags (key_id, tag_key, tag_value) values ('key-1', 'b', '2')`, ['keys/key-1 changed']],
    ['a tag that is gone', 'delete from tags', ['keys/key-1 changed']],
    ['material that is gone', 'delete from key_materials', ['keys/key-1 changed']],
    ['a grant', `update grants set operations = '["Decrypt","Sign"]'`, ['grants/grant-1 changed']],
    ['an alias', 'update aliases set updated_at = 2', ['aliases/alias/a changed']],
    ['a policy that is gone', 'delete from inline_policies', [`principals/${bob} changed`]],
    ['a policy that is detached', 'delete from attached_policies', [`principals/${bob} changed`]],
    ['a managed policy', `update managed_policies set document = '[]'`, [`managed_policies/${own} changed`]],
    ['an access key', 'update access_keys set active = 0', ['access_keys/AKIA1 changed']],
    ['a custom key store', `update custom_key_stores set cluster_id = 'x'`, ['custom_key_stores/cks-1 changed']],
    ['a seal that is gone', 'update grants set seal = null', ['grants/grant-1 unsealed']],
    ['the seal of another', 'update grants set seal = (select seal from keys)', ['grants/grant-1 changed']],
    ['who was counted and used', 'update key_materials set encryptions_reserved = 4096', []],
    ['the last use', `update access_keys set last_used_at = 1, last_used_service = 'kms'`, []],
  ];
  test.each(cases)('%s', async (_what, statement, found) => {
    await tamper(statement);
    expect(await refusals()).toEqual(found);
    const { broken } = await store.examineSeals();
    expect(broken.map(({ record, fault }) => `${record} ${fault}`)).toEqual(found);
  });

  test('a record that was never written', async () => {
    await tamper(`insert into aliases (name, key_id, created_at, updated_at) values ('alias/b', 'key-1', 1, 1)`);
    await expect(store.records().find('aliases', 'alias/b')).rejects.toThrow(
      'aliases/alias/b has no seal: it was not written by hsm-kms. Type: hsm-kms doctor',
    );
    expect(await store.examineSeals()).toMatchObject({ records: 8, isWhole: true });
  });

  test('it is not changed either, and not sealed by a change of it', async () => {
    await tamper(`update keys set policy = '{"x":1}'`);
    const change = store.change(async (change) => {
      const key = await change.find('keys', 'key-1');
      await key?.set({ description: 'new' });
    });
    await expect(change).rejects.toThrow(BrokenSealError);
    expect(await refusals()).toEqual(['keys/key-1 changed']);
  });

  test('it can be deleted', async () => {
    await tamper(`update keys set policy = '{"x":1}'`);
    await store.change((change) => change.delete('keys', 'key-1'));
    expect(await store.examineSeals()).toEqual({ records: 4, broken: [], isWhole: true });
  });
});

describe('what is as it once was', () => {
  const revoke = () => store.change((change) => change.delete('grants', 'grant-1'));
  const putBack = (rows: readonly Record<string, unknown>[]) =>
    store.db
      .insertInto('grants')
      .values(rows as never)
      .execute();

  test('a grant that was revoked and put back is refused by who has revoked it; others find that the store is not whole', async () => {
    const rows = await store.db.selectFrom('grants').selectAll().execute();
    await revoke();
    await putBack(rows);
    await expect(store.records().find('grants', 'grant-1')).rejects.toThrow(/put back as it had been earlier/);
    const other = opened.another();
    expect(await other.records().find('grants', 'grant-1')).toBeDefined();
    expect(await other.examineSeals()).toEqual({ records: 7, broken: [], isWhole: false });
    await other.close();
  });

  test('a key that was disabled and is enabled again by its old row', async () => {
    const { seal } = await store.db.selectFrom('keys').select('seal').executeTakeFirstOrThrow();
    await store.change(async (change) => {
      await (await change.find('keys', 'key-1'))?.set({ state: 'Disabled', version: 2 });
    });
    await store.db
      .updateTable('keys')
      .set({ state: 'Enabled', version: 1, seal: seal as Buffer })
      .execute();
    expect(await refusals()).toEqual(['keys/key-1 older']);
    const other = opened.another();
    expect(await other.records().find('keys', 'key-1')).toBeDefined();
    expect(await other.examineSeals()).toMatchObject({ broken: [], isWhole: false });
    await other.close();
  });

  test('a record that is gone', async () => {
    await tamper(`delete from grants`);
    expect(await store.examineSeals()).toEqual({ records: 6, broken: [], isWhole: false });
  });

  test('changes of others do not make it whole', async () => {
    await tamper(`delete from grants`);
    await store.change((change) => change.delete('aliases', 'alias/a'));
    expect(await store.examineSeals()).toEqual({ records: 5, broken: [], isWhole: false });
  });

  test('what tells which records there are is sealed itself: nothing is changed then', async () => {
    await tamper(`update store_revision set record_set = (select record_set from store_revision where 1 = 0)`);
    await expect(revoke()).rejects.toThrow('store was changed in the database, and not by hsm-kms');
    const { broken } = await store.examineSeals();
    expect(broken.map(({ record }) => record)).toEqual(['store']);
  });
});

test('sealing all takes what is there for true', async () => {
  await tamper(`update keys set policy = '{"x":1}'`);
  await tamper(`delete from grants`);
  expect(await store.sealAll(async () => true)).toBe(6);
  expect(await refusals()).toEqual([]);
  expect(await store.examineSeals()).toEqual({ records: 6, broken: [], isWhole: true });
});

test('sealing one record takes it for true, and no other', async () => {
  await tamper(`update keys set policy = '{"x":1}'`);
  await tamper(`update grants set name = 'y'`);
  await store.change(async (change) => (await change.open('keys', 'key-1', 'whatever'))?.touch());
  expect(await refusals()).toEqual(['grants/grant-1 changed']);
});

test('what a change that failed had sealed is forgotten with it', async () => {
  const failing = store.change(async (change) => {
    await (await change.find('keys', 'key-1'))?.set({ description: 'new' });
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await refusals()).toEqual([]);
  expect(await store.examineSeals()).toMatchObject({ broken: [], isWhole: true });
});

test('a record that is deleted and made again in one change', async () => {
  await store.change(async (change) => {
    await change.delete('aliases', 'alias/a');
    await change.insert('aliases', { name: 'alias/a', key_id: 'key-1', created_at: 5, updated_at: 5 });
  });
  expect((await store.records().find('aliases', 'alias/a'))?.row.created_at).toBe(5);
  expect(await store.examineSeals()).toEqual({ records: 7, broken: [], isWhole: true });
});

test('two thousand records are looked at page by page', async () => {
  await store.change(async (change) => {
    for (let index = 0; index < 2_000; index++) {
      await change.insert('aliases', { name: `alias/n${index}`, key_id: 'key-1', created_at: 1, updated_at: 1 });
    }
  });
  expect(await store.examineSeals()).toEqual({ records: 2_007, broken: [], isWhole: true });
});

test('a part that is written again keeps what others count in it', async () => {
  await store.change(async (change) => {
    const key = await change.find('keys', 'key-1');
    const [row] = key?.part('key_materials') ?? [];
    await change.db.updateTable('key_materials').set({ encryptions_reserved: 4096 }).execute();
    if (row) await key?.put('key_materials', { ...row, state: 'NON_CURRENT' });
  });
  const row = await store.db.selectFrom('key_materials').selectAll().executeTakeFirstOrThrow();
  expect(row).toMatchObject({ state: 'NON_CURRENT', encryptions_reserved: 4096 });
});

test('without the token nothing is changed', async () => {
  store.seals = undefined;
  await expect(store.change(async () => {})).rejects.toThrow(/without the token/);
});
