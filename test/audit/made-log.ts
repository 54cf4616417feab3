import { createHash, generateKeyPairSync, randomBytes, sign } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  type Checkpoint,
  type CheckpointAlgorithm,
  chainedLine,
  checkpointFileName,
  checkpointLine,
  checkpointText,
  compareHeads,
  integrityOf,
  lineHash,
  merkleRoot,
  noHash,
  type StreamHead,
  type StreamKind,
  signedBytes,
  streamFileName,
  streamName,
} from '../../src/audit/format.js';

/** A stream that is being made. */
interface MadeStream {
  readonly name: string;
  number: number;
  sequence: number;
  previous: string;
  head: StreamHead | undefined;
}

/**
 * A log that the tests write themselves, line by line, by the functions of the format: with a key of their own they can
 * make what the service never would, checkpoints and all. What the service writes is tested in test/e2e.
 */
export class MadeLog {
  private readonly key;
  readonly publicKey: string;
  private readonly keyId: string;
  private readonly log = randomBytes(16).toString('hex');
  /** Name -> lines. */
  readonly files = new Map<string, string[]>();
  private readonly covered = new Map<string, number>();
  private readonly streams = new Map<string, MadeStream>();
  private checkpoints = 0;
  private lastCheckpoint = noHash;
  private now = Date.parse('2026-11-22T10:00:00.000Z');
  private made = 0;

  constructor(private readonly algorithm: CheckpointAlgorithm = 'ECDSA_SHA_256') {
    this.key =
      algorithm === 'ECDSA_SHA_256'
        ? generateKeyPairSync('ec', { namedCurve: 'P-256' })
        : generateKeyPairSync('rsa', { modulusLength: 3072 });
    const { publicKey } = this.key;
    this.publicKey = publicKey.export({ type: 'spki', format: 'pem' }).toString();
    this.keyId = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex');
  }

  /** Begins a stream. @returns its name */
  stream(kind: StreamKind, details: object = {}): string {
    this.made += 1;
    const name = streamName(kind, new Date(this.now), this.made.toString(16).padStart(8, '0'));
    this.streams.set(name, { name, number: 1, sequence: 0, previous: noHash, head: undefined });
    this.service(name, 'StartStream', { kind, ...details });
    return name;
  }

  /** An event of the service itself. */
  service(stream: string, eventName: string, serviceEventDetails: object = {}): StreamHead {
    return this.append(stream, {
      eventSource: 'hsm-kms',
      eventName,
      serviceEventDetails,
      eventType: 'AwsServiceEvent',
    });
  }

  /** Adds an event, a millisecond after the one before. */
  append(stream: string, event: object): StreamHead {
    const made = this.streams.get(stream) as MadeStream;
    this.now += 1;
    made.sequence += 1;
    const record = JSON.stringify({ eventVersion: '1.11', eventTime: new Date(this.now).toISOString(), ...event });
    const line = chainedLine(record, stream, made.sequence, made.previous);
    made.previous = lineHash(line);
    const file = streamFileName(stream, made.number);
    const lines = this.linesOf(file);
    lines.push(line);
    const bytes = (lines.length === 1 ? 0 : (made.head?.bytes ?? 0)) + Buffer.byteLength(line) + 1;
    made.head = { stream, sequence: made.sequence, hash: made.previous, file, bytes };
    return made.head;
  }

  /** Goes on with a stream in a new file. */
  nextFile(stream: string): void {
    (this.streams.get(stream) as MadeStream).number += 1;
  }

  /** Signs what has grown; with other members than are right, where a test wants that. */
  checkpoint(other: Partial<Checkpoint> = {}, file = 1): string {
    const heads = [...this.streams.values()]
      .flatMap(({ head }) => head ?? [])
      .filter(({ stream, sequence }) => this.covered.get(stream) !== sequence)
      .sort(compareHeads);
    for (const { stream, sequence } of heads) this.covered.set(stream, sequence);
    this.now += 10_000;
    this.checkpoints += 1;
    const text = checkpointText({
      ...{ version: 1, log: this.log, sequence: this.checkpoints, previous: this.lastCheckpoint },
      ...{ time: new Date(this.now).toISOString(), heads, root: merkleRoot(heads), storeRevision: 7 },
      ...{ algorithm: this.algorithm, keyId: this.keyId },
      ...other,
    });
    const line = checkpointLine(text, sign('sha256', signedBytes(text), this.key.privateKey));
    this.lastCheckpoint = lineHash(line);
    this.linesOf(checkpointFileName(file)).push(line);
    return line;
  }

  linesOf(file: string): string[] {
    const lines = this.files.get(file) ?? [];
    this.files.set(file, lines);
    return lines;
  }

  /** Writes it to a directory. */
  write(directory: string): string {
    return MadeLog.writeFiles(directory, this.files);
  }

  static writeFiles(directory: string, files: ReadonlyMap<string, readonly string[]>): string {
    mkdirSync(directory, { recursive: true });
    for (const [file, lines] of files) writeFileSync(join(directory, file), lines.map((line) => `${line}\n`).join(''));
    return directory;
  }
}

/** What who knows the format does: changes an event, and chains all that come after it anew. */
export function rechain(lines: string[], from: number, change: (record: string) => string): void {
  let previous = integrityOf(lines[from]!)!.previous;
  for (let at = from; at < lines.length; at += 1) {
    const { stream, sequence } = integrityOf(lines[at]!)!;
    const record = lines[at]!.replace(/,"integrity":\{[^}]*\}\}$/, '}');
    lines[at] = chainedLine(at === from ? change(record) : record, stream, sequence, previous);
    previous = lineHash(lines[at]!);
  }
}
