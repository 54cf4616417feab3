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

/** Runs one test file as npm test does those that it is given, or by another program. */
function run(content: string, program: readonly string[] = [resolve('scripts/run-tests.mjs'), 'some']) {
  writeFileSync(join(directory, 'package.json'), '{}');
  writeFileSync(join(directory, 'some.test.js'), content);
  const { status, stdout } = spawnSync(process.execPath, program, { cwd: directory, encoding: 'utf8' });
  return { status, lastLine: stdout.trimEnd().split('\n').at(-1) };
}

test('ends with what passed, failed and was skipped', () => {
  expect(run("test('a', () => {}); test('b', () => { throw 1; }); test.skip('c', () => {}); test.todo('d');")).toEqual({
    status: 1,
    lastLine: '1 passed, 1 failed, 2 skipped',
  });
  expect(run("test('a', () => {});")).toEqual({ status: 0, lastLine: '1 passed, 0 failed, 0 skipped' });
});

test('counts several runs together, and as skipped what was not even begun', () => {
  const runs = `import { runJests } from '${resolve('scripts/jest-runs.mjs')}';
    await runJests([['some'], ['-t', 'a', 'some']], { notBegun: 5 });`;
  expect(
    run("test('a', () => {}); test('b', () => { throw 1; }); test.skip('c', () => {});", [
      ...['--input-type=module', '-e', runs],
    ]),
  ).toEqual({ status: 1, lastLine: '2 passed, 1 failed, 8 skipped' });
});

test('counts a file that does not load as a failure', () => {
  expect(run('throw new Error();')).toEqual({ status: 1, lastLine: '0 passed, 1 failed, 0 skipped' });
});

test('takes a run without any test for a failure', () => {
  expect(run("test.skip('a', () => {});")).toEqual({ status: 1, lastLine: '0 passed, 1 failed, 1 skipped' });
});
