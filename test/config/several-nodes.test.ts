import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from '@jest/globals';
import { parse } from 'yaml';
import { environmentName, settingNames } from '../../src/config/settings.js';

const root = resolve(import.meta.dirname, '../..');
const names = new Set<string>(settingNames.map(environmentName));

/** What docker compose reads of its file, and the images of the example. */
const ofCompose = ['HSM_KMS_PUBLISHED_PORT', 'HSM_KMS_IMAGE'];

test.each(['docs/several-nodes.md', 'docker-compose.cluster.yml'])('every setting in %s is one', (file) => {
  const named = readFileSync(resolve(root, file), 'utf8').match(/\b(HSM_KMS_[A-Z0-9_]+|DATABASE_URL)\b/g) ?? [];
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((name) => !names.has(name) && !ofCompose.includes(name))).toEqual([]);
});

test('the settings that docs/several-nodes.md names by their names in YAML are such', () => {
  const page = readFileSync(resolve(root, 'docs/several-nodes.md'), 'utf8');
  const mentioned = page.match(/(?<=`)(database|token|tls|request|key|account)[A-Z]\w+(?=`)/g) ?? [];
  expect(mentioned.filter((name) => !(settingNames as string[]).includes(name))).toEqual([]);
  expect(new Set(mentioned)).toContain('databaseConnections');
});

test('the nodes of docker-compose.cluster.yml are alike but for the volumes of their audit logs, and share token and database', () => {
  const file = readFileSync(resolve(root, 'docker-compose.cluster.yml'), 'utf8');
  const { services } = parse(file, { merge: true });
  const { volumes, ...node } = services['node-1'];
  expect({ ...node, volumes: ['token:/softhsm', 'node-2:/data'] }).toEqual(services['node-2']);
  expect(volumes).toEqual(['token:/softhsm', 'node-1:/data']);
  expect(services.init.environment).toEqual({
    ...services['node-1'].environment,
    HSM_KMS_DATABASE_MIGRATION: 'automatic',
  });
});
