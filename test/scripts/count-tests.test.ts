import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-count-tests-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** Runs jest over one test file, counted by the reporter. */
function run(content: string, notBegun = '0') {
  writeFileSync(join(directory, 'package.json'), '{}');
  writeFileSync(join(directory, 'some.test.js'), content);
  const jest = resolve('node_modules/jest/bin/jest.js');
  const { status, stdout } = spawnSync(process.execPath, [jest, `--reporters=${resolve('scripts/count-tests.mjs')}`], {
    cwd: directory,
    encoding: 'utf8',
    env: { ...process.env, HSM_KMS_TEST_SKIPPED: notBegun },
  });
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
}

test('ends with what passed, failed and was skipped', () => {
  expect(run("test('a', () => {}); test('b', () => { throw 1; }); test.skip('c', () => {}); test.todo('d');")).toEqual({
    status: 1,
    lastLine: '1 passed, 1 failed, 2 skipped',
  });
  expect(run("test('a', () => {});")).toEqual({ status: 0, lastLine: '1 passed, 0 failed, 0 skipped' });
});

test('counts as skipped what was not even begun', () => {
  expect(run("test('a', () => {}); test.skip('c', () => {});", '5').lastLine).toBe('1 passed, 0 failed, 6 skipped');
});

test('counts a file that does not load as a failure', () => {
  expect(run('throw new Error();')).toEqual({ status: 1, lastLine: '0 passed, 1 failed, 0 skipped' });
});

test('takes a run without any test for a failure', () => {
  expect(run("test.skip('a', () => {});")).toEqual({ status: 1, lastLine: '0 passed, 0 failed, 1 skipped' });
});
