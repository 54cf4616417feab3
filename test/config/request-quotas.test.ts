import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from '@jest/globals';
import { allQuotas } from '../../src/config/aws-request-quotas.js';
import { loadSettings } from '../../src/config/load-settings.js';
import { keySpecsOf, operationsOf } from '../../src/config/request-quotas.js';
import { operationNames } from '../../src/contract/operations.js';

const one = { operations: ['*'], per: 'principal', requests: 100 };

const quotasOf = (text: string) =>
  loadSettings({ environment: { HSM_KMS_REQUEST_QUOTAS: text } }).settings.requestQuotas;
/** The first of a list of quotas. */
const quotaOf = (quota: object) => {
  const [first] = quotasOf(JSON.stringify([quota]));
  if (first === undefined || first === 'aws') throw new Error('no quota');
  return first;
};

test('there are none by default', () => {
  expect(loadSettings({}).settings.requestQuotas).toEqual([]);
});

test('JSON in the environment and a list in the file say the same', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-settings-'));
  try {
    const file = join(directory, 'settings.yaml');
    writeFileSync(
      file,
      [
        'requestQuotas:',
        '  - aws',
        '  - operations: [Sign, Verify]',
        '    keySpecs: [RSA_*]',
        '    principals: ["arn:aws:iam::000000000000:role/batch"]',
        '    per: account',
        '    requests: 30',
        '    seconds: 10',
      ].join('\n'),
    );
    const inFile = loadSettings({ file }).settings.requestQuotas;
    expect(inFile).toHaveLength(2);
    expect(quotasOf(JSON.stringify(inFile))).toEqual(inFile);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test("the documentation's example is in the form of the setting", () => {
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-settings-'));
  try {
    const page = readFileSync(fileURLToPath(new URL('../../docs/quotas.md', import.meta.url)), 'utf8');
    const file = join(directory, 'settings.yaml');
    writeFileSync(file, /^```yaml\n(.*?)^```$/ms.exec(page)?.[1] ?? '');
    const quotas = loadSettings({ file }).settings.requestQuotas;
    expect(quotas.map((quota) => (quota === 'aws' ? quota : quota.requests))).toEqual([500, 20, 600, 'aws']);
  } finally {
    rmSync(directory, { recursive: true });
  }
});

test('aws alone is a list of it; an interval is a second unless it says otherwise', () => {
  expect(quotasOf('aws')).toEqual(['aws']);
  expect(quotaOf(one)).toEqual({ ...one, seconds: 1 });
});

test('asterisks stand for any characters in names of operations and key specs', () => {
  expect(operationsOf(quotaOf(one))).toEqual(operationNames);
  const some = quotaOf({ ...one, operations: ['GenerateDataKey*', 'Sign', 'List*Keys'], keySpecs: ['RSA_*', '*P256'] });
  expect(operationsOf(some)).toEqual([
    'GenerateDataKey',
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
    'GenerateDataKeyWithoutPlaintext',
    'ListKeys',
    'Sign',
  ]);
  expect([...(keySpecsOf(some) ?? [])]).toEqual(['RSA_2048', 'RSA_3072', 'RSA_4096', 'ECC_NIST_P256']);
  expect(keySpecsOf(quotaOf(one))).toBeUndefined();
});

test.each<[string, string, string]>([
  ['neither JSON nor aws', 'AWS', 'is neither aws nor a list'],
  ['no list', JSON.stringify(one), 'is neither aws nor a list'],
  ['no object', '[3]', 'quota 1: '],
  ['another word', '["aws", "azure"]', 'quota 2: '],
  [
    'an unknown operation',
    JSON.stringify(['aws', { ...one, operations: ['Encrypt', 'Encrpyt'] }]),
    'quota 2: KMS has no operation "Encrpyt"',
  ],
  ['an operation in small letters', JSON.stringify([{ ...one, operations: ['encrypt'] }]), 'no operation "encrypt"'],
  ['a pattern of nothing', JSON.stringify([{ ...one, operations: ['Foo*'] }]), 'KMS has no operation "Foo*"'],
  ['a regular expression', JSON.stringify([{ ...one, operations: ['.+'] }]), 'KMS has no operation ".+"'],
  ['an unknown key spec', JSON.stringify([{ ...one, keySpecs: ['RSA_1024'] }]), 'KMS has no key spec "RSA_1024"'],
  ['no operations', JSON.stringify([{ ...one, operations: [] }]), 'quota 1: '],
  ['operations left out', JSON.stringify([{ per: 'account', requests: 1 }]), 'operations is a list of operations'],
  ['no principals', JSON.stringify([{ ...one, principals: [] }]), 'quota 1: '],
  ['a principal that is no ARN', JSON.stringify([{ ...one, principals: ['alice'] }]), 'principals are ARNs'],
  ['per left out', JSON.stringify([{ operations: ['*'], requests: 1 }]), 'per is principal, account or keyStore'],
  ['per something else', JSON.stringify([{ ...one, per: 'key' }]), 'per is principal, account or keyStore'],
  ['no requests at all', JSON.stringify([{ ...one, requests: 0 }]), 'requests is a whole number from 1'],
  ['half a request', JSON.stringify([{ ...one, requests: 0.5 }]), 'requests is a whole number from 1'],
  ['requests as text', JSON.stringify([{ ...one, requests: '5' }]), 'requests is a whole number from 1'],
  ['half a second', JSON.stringify([{ ...one, seconds: 0.5 }]), 'seconds is a whole number from 1 to 86400'],
  ['more than a day', JSON.stringify([{ ...one, seconds: 86_401 }]), 'seconds is a whole number from 1 to 86400'],
  ['a member that nobody knows', JSON.stringify([{ ...one, burst: 5 }]), '"burst"'],
])('%s is refused', (_what, text, message) => {
  expect(() => quotasOf(text)).toThrow(message);
  expect(() => quotasOf(text)).toThrow('HSM_KMS_REQUEST_QUOTAS: ');
});

test('aws is what AWS publishes, for the Region; other quotas stay as they are', () => {
  const mine = quotaOf(one);
  const quotas = allQuotas(['aws', mine], 'eu-central-1');
  expect(quotas.at(-1)).toBe(mine);
  const ofEncryption = quotas.filter((quota) => quota !== mine && operationsOf(quota).includes('Encrypt'));
  expect(ofEncryption.map(({ per, requests, keySpecs }) => ({ per, requests, keySpecs }))).toEqual([
    { per: 'account', requests: 20_000, keySpecs: ['SYMMETRIC_DEFAULT', 'HMAC_*'] },
    { per: 'account', requests: 1_000, keySpecs: ['RSA_*'] },
    { per: 'account', requests: 1_000, keySpecs: ['ECC_*', 'SM2'] },
    { per: 'keyStore', requests: 1_800, keySpecs: undefined },
  ]);
  const rateOf = (region: string, keySpec: string, operation = 'GenerateDataKeyPair') =>
    allQuotas(['aws'], region).find(
      (quota) => quota.keySpecs?.includes(keySpec) && (quota.operations as string[]).includes(operation),
    );
  expect(rateOf('us-east-1', 'SYMMETRIC_DEFAULT', 'Decrypt')).toMatchObject({ requests: 100_000, seconds: 1 });
  expect(rateOf('eu-north-1', 'SYMMETRIC_DEFAULT', 'Decrypt')).toMatchObject({ requests: 10_000, seconds: 1 });
  expect(rateOf('eu-north-1', 'RSA_4096')).toMatchObject({ requests: 1, seconds: 1 });
  expect(rateOf('cn-north-1', 'RSA_4096')).toMatchObject({ requests: 1, seconds: 10 });
});

test('what AWS publishes is in the form of the setting, and has a quota for every operation but the newest', () => {
  const quotas = allQuotas(['aws'], 'us-east-1');
  expect(quotasOf(JSON.stringify(quotas))).toEqual(quotas);
  const without = operationNames.filter((name) => !quotas.some((quota) => operationsOf(quota).includes(name)));
  expect(without).toEqual(['Decapsulate', 'Encapsulate']);
});
