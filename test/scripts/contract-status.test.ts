import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { builtModules, expectFreshBuild } from '../service/built-service.js';
import { cleanEnvironment } from '../service/service.js';

let directory: string;
beforeAll(() => {
  expectFreshBuild();
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-status-test-'));
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function contractStatus(...parameters: string[]): Promise<{ stdout: string }> {
  const script = ['scripts/contract-status.mjs', '--build', builtModules, ...parameters];
  return promisify(execFile)(process.execPath, script, { env: cleanEnvironment() });
}

test('README.md says what is done, and nothing is missing', async () => {
  expect((await contractStatus('--check')).stdout).toMatch(/^README.md says what is done/);
  expect(readFileSync('README.md', 'utf8')).toMatch(/^56 operations: .* 0 missing\.$/m);
});

test('what has become wrong is found, and written anew', async () => {
  const text = readFileSync('README.md', 'utf8');
  const readme = join(directory, 'README.md');
  writeFileSync(readme, text.replace('RotateKeyOnDemand, ', ''));
  await expect(contractStatus('--check', '--readme', readme)).rejects.toThrow('does not say what is done');
  await contractStatus('--readme', readme);
  expect((await contractStatus('--check', '--readme', readme)).stdout).toBe('README.md says what is done\n');
});
