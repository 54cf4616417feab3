import { paginateListAliases, paginateListKeys } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call } from '../service/http.js';
import { refusal } from '../service/refusal.js';
import { accountId, region, Service } from '../service/service.js';

const keyCount = 25;
let service: Service;
const ids: string[] = [];
beforeAll(async () => {
  service = await Service.start();
  for (let i = 0; i < keyCount; i++) {
    const { KeyId } = await service.newKey();
    ids.push(KeyId);
    await service.kms.createAlias({ AliasName: `alias/key-${i}`, TargetKeyId: KeyId });
  }
});
afterAll(() => service?.end());

type Page = { NextMarker?: string | undefined; Truncated?: boolean | undefined };
const lists = {
  ListKeys: async (input: { Limit?: number; Marker?: string }) => {
    const answer = await service.kms.listKeys(input);
    return { ...answer, names: answer.Keys!.map(({ KeyId }) => KeyId!) };
  },
  ListAliases: async (input: { Limit?: number; Marker?: string }) => {
    const answer = await service.kms.listAliases(input);
    return { ...answer, names: answer.Aliases!.map(({ AliasName }) => AliasName!) };
  },
} satisfies Record<string, (input: { Limit?: number; Marker?: string }) => Promise<Page & { names: string[] }>>;
const expected = { ListKeys: () => ids, ListAliases: () => ids.map((_, i) => `alias/key-${i}`) };

describe.each(['ListKeys', 'ListAliases'] as const)('%s', (name) => {
  const list = lists[name];

  test.each([1, 7, 24, 25, 26, 100])('gives everything once in pages of %i', async (Limit) => {
    const seen: string[] = [];
    let Marker: string | undefined;
    for (let pages = 1; ; pages++) {
      const page = await list({ Limit, ...(Marker && { Marker }) });
      seen.push(...page.names);
      expect(page.names.length).toBeLessThanOrEqual(Limit);
      Marker = page.NextMarker;
      expect(page.Truncated).toBe(Marker !== undefined);
      if (Marker === undefined) {
        expect(pages).toBe(Math.ceil(keyCount / Limit));
        break;
      }
      expect(page.names).toHaveLength(Limit);
    }
    expect(seen.toSorted()).toEqual(expected[name]().toSorted());
  });

  test.each(['x', 'bm90IGEgbWFya2Vy', ' ', 'W10', 'x'.repeat(1024)])('refuses the marker %j', async (Marker) => {
    expect((await refusal(list({ Marker }))).name).toBe('InvalidMarkerException');
  });

  test('refuses a marker that was changed, or is of another list', async () => {
    const { NextMarker } = await list({ Limit: 1 });
    expect((await refusal(list({ Marker: `${NextMarker}A` }))).name).toBe('InvalidMarkerException');
    const other = lists[name === 'ListKeys' ? 'ListAliases' : 'ListKeys'];
    expect((await refusal(other({ Marker: NextMarker! }))).name).toBe('InvalidMarkerException');
  });

  test('refuses a marker that is too long or empty in the words of the model', async () => {
    for (const Marker of ['', 'x'.repeat(1025)]) {
      expect((await refusal(list({ Marker }))).name).toBe('ValidationException');
    }
  });

  const most = name === 'ListKeys' ? 1000 : 100;
  test.each([0, -1, most + 1, 1001])('refuses Limit %i', async (Limit) => {
    const { name: refused, message } = await refusal(list({ Limit }));
    expect(refused).toBe('ValidationException');
    expect(message).toMatch(
      new RegExp(`^1 validation error detected: Value '${Limit}' at 'limit' failed to satisfy constraint: Member must`),
    );
  });

  test('always says whether there is more', async () => {
    const { body } = await call(service, name, {});
    expect(JSON.parse(body)).toMatchObject({ Truncated: false });
    expect(JSON.parse(body)).not.toHaveProperty('NextMarker');
  });
});

test('ListKeys tells id and ARN of each key', async () => {
  const { Keys } = await service.kms.listKeys({ Limit: 1 });
  const id = ids.toSorted()[0];
  expect(Keys).toEqual([{ KeyId: id, KeyArn: `arn:aws:kms:${region}:${accountId}:key/${id}` }]);
});

test('a page has 100 keys or 50 aliases unless told', async () => {
  const other = await Service.start();
  try {
    const make = async (i: number) => {
      const { KeyId } = await other.newKey();
      if (i <= 50) await other.kms.createAlias({ AliasName: `alias/${i}`, TargetKeyId: KeyId });
    };
    await Promise.all(Array.from({ length: 101 }, (_, i) => make(i)));
    expect((await other.kms.listKeys({})).Keys).toHaveLength(100);
    expect((await other.kms.listAliases({})).Aliases).toHaveLength(50);
  } finally {
    await other.end();
  }
});

test('pages stay whole while keys and aliases come and go', async () => {
  const seen: string[] = [];
  for await (const { Keys } of paginateListKeys({ client: service.kms, pageSize: 3 }, {})) {
    seen.push(...Keys!.map(({ KeyId }) => KeyId!));
    await service.newKey();
  }
  expect(new Set(seen).size).toBe(seen.length);
  expect(seen).toEqual(expect.arrayContaining(ids));

  const aliases: string[] = [];
  const gone: string[] = [];
  for await (const { Aliases } of paginateListAliases({ client: service.kms, pageSize: 3 }, {})) {
    aliases.push(...Aliases!.map(({ AliasName }) => AliasName!));
    // the one that the marker names, too
    const AliasName = aliases.at(-1)!;
    await service.kms.deleteAlias({ AliasName });
    gone.push(AliasName);
  }
  expect(aliases.toSorted()).toEqual(expected.ListAliases().toSorted());
  expect(gone.length).toBeGreaterThan(5);
});
