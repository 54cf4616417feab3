import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { checkpointLine, checkpointText, lineHash, merkleRoot, noHash } from '../../src/audit/format.js';
import { newestCheckpoint } from '../../src/server/evidence/newest-checkpoint.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-checkpoints-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

function lineOf(sequence: number): string {
  const ids = { log: '0'.repeat(32), previous: noHash, keyId: noHash, root: merkleRoot([]) };
  const facts = { version: 1, sequence, time: '2026-11-22T10:43:12.345Z', heads: [], storeRevision: null } as const;
  const text = checkpointText({ ...ids, ...facts, algorithm: 'ECDSA_SHA_256' });
  return checkpointLine(text, Buffer.from('signature'));
}
const write = (name: string, ...parts: string[]) => writeFileSync(join(directory, name), parts.join(''));

test('the last whole line of the last file is the newest', () => {
  write('checkpoints.000001.jsonl', lineOf(1), '\n', lineOf(2), '\n');
  write('checkpoints.000002.jsonl', lineOf(3), '\n', lineOf(4), '\n', lineOf(5).slice(0, 40));
  write('20261122T104212.345Z-worker-7f3a9c01.000009.jsonl', lineOf(9), '\n');
  expect(newestCheckpoint(directory)).toEqual({ line: lineOf(4), sha256: lineHash(lineOf(4)) });
});

test('a file that holds nothing whole yet is passed over', () => {
  write('checkpoints.000001.jsonl', lineOf(1), '\n');
  write('checkpoints.000002.jsonl', lineOf(2));
  write('checkpoints.000003.jsonl');
  expect(newestCheckpoint(directory)?.line).toBe(lineOf(1));
});

test('there is none in an empty directory, nor in one that is not there', () => {
  expect(newestCheckpoint(directory)).toBeUndefined();
  expect(newestCheckpoint(join(directory, 'audit'))).toBeUndefined();
});
