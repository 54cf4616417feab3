import { type KMS, paginateListResourceTags, type Tag } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
let kms: KMS;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  service = await Service.start();
  kms = service.kms;
});
afterAll(() => service.end());
beforeEach(async () => {
  ({ KeyId, Arn } = await service.newKey());
});

const tag = (TagKey: string, TagValue = ''): Tag => ({ TagKey, TagValue });
const numbered = (count: number, prefix = 'key'): Tag[] =>
  Array.from({ length: count }, (_, index) => tag(`${prefix}-${String(index).padStart(2, '0')}`, `${index}`));
const tagsOf = async () => (await kms.listResourceTags({ KeyId })).Tags;

test('tags are added, changed and removed', async () => {
  expect(await tagsOf()).toEqual([]);
  await kms.tagResource({ KeyId, Tags: [tag('Owner', 'ops'), tag('empty'), tag('owner', 'case matters')] });
  await kms.tagResource({ KeyId: Arn, Tags: [tag('Owner', 'dev'), tag('Ünïcode ☃', '☃')] });
  expect(await tagsOf()).toEqual([
    tag('Owner', 'dev'),
    tag('empty'),
    tag('owner', 'case matters'),
    tag('Ünïcode ☃', '☃'),
  ]);
  await kms.untagResource({ KeyId, TagKeys: ['Owner', 'never there', 'empty', 'empty'] });
  expect(await tagsOf()).toEqual([tag('owner', 'case matters'), tag('Ünïcode ☃', '☃')]);
  await kms.untagResource({ KeyId, TagKeys: ['never there'] });
  await kms.untagResource({ KeyId, TagKeys: [] });
  await kms.tagResource({ KeyId, Tags: [] });
  expect(await tagsOf()).toHaveLength(2);
});

test('tags given to CreateKey are listed', async () => {
  ({ KeyId } = await service.newKey({ Tags: [tag('b', '2'), tag('a', '1')] }));
  expect(await tagsOf()).toEqual([tag('a', '1'), tag('b', '2')]);
});

describe('a key has 50 tags at the most', () => {
  test('counting those that it has', async () => {
    await kms.tagResource({ KeyId, Tags: numbered(49) });
    expect(await refusal(kms.tagResource({ KeyId, Tags: [tag('x'), tag('y')] }))).toEqual({
      name: 'TagException',
      message: 'Too many tags',
    });
    await kms.tagResource({ KeyId, Tags: [tag('x')] });
    expect(await tagsOf()).toHaveLength(50);
  });

  test('and changes all 50 at once', async () => {
    await kms.tagResource({ KeyId, Tags: numbered(50) });
    const changed = numbered(50).map(({ TagKey }) => tag(TagKey as string, 'new'));
    await kms.tagResource({ KeyId, Tags: changed });
    expect(await tagsOf()).toEqual(changed);
  });

  test('also when requests come at the same time', async () => {
    await kms.tagResource({ KeyId, Tags: numbered(48) });
    const calls = ['p', 'q', 'r', 's'].map((name) => kms.tagResource({ KeyId, Tags: [tag(name)] }));
    const outcomes = await Promise.allSettled(calls);
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(2);
    expect(await tagsOf()).toHaveLength(50);
  });
});

const reserved = 'Tags beginning with aws: are reserved';
test.each([
  ['the same key twice', [tag('a', '1'), tag('a', '2')], 'Duplicate tag keys'],
  ['51 of them', numbered(51), 'Too many tags'],
  ['a reserved key', [tag('aws:x')], reserved],
  ['a reserved key in capitals', [tag('AWS:x')], reserved],
])('refuses %s, in CreateKey too', async (_what, Tags, message) => {
  const expected = { name: 'TagException', message };
  expect(await refusal(kms.tagResource({ KeyId, Tags }))).toEqual(expected);
  expect(await refusal(kms.createKey({ Tags }))).toEqual(expected);
  expect(await tagsOf()).toEqual([]);
});

test('takes the longest key and value, and refuses longer ones', async () => {
  const longest = tag('k'.repeat(128), 'v'.repeat(256));
  await kms.tagResource({ KeyId, Tags: [longest] });
  expect(await tagsOf()).toEqual([longest]);
  const { name, message } = await refusal(kms.tagResource({ KeyId, Tags: [tag('k'.repeat(129))] }));
  expect(name).toBe('ValidationException');
  expect(message).toContain("at 'tags.1.member.tagKey'");
  expect(await refusalName(kms.tagResource({ KeyId, Tags: [tag('k', 'v'.repeat(257))] }))).toBe('ValidationException');
});

test('takes very many tag keys to remove', async () => {
  const TagKeys = Array.from({ length: 60_000 }, (_, index) => `k${index}`);
  await kms.tagResource({ KeyId, Tags: [tag('k1'), tag('stays')] });
  await kms.untagResource({ KeyId, TagKeys });
  expect(await tagsOf()).toEqual([tag('stays')]);
});

describe('pages', () => {
  test('of the length asked for, to the end, while tags go', async () => {
    const tags = numbered(25, '☃'.repeat(100));
    await kms.tagResource({ KeyId, Tags: tags });
    const seen: Tag[] = [];
    for await (const page of paginateListResourceTags({ client: kms, pageSize: 10 }, { KeyId })) {
      if (seen.length === 0) await kms.untagResource({ KeyId, TagKeys: [tags[9]?.TagKey as string] });
      seen.push(...(page.Tags ?? []));
    }
    expect(seen).toEqual(tags);
  });

  test('a marker of control characters is taken back', async () => {
    await kms.tagResource({ KeyId, Tags: [tag('\u0001'.repeat(128)), tag('a')] });
    const { NextMarker, Truncated } = await kms.listResourceTags({ KeyId, Limit: 1 });
    expect(Truncated).toBe(true);
    expect((await kms.listResourceTags({ KeyId, Marker: NextMarker })).Tags).toEqual([tag('a')]);
  });

  test('Limit is 1 to 50, and 50 when it is not given', async () => {
    await kms.tagResource({ KeyId, Tags: numbered(50) });
    expect(await kms.listResourceTags({ KeyId })).toMatchObject({ Truncated: false });
    expect(await kms.listResourceTags({ KeyId, Limit: 50 })).toMatchObject({ Truncated: false });
    expect(await refusal(kms.listResourceTags({ KeyId, Limit: 51 }))).toEqual({
      name: 'ValidationException',
      message:
        "1 validation error detected: Value '51' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 50",
    });
    expect(await refusalName(kms.listResourceTags({ KeyId, Limit: 0 }))).toBe('ValidationException');
  });

  test('foreign markers are refused', async () => {
    const { NextMarker } = await kms.listKeys({ Limit: 1 });
    for (const Marker of ['x', 'AAAA', NextMarker as string]) {
      expect(await refusalName(kms.listResourceTags({ KeyId, Marker }))).toBe('InvalidMarkerException');
    }
  });
});

describe('UpdateKeyDescription', () => {
  const descriptionOf = async () => (await kms.describeKey({ KeyId })).KeyMetadata?.Description;

  test.each([
    ['a new one', 'new'],
    ['an empty one', ''],
    ['the longest one', 'd'.repeat(8192)],
    ['one that is not ASCII', 'snow ☃'],
  ])('sets %s', async (_what, Description) => {
    await kms.updateKeyDescription({ KeyId, Description: 'old' });
    await kms.updateKeyDescription({ KeyId, Description });
    expect(await descriptionOf()).toBe(Description);
  });

  test('refuses a longer one', async () => {
    const Description = 'd'.repeat(8193);
    expect(await refusalName(kms.updateKeyDescription({ KeyId, Description }))).toBe('ValidationException');
  });
});

describe('of the key states', () => {
  const changes: [string, () => Promise<unknown>][] = [
    ['TagResource', () => kms.tagResource({ KeyId, Tags: [tag('a')] })],
    ['UntagResource', () => kms.untagResource({ KeyId, TagKeys: ['a'] })],
    ['UpdateKeyDescription', () => kms.updateKeyDescription({ KeyId, Description: 'x' })],
  ];

  test.each(changes)('%s takes a disabled key, and refuses one that is pending deletion', async (_name, change) => {
    await kms.disableKey({ KeyId });
    await change();
    await kms.scheduleKeyDeletion({ KeyId });
    expect(await refusal(change())).toEqual({
      name: 'KMSInvalidStateException',
      message: `${Arn} is pending deletion.`,
    });
    expect(await tagsOf()).toBeDefined();
  });

  test.each(changes)('%s does not take an alias', async (_name, change) => {
    await kms.createAlias({ AliasName: `alias/${KeyId}`, TargetKeyId: KeyId });
    KeyId = `alias/${KeyId}`;
    expect(await refusalName(change())).toBe('NotFoundException');
  });
});
