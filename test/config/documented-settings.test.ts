import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';
import { profileOf } from '../../src/token/profiles.js';

const docs = resolve(import.meta.dirname, '../../docs');
const pages = ['tokens.md', ...readdirSync(join(docs, 'hsm')).map((name) => join('hsm', name))];
/** Page -> its samples of settings. */
const samples = pages.flatMap((page) =>
  [...readFileSync(join(docs, page), 'utf8').matchAll(/```yaml\n([\s\S]*?)```/g)].map(
    ([, text = ''], index): [page: string, index: number, text: string] => [page, index, text],
  ),
);

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-samples-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test('there are samples for every vendor', () => {
  const vendors = ['aws-cloudhsm', 'kryoptic', 'luna', 'nshield', 'opencryptoki', 'softhsm2', 'utimaco', 'yubihsm2'];
  for (const vendor of vendors) expect(samples.map(([page]) => page)).toContain(`hsm/${vendor}.md`);
});

test.each(samples)('the settings of %s, %d, are such', (_page, _index, text) => {
  const file = join(directory, 'settings.yaml');
  writeFileSync(file, text);
  const { settings } = loadSettings({ file });
  const identity = { label: '', manufacturer: '', model: '', serialNumber: '', firmwareVersion: '' };
  for (const { tokenProfile } of [settings, ...settings.keyStores]) {
    expect(profileOf(identity, tokenProfile).name).not.toBe('');
  }
});

test('the index leads to every page, and nowhere else', () => {
  const index = readFileSync(join(docs, 'hsm/README.md'), 'utf8');
  const linked = [...index.matchAll(/\]\(([\w-]+\.md)\)/g)].map(([, page]) => page);
  const written = readdirSync(join(docs, 'hsm')).filter((name) => name !== 'README.md');
  for (const page of written) expect(linked).toContain(page);
});
