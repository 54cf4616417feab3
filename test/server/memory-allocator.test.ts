import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { allocatorVariables } from '../../src/server/memory-allocator.js';

/** What tells which tunables glibc knows. */
const loader = ['/lib64/ld-linux-x86-64.so.2', '/lib/ld-linux-aarch64.so.1'].find(existsSync);

test('what the administrator has set stays', () => {
  expect(allocatorVariables({ GLIBC_TUNABLES: 'glibc.malloc.check=3' })).toEqual({
    GLIBC_TUNABLES: 'glibc.malloc.check=3',
  });
});

(loader === undefined ? test.skip : test)('glibc takes the values', () => {
  const variables = allocatorVariables({});
  const printed = execFileSync(loader as string, ['--list-tunables'], { env: variables, encoding: 'utf8' });
  const known = new Map(printed.split('\n').map((line) => line.split(': ', 2) as [string, string]));
  for (const each of variables.GLIBC_TUNABLES?.split(':') ?? []) {
    const [name = '', value] = each.split('=');
    expect(Number.parseInt(known.get(name) ?? '', 16)).toBe(Number(value));
  }
});
