import { createHash, hash } from 'node:crypto';

/** The format of the audit log's files, as docs/audit.md has it: what writes them and what verifies them share. */

export const streamKinds = ['worker', 'supervisor', 'cli'] as const;
export type StreamKind = (typeof streamKinds)[number];

/** Before the first line of a stream, or of the checkpoints. */
export const noHash = '0'.repeat(64);

/** The last member of each event. */
export interface Integrity {
  readonly stream: string;
  /** From 1. */
  readonly sequence: number;
  /** Hash of the line before. */
  readonly previous: string;
}

/** How far a stream goes: its last line, and where that ends. */
export interface StreamHead {
  readonly stream: string;
  readonly sequence: number;
  /** Of the line. */
  readonly hash: string;
  /** Name of the file that the line is in. */
  readonly file: string;
  /** Length of the file with that line and its LF. */
  readonly bytes: number;
}

export type CheckpointAlgorithm = 'ECDSA_SHA_256' | 'RSASSA_PKCS1_V1_5_SHA_256';

/** What a checkpoint says, in the order of its members. */
export interface Checkpoint {
  readonly version: 1;
  /** Tells the logs of several directories apart: 32 hex digits. */
  readonly log: string;
  /** From 1. */
  readonly sequence: number;
  /** Hash of the checkpoint's line before. */
  readonly previous: string;
  /** ISO 8601, UTC; before the heads were asked for. */
  readonly time: string;
  /** Of all streams that have grown since the checkpoint before, by name. */
  readonly heads: readonly StreamHead[];
  readonly root: string;
  /** Number of the store's last change; null where the store did not say. */
  readonly storeRevision: number | null;
  readonly algorithm: CheckpointAlgorithm;
  /** SHA-256 of the public key's SubjectPublicKeyInfo, hex. */
  readonly keyId: string;
}

/** What who holds the key adds to it. */
export type UnsignedCheckpoint = Omit<Checkpoint, 'storeRevision' | 'algorithm' | 'keyId'>;

/** SHA-256 of a line's bytes without its LF, in hex. */
export function lineHash(line: string | Uint8Array): string {
  return hash('sha256', line, 'hex');
}

/** What takes the place of a record's last brace: its place in the chain. */
export function integrityText(stream: string, sequence: number, previous: string): string {
  return `,"integrity":{"stream":"${stream}","sequence":${sequence},"previous":"${previous}"}}`;
}

/** A record with its place in the chain: the line, without its LF. @param record JSON of an object with members */
export function chainedLine(record: string, stream: string, sequence: number, previous: string): string {
  return record.slice(0, -1) + integrityText(stream, sequence, previous);
}

/** What ends each line: its integrity, as it is written. */
const integrityEnd =
  /,"integrity":\{"stream":"([0-9TZ.]+-[a-z]+-[0-9a-f]{8})","sequence":([1-9]\d{0,15}),"previous":"([0-9a-f]{64})"\}\}$/;

/** The integrity that a line ends with; undefined for what is not a line of the audit log. */
export function integrityOf(line: string): Integrity | undefined {
  const [, stream, sequence, previous] = integrityEnd.exec(line) ?? [];
  if (stream === undefined || previous === undefined) return undefined;
  return { stream, sequence: Number(sequence), previous };
}

/** @example streamName('worker', new Date(0), '7f3a9c01') // '19700101T000000.000Z-worker-7f3a9c01' */
export function streamName(kind: StreamKind, startedAt: Date, random: string): string {
  return `${startedAt.toISOString().replace(/[-:]/g, '')}-${kind}-${random}`;
}

/** When a stream began, by its name. @returns ISO 8601, UTC */
export function streamBeginning(stream: string): string {
  return stream.replace(/^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)([\d.]+Z).*$/, '$1-$2-$3T$4:$5:$6');
}

export function streamFileName(stream: string, number: number): string {
  return `${stream}.${String(number).padStart(6, '0')}.jsonl`;
}

const streamFile = /^([0-9TZ.]+-(worker|supervisor|cli)-[0-9a-f]{8})\.(\d{6})\.jsonl$/;

/** Undefined for what is no file of a stream. */
export function parseStreamFileName(
  name: string,
): { readonly stream: string; readonly kind: StreamKind; readonly number: number } | undefined {
  const [, stream, kind, number] = streamFile.exec(name) ?? [];
  return stream === undefined ? undefined : { stream, kind: kind as StreamKind, number: Number(number) };
}

export function checkpointFileName(number: number): string {
  return `checkpoints.${String(number).padStart(6, '0')}.jsonl`;
}

/** Undefined for what is no file of checkpoints. */
export function parseCheckpointFileName(name: string): number | undefined {
  const [, number] = /^checkpoints\.(\d{6})\.jsonl$/.exec(name) ?? [];
  return number === undefined ? undefined : Number(number);
}

/** In the order in which checkpoints have them. */
export function compareHeads(one: StreamHead, other: StreamHead): number {
  return one.stream < other.stream ? -1 : one.stream > other.stream ? 1 : 0;
}

/** Merkle tree hash over heads in their order (RFC 6962, 2.1, with SHA-256), in hex. */
export function merkleRoot(heads: readonly StreamHead[]): string {
  return treeHash(heads.map(leafHash)).toString('hex');
}

function leafHash({ stream, sequence, hash, file, bytes }: StreamHead): Buffer {
  const leaf = [stream, sequence, hash, file, bytes].map((part) => `${part}\n`).join('');
  return createHash('sha256').update('\0').update(leaf).digest();
}

function treeHash(leaves: readonly Buffer[]): Buffer {
  const [first] = leaves;
  if (first === undefined) return createHash('sha256').digest();
  if (leaves.length === 1) return first;
  let split = 1;
  while (split * 2 < leaves.length) split *= 2;
  return createHash('sha256')
    .update('\x01')
    .update(treeHash(leaves.slice(0, split)))
    .update(treeHash(leaves.slice(split)))
    .digest();
}

/** The JSON of a checkpoint, as it is signed and stored. */
export function checkpointText(checkpoint: Checkpoint): string {
  const { version, log, sequence, previous, time, heads, root, storeRevision, algorithm, keyId } = checkpoint;
  return JSON.stringify({
    ...{ version, log, sequence, previous, time },
    heads: heads.map(({ stream, sequence, hash, file, bytes }) => ({ stream, sequence, hash, file, bytes })),
    ...{ root, storeRevision, algorithm, keyId },
  });
}

/** The bytes that the audit key signs. @param text as in the line */
export function signedBytes(text: string): Buffer {
  return Buffer.from(`hsm-kms audit checkpoint 1\n${text}`);
}

/** The line of a checkpoint, without its LF. */
export function checkpointLine(text: string, signature: Uint8Array): string {
  return `{"checkpoint":${text},"signature":"${Buffer.from(signature).toString('base64')}"}`;
}

const checkpointParts = /^\{"checkpoint":(\{.*\}),"signature":"([A-Za-z0-9+/]+={0,2})"\}$/;

/** Text and signature of a checkpoint's line; undefined for what is no such line. */
export function parseCheckpointLine(
  line: string,
): { readonly text: string; readonly checkpoint: Checkpoint; readonly signature: Buffer } | undefined {
  const [, text, signature] = checkpointParts.exec(line) ?? [];
  if (text === undefined || signature === undefined) return undefined;
  const checkpoint = parsed(text);
  return isCheckpoint(checkpoint) ? { text, checkpoint, signature: Buffer.from(signature, 'base64') } : undefined;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether it has the members that verification reads. */
function isCheckpoint(value: unknown): value is Checkpoint {
  if (typeof value !== 'object' || value === null) return false;
  const { version, sequence, heads } = value as Partial<Checkpoint>;
  return version === 1 && Number.isSafeInteger(sequence) && Array.isArray(heads) && heads.every(isHead);
}

function isHead(value: unknown): value is StreamHead {
  if (typeof value !== 'object' || value === null) return false;
  const { stream, sequence, hash, file, bytes } = value as Partial<StreamHead>;
  const areTexts = [stream, hash, file].every((part) => typeof part === 'string');
  return areTexts && Number.isSafeInteger(sequence) && Number.isSafeInteger(bytes);
}
