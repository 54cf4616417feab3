import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { keepTokenFiles, restoreTokenFiles } from '../../src/token/softhsm-token-file.js';

describe('the copy of token.object', () => {
  let tokens: string;
  let file: string;
  beforeEach(() => {
    tokens = mkdtempSync(join(tmpdir(), 'hsm-kms-token-file-'));
    mkdirSync(join(tokens, 'a'));
    file = join(tokens, 'a/token.object');
    writeFileSync(file, 'the wrapped key');
  });
  afterEach(() => rmSync(tokens, { recursive: true }));

  test('makes up for a file that a killed login has emptied', () => {
    keepTokenFiles(tokens);
    writeFileSync(file, '');
    expect(restoreTokenFiles(tokens)).toEqual([join(tokens, 'a')]);
    expect(readFileSync(file, 'utf8')).toBe('the wrapped key');
  });

  test('makes up for a file that is cut short, or gone', () => {
    keepTokenFiles(tokens);
    writeFileSync(file, 'the wra');
    restoreTokenFiles(tokens);
    expect(readFileSync(file, 'utf8')).toBe('the wrapped key');
    rmSync(file);
    restoreTokenFiles(tokens);
    expect(readFileSync(file, 'utf8')).toBe('the wrapped key');
  });

  test('leaves a whole file alone, also one that says something new', () => {
    keepTokenFiles(tokens);
    writeFileSync(file, 'a rewrapped key');
    expect(restoreTokenFiles(tokens)).toEqual([]);
    keepTokenFiles(tokens);
    writeFileSync(file, '');
    restoreTokenFiles(tokens);
    expect(readFileSync(file, 'utf8')).toBe('a rewrapped key');
  });

  test('is never made of an empty file', () => {
    keepTokenFiles(tokens);
    writeFileSync(file, '');
    keepTokenFiles(tokens);
    restoreTokenFiles(tokens);
    expect(readFileSync(file, 'utf8')).toBe('the wrapped key');
    expect(readdirSync(join(tokens, 'a')).sort()).toEqual(['token.object', 'token.object.copy']);
  });
});
