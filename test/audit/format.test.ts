import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import {
  type Checkpoint,
  chainedLine,
  checkpointFileName,
  checkpointLine,
  checkpointText,
  integrityOf,
  lineHash,
  merkleRoot,
  noHash,
  parseCheckpointFileName,
  parseCheckpointLine,
  parseStreamFileName,
  type StreamHead,
  signedBytes,
  streamFileName,
  streamName,
} from '../../src/audit/format.js';

const stream = streamName('worker', new Date(0), '7f3a9c01');
const sha256 = (...parts: readonly (string | Buffer)[]) =>
  parts.reduce((hash, part) => hash.update(part), createHash('sha256')).digest();
const headOf = (name: string, sequence = 3): StreamHead => ({
  stream: name,
  sequence,
  hash: lineHash(name),
  file: streamFileName(name, 1),
  bytes: 100,
});
const leaf = ({ stream: name, sequence, hash, file, bytes }: StreamHead) =>
  sha256('\0', `${name}\n${sequence}\n${hash}\n${file}\n${bytes}\n`);

test('a line ends with its place in the chain, which is read back', () => {
  const line = chainedLine('{"eventName":"Sign"}', stream, 7, noHash);
  expect(JSON.parse(line)).toEqual({ eventName: 'Sign', integrity: { stream, sequence: 7, previous: noHash } });
  expect(integrityOf(line)).toEqual({ stream, sequence: 7, previous: noHash });
  expect(lineHash(line)).toBe(sha256(line).toString('hex'));
  expect(lineHash(Buffer.from('ü\ud83d\ude00'))).toBe(lineHash('ü\ud83d\ude00'));
});

test.each([
  '{}',
  '',
  chainedLine('{"a":1}', stream, 7, noHash).slice(0, -1),
  chainedLine('{"a":1}', stream, 7, noHash.slice(1)),
  chainedLine('{"a":1}', '../x', 7, noHash),
  `${chainedLine('{"a":1}', stream, 7, noHash)} `,
])('%j is no line', (line) => {
  expect(integrityOf(line)).toBeUndefined();
});

test('names of files are read back', () => {
  expect(parseStreamFileName(streamFileName(stream, 12))).toEqual({ stream, kind: 'worker', number: 12 });
  expect(parseCheckpointFileName(checkpointFileName(3))).toBe(3);
  for (const name of ['x.jsonl', checkpointFileName(1), `${stream}.1.jsonl`, `a/${streamFileName(stream, 1)}`]) {
    expect(parseStreamFileName(name)).toBeUndefined();
  }
});

test('the Merkle root is that of RFC 6962', () => {
  const heads = ['a', 'b', 'c', 'd', 'e'].map((name) => headOf(name));
  const [a, b, c, d, e] = heads.map(leaf) as [Buffer, Buffer, Buffer, Buffer, Buffer];
  const node = (left: Buffer, right: Buffer) => sha256('\x01', left, right);
  expect(merkleRoot([])).toBe(sha256('').toString('hex'));
  expect(merkleRoot(heads.slice(0, 1))).toBe(a.toString('hex'));
  expect(merkleRoot(heads.slice(0, 3))).toBe(node(node(a, b), c).toString('hex'));
  expect(merkleRoot(heads)).toBe(node(node(node(a, b), node(c, d)), e).toString('hex'));
  expect(merkleRoot([...heads].reverse())).not.toBe(merkleRoot(heads));
});

test('a checkpoint is read back, with the bytes that were signed', () => {
  const heads = [headOf(stream)];
  const checkpoint: Checkpoint = {
    ...{ version: 1, log: '0'.repeat(32), sequence: 2, previous: noHash, time: new Date(0).toISOString(), heads },
    ...{ root: merkleRoot(heads), storeRevision: null, algorithm: 'ECDSA_SHA_256', keyId: lineHash('key') },
  };
  const text = checkpointText(checkpoint);
  const line = checkpointLine(text, Buffer.from('signature'));
  expect(JSON.parse(line)).toEqual({ checkpoint, signature: Buffer.from('signature').toString('base64') });
  expect(parseCheckpointLine(line)).toEqual({ text, checkpoint, signature: Buffer.from('signature') });
  expect(signedBytes(text).toString()).toBe(`hsm-kms audit checkpoint 1\n${text}`);
  for (const broken of [line.slice(0, -1), `${line} `, line.replace('"version":1', '"version":2'), '{}']) {
    expect(parseCheckpointLine(broken)).toBeUndefined();
  }
});
