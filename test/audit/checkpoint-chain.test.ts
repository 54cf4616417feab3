import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { CheckpointChain } from '../../src/audit/checkpoint-chain.js';
import {
  checkpointLine,
  checkpointText,
  lineHash,
  merkleRoot,
  noHash,
  type StreamHead,
} from '../../src/audit/format.js';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-test-chain-'));
});
afterEach(() => rmSync(directory, { recursive: true }));

const head: StreamHead = {
  stream: '19700101T000000.000Z-worker-00000000',
  sequence: 3,
  hash: noHash,
  file: 'x',
  bytes: 9,
};

function add(chain: CheckpointChain, ...heads: StreamHead[]): string {
  const unsigned = {
    version: 1,
    ...chain.next,
    time: new Date(0).toISOString(),
    heads,
    root: merkleRoot(heads),
  } as const;
  const text = checkpointText({ ...unsigned, storeRevision: 1, algorithm: 'ECDSA_SHA_256', keyId: noHash });
  const line = checkpointLine(text, Buffer.from('signature'));
  chain.append(line, unsigned);
  return line;
}

test('a chain goes on where it was left, and knows what it covers', async () => {
  const chain = await CheckpointChain.open(directory);
  expect(chain.last).toBeUndefined();
  expect(chain.next).toMatchObject({ sequence: 1, previous: noHash });
  add(chain, head);
  const line = add(chain);
  const again = await CheckpointChain.open(directory);
  expect(again.last).toMatchObject({ sequence: 2, hash: lineHash(line), time: '1970-01-01T00:00:00.000Z' });
  expect(again.next).toEqual({ log: chain.log, sequence: 3, previous: lineHash(line) });
  expect(again.covered.get(head.stream)).toEqual(head);
});

test('what a crash has cut off is left, and the chain goes on in a new file', async () => {
  const chain = await CheckpointChain.open(directory);
  const line = add(chain, head);
  appendFileSync(join(directory, 'checkpoints.000001.jsonl'), '{"checkpoint":{"vers');
  const again = await CheckpointChain.open(directory);
  expect(again.next).toMatchObject({ sequence: 2, previous: lineHash(line) });
  const last = add(again);
  expect(readdirSync(directory).sort()).toEqual(['checkpoints.000001.jsonl', 'checkpoints.000002.jsonl']);
  expect((await CheckpointChain.open(directory)).last).toMatchObject({ sequence: 2, hash: lineHash(last) });
});
