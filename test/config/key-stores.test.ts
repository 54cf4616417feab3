import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';

const one = { clusterId: 'cluster-aaaaaaaaaaa', tokenLabel: 'one' };
const two = { clusterId: 'cluster-bbbbbbbbbbb', tokenLabel: 'two', pkcs11Module: '/module.so' };

const keyStoresOf = (text: string) => loadSettings({ environment: { HSM_KMS_KEY_STORES: text } }).settings.keyStores;

test('there are none by default', () => {
  expect(loadSettings({}).settings.keyStores).toEqual([]);
});

test('JSON in the environment and a list in the file say the same', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-settings-'));
  try {
    const file = join(directory, 'settings.yaml');
    writeFileSync(
      file,
      [
        'keyStores:',
        '  - clusterId: cluster-aaaaaaaaaaa',
        '    tokenLabel: one',
        '  - { clusterId: cluster-bbbbbbbbbbb, tokenLabel: two, pkcs11Module: /module.so }',
      ].join('\n'),
    );
    expect(loadSettings({ file }).settings.keyStores).toEqual([one, two]);
  } finally {
    rmSync(directory, { recursive: true });
  }
  expect(keyStoresOf(JSON.stringify([one, two]))).toEqual([one, two]);
});

test('two tokens of one module, and one label in two modules, are different tokens', () => {
  const list = [one, { ...two, pkcs11Module: undefined }, { ...two, clusterId: 'cluster-ccccccccccc' }];
  expect(keyStoresOf(JSON.stringify(list))).toHaveLength(3);
});

test.each<[string, string, RegExp]>([
  ['no JSON', 'cluster-aaaaaaaaaaa', /HSM_KMS_KEY_STORES: is not a list/],
  ['no list', JSON.stringify(one), /is not a list/],
  [
    'a cluster id of another form',
    JSON.stringify([{ ...one, clusterId: 'cluster-1' }]),
    /clusterId is not of the form/,
  ],
  ['a cluster id twice', JSON.stringify([one, { ...two, clusterId: one.clusterId }]), /the same clusterId/],
  ['a token twice', JSON.stringify([one, { ...one, clusterId: two.clusterId }]), /the same token/],
  ['no label', JSON.stringify([{ clusterId: one.clusterId }]), /needs a tokenLabel, a tokenSerial or a tokenUri/],
  ['a label that no token can have', JSON.stringify([{ ...one, tokenLabel: 'x'.repeat(33) }]), /<=32/],
  ['a member that nobody knows', JSON.stringify([{ ...one, pin: '1234567' }]), /pin/],
])('%s is refused', (_what, text, message) => {
  expect(() => keyStoresOf(text)).toThrow(message);
});
