import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { whyNotForThisProcess } from '../../src/token/module-file.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-module-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** The first bytes of a shared library: e_ident, e_type, e_machine (ELF specification, 4.1). */
function libraryFor(machine: number, order: 'LE' | 'BE' = 'LE'): Buffer {
  const header = Buffer.alloc(64);
  header.write(`\x7fELF\x02${order === 'LE' ? '\x01' : '\x02'}\x01`, 'latin1');
  header[order === 'LE' ? 'writeUInt16LE' : 'writeUInt16BE'](machine, 18);
  return header;
}

function whyNot(content: string | Buffer): string | undefined {
  const file = join(directory, 'module.so');
  writeFileSync(file, content);
  return whyNotForThisProcess(file);
}

const onLinux = process.platform === 'linux' ? describe : describe.skip;

onLinux('a file that is to be a PKCS#11 module', () => {
  const machines = { ia32: 3, arm: 40, x64: 62, arm64: 183, riscv64: 243 } as const;

  test.each(Object.entries(machines))('for %s', (name, machine) => {
    const expected = name === process.arch ? undefined : `is for ${name}, and this Node.js is for ${process.arch}`;
    expect(whyNot(libraryFor(machine))).toBe(expected);
  });

  test('for a big-endian machine', () => {
    expect(whyNot(libraryFor(22, 'BE'))).toMatch(/^is for s390x, and this/);
  });

  test('for a machine that nobody knows', () => {
    expect(whyNot(libraryFor(9999))).toMatch(/^is for another architecture \(ELF machine 9999\), and this/);
  });

  test.each([
    ['text', 'INPUT(-lsofthsm2)\n'],
    ['nothing', ''],
    ['less than a header', libraryFor(62).subarray(0, 19)],
  ])('that holds %s', (_name, content) => {
    expect(whyNot(content)).toBe('is no shared library');
  });

  test('that is a directory', () => {
    expect(whyNotForThisProcess(directory)).toBe('is no shared library');
  });

  test('that this process itself runs', () => {
    expect(whyNotForThisProcess(process.execPath)).toBeUndefined();
  });
});
