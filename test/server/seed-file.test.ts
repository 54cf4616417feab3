import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { stringify } from 'yaml';
import { readSeedFile, SeedError } from '../../src/server/seed-file.js';

const home = { region: 'eu-central-1', accountId: '123456789012' };
const KeyId = '00000000-0000-4000-8000-000000000001';
const other = '00000000-0000-4000-8000-000000000002';
const material = Buffer.alloc(32, 7).toString('base64');
const external = { KeyId, Origin: 'EXTERNAL' };

let file: string;
beforeAll(() => {
  file = join(mkdtempSync(join(tmpdir(), 'hsm-kms-seed-')), 'seed.yaml');
});
afterAll(() => rmSync(join(file, '..'), { recursive: true }));

function read(text: string) {
  writeFileSync(file, text);
  return readSeedFile(file, home);
}
const readKeys = (...keys: unknown[]) => read(stringify({ Keys: keys })).keys;

/** The lines of the error, without the file's name that each begins with. */
function faultsOf(text: string): string[] {
  try {
    read(text);
  } catch (error) {
    expect(error).toBeInstanceOf(SeedError);
    const lines = (error as Error).message.replace(/^The seed does not fit\.\n/, '').split('\n');
    return lines.map((line) => {
      expect(line.trim().startsWith(`${file}: `)).toBe(true);
      return line.trim().slice(file.length + 2);
    });
  }
  throw new Error('it was taken');
}

test('a key id alone is a symmetric encryption key', () => {
  expect(readKeys({ KeyId })).toEqual([
    {
      at: 'Keys[0]',
      id: KeyId,
      spec: 'SYMMETRIC_DEFAULT',
      usage: 'ENCRYPT_DECRYPT',
      request: { MultiRegion: false },
      aliases: [],
      enabled: true,
      rotationPeriodDays: undefined,
      material: undefined,
    },
  ]);
});

test('a policy may be a mapping or JSON text, and what is null is absent', () => {
  const policy = {
    Version: '2012-10-17',
    Statement: [{ Effect: 'Allow', Principal: '*', Action: 'kms:*', Resource: '*' }],
  };
  for (const Policy of [policy, JSON.stringify(policy)]) {
    const [key] = readKeys({ KeyId, Policy, Description: null, Aliases: null, KeyMaterial: null });
    expect(key).toMatchObject({ request: { Policy: JSON.stringify(policy) }, aliases: [], material: undefined });
    expect(key?.request).not.toHaveProperty('Description');
  }
});

test('the example of docs/testing.md is taken', () => {
  const [, example = ''] = /```yaml\n([\s\S]+?)```/.exec(readFileSync('docs/testing.md', 'utf8')) ?? [];
  expect(read(example).keys).toMatchObject([
    { aliases: ['alias/app'], rotationPeriodDays: 365 },
    { spec: 'ECC_NIST_P256', request: { MultiRegion: true, Policy: expect.stringContaining('"2012-10-17"') } },
    { material: Buffer.from(Array.from({ length: 32 }, (_, index) => index)) },
  ]);
});

test('the file may be JSON', () => {
  const seed = { Keys: [{ KeyId, Aliases: ['alias/a'] }] };
  expect(read(JSON.stringify(seed)).keys).toMatchObject([{ id: KeyId, aliases: ['alias/a'] }]);
});

test.each([
  [{ KeyRotationEnabled: true }, 365],
  [{ RotationPeriodInDays: 90 }, 90],
  [{ KeyRotationEnabled: true, RotationPeriodInDays: 2560 }, 2560],
  [{ KeyRotationEnabled: false }, undefined],
])('rotation %j is every %s days', (rotation, days) => {
  expect(readKeys({ KeyId, ...rotation })).toMatchObject([{ rotationPeriodDays: days }]);
});

test('a multi-Region key is known by its id', () => {
  const id = `mrk-${'0'.repeat(32)}`;
  for (const key of [{ KeyId: id }, { KeyId: id, MultiRegion: true }]) {
    expect(readKeys(key)).toMatchObject([{ id, request: { MultiRegion: true } }]);
  }
});

test('key material is base64 in one line or several, or a private key in PEM', () => {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const der = privateKey.export({ type: 'pkcs8', format: 'der' });
  const spec = { ...external, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' };
  const forms = [
    der.toString('base64'),
    der.toString('base64').replace(/.{64}/g, '$&\n'),
    privateKey.export({ type: 'pkcs8', format: 'pem' }),
    privateKey.export({ type: 'sec1', format: 'pem' }),
  ];
  for (const KeyMaterial of forms) expect(readKeys({ ...spec, KeyMaterial })).toMatchObject([{ material: der }]);
});

const secret = 'c2VjcmV0IHRleHQ';
const oneFault: [string, unknown, string, RegExp][] = [
  ['an unknown field', { KeyId, Polcy: {} }, 'Keys[0].Polcy', /^is no field of a seeded key; these are KeyId, /],
  ['a field of local-kms', { KeyId, Metadata: {} }, 'Keys[0].Metadata', /^is no field /],
  ['what only key stores have', { KeyId, CustomKeyStoreId: 'cks-1' }, 'Keys[0].CustomKeyStoreId', /^is no field /],
  ['no key id', { Description: 'x' }, 'Keys[0].KeyId', /^must be a UUID/],
  ['a key id in capitals', { KeyId: KeyId.replace(/1$/, 'A') }, 'Keys[0].KeyId', /lower case/],
  ['a key ARN', { KeyId: `arn:aws:kms:eu-central-1:123456789012:key/${KeyId}` }, 'Keys[0].KeyId', /^must be a UUID/],
  ['a number as key id', { KeyId: 12 }, 'Keys[0].KeyId', /^must be a UUID/],
  ['no mapping', 'alias/x', 'Keys[0]', /^must hold names and values/],
  ['an unknown key spec', { KeyId, KeySpec: 'AES' }, 'Keys[0].KeySpec', /failed to satisfy constraint: Member must/],
  ['a key spec without its usage', { KeyId, KeySpec: 'RSA_2048' }, 'Keys[0].KeySpec', /must specify a KeyUsage/],
  ['a usage of others', { KeyId, KeyUsage: 'SIGN_VERIFY' }, 'Keys[0].KeySpec', /not compatible with KeySpec/],
  ['a key spec of nobody', { KeyId, KeySpec: 'SM2', KeyUsage: 'SIGN_VERIFY' }, 'Keys[0].KeySpec', /not supported/],
  ['a description of another type', { KeyId, Description: 12 }, 'Keys[0].Description', /can not be converted/],
  ['a description too long', { KeyId, Description: 'x'.repeat(8193) }, 'Keys[0].Description', /length less than/],
  ['a tag without value', { KeyId, Tags: [{ TagKey: 'a' }] }, 'Keys[0].Tags', /'tags\.1\.member\.tagValue'/],
  ['tags as a mapping', { KeyId, Tags: { a: 'b' } }, 'Keys[0].Tags', /where not expected/],
  ['a reserved tag', { KeyId, Tags: [{ TagKey: 'aws:a', TagValue: '' }] }, 'Keys[0].Tags', /reserved/],
  ['a policy that is none', { KeyId, Policy: { Statement: 1 } }, 'Keys[0].Policy', /./],
  ['a policy that is no JSON', { KeyId, Policy: 'allow' }, 'Keys[0].Policy', /./],
  ['an alias without prefix', { KeyId, Aliases: ['x'] }, 'Keys[0].Aliases[0]', /must start with the prefix/],
  ['an alias of AWS', { KeyId, Aliases: ['alias/a', 'alias/aws/s3'] }, 'Keys[0].Aliases[1]', /reserved/],
  ['an alias with a space', { KeyId, Aliases: ['alias/a b'] }, 'Keys[0].Aliases[0]', /regular expression/],
  ['an alias that is no text', { KeyId, Aliases: [1] }, 'Keys[0].Aliases[0]', /can not be converted to a String/],
  ['one alias instead of a list', { KeyId, Aliases: 'alias/a' }, 'Keys[0].Aliases', /^must be a list/],
  ['an alias twice', { KeyId, Aliases: ['alias/a', 'alias/a'] }, 'Keys[0].Aliases[1]', /is at Keys\[0\]\.Aliases\[0\]/],
  ['a state as text', { KeyId, Enabled: 'no' }, 'Keys[0].Enabled', /^must be true or false/],
  [
    'a short period',
    { KeyId, RotationPeriodInDays: 89 },
    'Keys[0].RotationPeriodInDays',
    /greater than or equal to 90/,
  ],
  [
    'rotation of what has none',
    { KeyId, KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', KeyRotationEnabled: true },
    'Keys[0].KeyRotationEnabled',
    /is not a symmetric encryption key/,
  ],
  ['rotation of imported keys', { ...external, RotationPeriodInDays: 90 }, 'Keys[0].RotationPeriodInDays', /EXTERNAL/],
  [
    'a period and no rotation',
    { KeyId, KeyRotationEnabled: false, RotationPeriodInDays: 90 },
    'Keys[0].RotationPeriodInDays',
    /KeyRotationEnabled is false/,
  ],
  ['an origin in a key store', { KeyId, Origin: 'AWS_CLOUDHSM' }, 'Keys[0].Origin', /^must be AWS_KMS or EXTERNAL/],
  ['an mrk- that is none', { KeyId, MultiRegion: true }, 'Keys[0].MultiRegion', /begin with mrk-/],
  ['imported and disabled', { ...external, Enabled: false }, 'Keys[0].Enabled', /cannot be seeded disabled/],
  ['material of a generated key', { KeyId, KeyMaterial: material }, 'Keys[0].KeyMaterial', /Origin: EXTERNAL/],
  ['material that is no base64', { ...external, KeyMaterial: secret }, 'Keys[0].KeyMaterial', /^must be base64/],
  ['material that is a number', { ...external, KeyMaterial: 12 }, 'Keys[0].KeyMaterial', /^must be base64/],
  ['no material', { ...external, KeyMaterial: '' }, 'Keys[0].KeyMaterial', /^must be base64/],
  [
    'a PEM that is none',
    { ...external, KeyMaterial: `-----BEGIN PRIVATE KEY-----\n${secret}\n` },
    'Keys[0].KeyMaterial',
    /^must be base64, or a private key in PEM/,
  ],
];

describe('what does not fit is refused with its place:', () => {
  test.each(oneFault)('%s', (_, key, at, sentence) => {
    const [fault = '', ...rest] = faultsOf(stringify({ Keys: [key] }));
    expect(rest).toEqual([]);
    expect(fault.startsWith(`${at}: `)).toBe(true);
    expect(fault.slice(at.length + 2)).toMatch(sentence);
    expect(fault).not.toContain(secret);
  });

  test.each([
    ['nothing', ''],
    ['a list', '[]'],
    ['a text', 'Keys'],
    ['keys by name', 'Keys: {a: {}}'],
    ['aliases alone', 'Aliases: []'],
  ])('a file that holds %s', (_, text) => {
    expect(faultsOf(text)).toEqual([expect.stringMatching(/^Keys: a list of keys is expected/)]);
  });

  test('aliases beside the keys, and the same id or alias at two keys', () => {
    const text = stringify({
      Keys: [{ KeyId, Aliases: ['alias/a'] }, { KeyId: other, Aliases: ['alias/a'] }, { KeyId }],
      Aliases: [{ AliasName: 'alias/b', TargetKeyId: KeyId }],
    });
    expect(faultsOf(text)).toEqual([
      expect.stringMatching(/^Aliases: is no field of a seed/),
      'Keys[1].Aliases[0]: alias/a is at Keys[0].Aliases[0] already.',
      `Keys[2].KeyId: ${KeyId} is at Keys[0].KeyId already.`,
    ]);
  });

  test('all faults of a file at once', () => {
    const keys = oneFault.map(([, key]) => key);
    expect(faultsOf(stringify({ Keys: keys })).length).toBeGreaterThanOrEqual(keys.length);
  });

  test.each([
    ['YAML with a fault', `Keys:\n  - KeyId: ${KeyId}\n KeyMaterial: ${secret}\n`],
    ['a name twice', `Keys: []\nKeys: []\n# ${secret}\n`],
    ['an alias without its anchor', 'Keys: [*key]'],
  ])('%s, in one line without its content', (_, text) => {
    writeFileSync(file, text);
    expect(() => readSeedFile(file, home)).toThrow(SeedError);
    expect(() => readSeedFile(file, home)).toThrow(/^The seed file .+seed\.yaml cannot be read: .+$/);
    expect(() => readSeedFile(file, home)).not.toThrow(secret);
  });

  test('a file that is not there', () => {
    expect(() => readSeedFile('/nowhere/seed.yaml', home)).toThrow(
      /^The seed file \/nowhere\/seed\.yaml cannot be read: ENOENT/,
    );
  });
});
