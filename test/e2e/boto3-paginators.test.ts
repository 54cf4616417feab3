import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { hasBoto3 } from '../service/botocore.js';
import { makeToken } from '../service/further-token.js';
import { accountId, cleanEnvironment, region, Service } from '../service/service.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';

/** All eight paginators that botocore has for KMS, over more than two pages each where there can be so many. */

interface Walk {
  readonly args: object;
  readonly pageSize: number;
}
type Page = Readonly<Record<string, unknown>>;

const isInstalled = hasBoto3();
const principal = `arn:aws:iam::${accountId}:root`;
const stores = ['a', 'b', 'c'].map((letter) => ({
  clusterId: `cluster-${letter.repeat(11)}`,
  tokenLabel: `store ${letter}`,
  pin: `pin-of-store-${letter}`,
}));

let service: Service;
let pages: Record<string, Page[]>;
const made = { keys: [] as string[], aliases: [] as string[], grants: [] as string[], tags: [] as string[] };

beforeAll(async () => {
  if (!isInstalled) return;
  service = await Service.start({
    flags: ['--key-stores', JSON.stringify(stores.map(({ pin: _, ...store }) => store))],
    prepare: async (dataDir) => {
      for (const { tokenLabel, pin } of stores) await makeToken(dataDir, tokenLabel, pin);
    },
  });
  const { kms } = service;
  made.tags = Array.from({ length: 7 }, (_, i) => `tag ${i}`);
  const { KeyId } = await service.newKey({ Tags: made.tags.map((TagKey) => ({ TagKey, TagValue: 'value' })) });
  made.keys.push(KeyId);
  for (let i = 0; i < 4; i++) made.keys.push((await service.newKey()).KeyId);
  for (let i = 0; i < 5; i++) {
    const AliasName = `alias/${i}`;
    await kms.createAlias({ AliasName, TargetKeyId: KeyId });
    made.aliases.push(AliasName);
    await kms.rotateKeyOnDemand({ KeyId });
    const { GrantId } = await kms.createGrant({
      ...{ KeyId, GranteePrincipal: principal, RetiringPrincipal: principal, Operations: ['Encrypt'] },
    });
    made.grants.push(GrantId as string);
  }
  for (const { clusterId, tokenLabel, pin } of stores) {
    await kms.createCustomKeyStore({
      CustomKeyStoreName: tokenLabel,
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate: trustAnchorCertificate,
      KeyStorePassword: pin,
    });
  }
  const ofKey = { args: { KeyId }, pageSize: 2 };
  pages = await paginate({
    list_keys: { args: {}, pageSize: 2 },
    list_aliases: { args: {}, pageSize: 2 },
    list_grants: ofKey,
    list_key_policies: { args: { KeyId }, pageSize: 1 },
    list_key_rotations: ofKey,
    list_resource_tags: { args: { KeyId }, pageSize: 3 },
    list_retirable_grants: { args: { RetiringPrincipal: principal }, pageSize: 2 },
    describe_custom_key_stores: { args: {}, pageSize: 1 },
  });
});
afterAll(() => service?.end());

async function paginate(walks: Readonly<Record<string, Walk>>): Promise<Record<string, Page[]>> {
  const child = spawn('python3', [fileURLToPath(new URL('../service/paginate.py', import.meta.url))], {
    env: {
      ...cleanEnvironment(),
      AWS_ENDPOINT_URL_KMS: service.url,
      AWS_REGION: region,
      AWS_SHARED_CREDENTIALS_FILE: join(service.dataDir, 'credentials'),
    },
  });
  let output = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    errors += text;
  });
  child.stdin.end(JSON.stringify(walks));
  const [code] = await once(child, 'close');
  if (code !== 0) throw new Error(`paginate.py failed: ${errors}`);
  return JSON.parse(output);
}

const names = (list: unknown, member: string) => (list as Page[]).map((each) => each[member]);

/** Paginator, how many elements its pages have, and what tells the elements apart, in what is listed. */
const lists: [string, number[], (page: Page) => unknown[], () => readonly string[] | undefined][] = [
  ['list_keys', [2, 2, 1], ({ Keys }) => names(Keys, 'KeyId'), () => made.keys],
  ['list_aliases', [2, 2, 1], ({ Aliases }) => names(Aliases, 'AliasName'), () => made.aliases],
  ['list_grants', [2, 2, 1], ({ Grants }) => names(Grants, 'GrantId'), () => made.grants],
  ['list_retirable_grants', [2, 2, 1], ({ Grants }) => names(Grants, 'GrantId'), () => made.grants],
  // ids of key material are told nowhere else
  ['list_key_rotations', [2, 2, 1], ({ Rotations }) => names(Rotations, 'KeyMaterialId'), () => undefined],
  ['list_resource_tags', [3, 3, 1], ({ Tags }) => names(Tags, 'TagKey'), () => made.tags],
  // a key has one policy
  ['list_key_policies', [1], ({ PolicyNames }) => PolicyNames as string[], () => ['default']],
  [
    'describe_custom_key_stores',
    [1, 1, 1],
    ({ CustomKeyStores }) => names(CustomKeyStores, 'CustomKeyStoreName'),
    () => stores.map(({ tokenLabel }) => tokenLabel),
  ],
];

const testEach = isInstalled ? test.each(lists) : test.skip.each(lists);

testEach('%s: pages of %j', (name, sizes, elementsOf, expected) => {
  const walked = pages[name] as Page[];
  expect(walked.map((page) => elementsOf(page).length)).toEqual(sizes);
  expect(walked.map(({ Truncated }) => Truncated)).toEqual(sizes.map((_, i) => i < sizes.length - 1));
  expect(walked.map(({ NextMarker }) => NextMarker !== undefined)).toEqual(walked.map(({ Truncated }) => Truncated));
  const elements = walked.flatMap(elementsOf);
  expect(new Set(elements).size).toBe(elements.length);
  const all = expected();
  if (all !== undefined) expect(elements.toSorted()).toEqual(all.toSorted());
});
