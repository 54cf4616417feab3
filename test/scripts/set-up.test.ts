import { spawnSync } from 'node:child_process';
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';

describe('scripts/start and scripts/test', () => {
  let directory: string;
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'hsm-kms-old-node-'));
    // a place of their own: in this one somebody may be setting up
    cpSync('scripts', join(directory, 'scripts'), { recursive: true });
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  /** Runs a script with a Node that says it has this version, and otherwise ends with 7. */
  function runWithNode(script: string, version: string) {
    const node = join(directory, 'node');
    writeFileSync(node, `#!/bin/sh\n[ "$1" = --version ] && echo ${version} && exit\nexit 7\n`);
    chmodSync(node, 0o755);
    return spawnSync(join(directory, script), {
      env: { ...process.env, PATH: `${directory}:${process.env.PATH}` },
      encoding: 'utf8',
    });
  }

  test.each(['v10.19.0', 'v12.22.9', 'v20.18.3'])('refuse Node %s in one sentence', (version) => {
    for (const script of ['scripts/start', 'scripts/test']) {
      const { status, stdout, stderr } = runWithNode(script, version);
      expect(stdout).toBe('');
      expect(stderr).toMatch(/^hsm-kms needs Node\.js 20\.19 or newer, and this is [\d.]+: install .*\n$/);
      expect(stderr).toContain(version.slice(1));
      expect(status).toBe(1);
    }
  });

  test.each(['v20.19.0', 'v22.0.0', 'v24.1.0'])('go on with Node %s', (version) => {
    expect(runWithNode('scripts/start', version)).toMatchObject({ status: 7, stderr: '' });
  });
});

test('set-up looks for SoftHSM2 where the service does', () => {
  const paths = (file: string) => readFileSync(file, 'utf8').match(/'\/[^']*\/libsofthsm2\.so'/g);
  const service = paths('src/token/softhsm.ts');
  expect(service?.length).toBeGreaterThan(1);
  expect(paths('scripts/set-up/system-packages.mjs')).toEqual(service);
});

test('the lock file lists the packages of all platforms, or npm 11 refuses it', () => {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/complete-lock.mjs', '--check'], {
    encoding: 'utf8',
  });
  expect(stdout + stderr).toBe('package-lock.json is complete\n');
  expect(status).toBe(0);
});
