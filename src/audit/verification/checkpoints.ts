import { createHash, type KeyObject, verify } from 'node:crypto';
import { join } from 'node:path';
import {
  type Checkpoint,
  checkpointLine,
  compareHeads,
  lineHash,
  merkleRoot,
  noHash,
  parseCheckpointLine,
  type StreamHead,
  signedBytes,
} from '../format.js';
import { checkpointFiles } from './directory.js';
import type { Findings, Place } from './findings.js';
import { lineBatches } from './line-batches.js';

/** A head, and the checkpoint that signs it. */
export interface SignedHead extends StreamHead {
  readonly checkpoint: number;
}

/** A checkpoint that somebody kept elsewhere, to tell a log whose end was cut off. */
export interface KeptCheckpoint {
  readonly sequence: number;
  readonly hash: string;
}

/** What the checkpoints sign. */
export interface SignedLog {
  /** By stream, in the order of their sequences. */
  readonly heads: ReadonlyMap<string, readonly SignedHead[]>;
  /** Good ones. */
  readonly count: number;
  readonly last: { readonly sequence: number; readonly time: string; readonly hash: string } | undefined;
  /** Bytes of lines that crashes have cut off. */
  readonly tornBytes: number;
}

/**
 * So many heads of a stream are held in memory. Of more every second is let go: the chain between those that are left
 * holds what it said, and a change is still found, only its place is told less exactly.
 */
const mostHeads = 4096;

const algorithmOfKeys: Readonly<Record<string, Checkpoint['algorithm']>> = {
  ec: 'ECDSA_SHA_256',
  rsa: 'RSASSA_PKCS1_V1_5_SHA_256',
};

/** Reads the chain of checkpoints, and believes what the audit key has signed. */
export class CheckpointVerification {
  private readonly heads = new Map<string, SignedHead[]>();
  private readonly algorithm: Checkpoint['algorithm'] | undefined;
  private readonly keyId: string;
  private count = 0;
  private tornBytes = 0;
  private log: string | undefined;
  private last: SignedLog['last'];
  private isKeptFound = false;
  private expected = 1;
  /** Undefined after a line that could not be read. */
  private previous: string | undefined = noHash;

  constructor(
    private readonly publicKey: KeyObject,
    private readonly kept: KeptCheckpoint | undefined,
    private readonly findings: Findings,
  ) {
    this.algorithm = algorithmOfKeys[publicKey.asymmetricKeyType ?? ''];
    this.keyId = createHash('sha256')
      .update(publicKey.export({ type: 'spki', format: 'der' }))
      .digest('hex');
  }

  /** @param onBytes told how many bytes were read, each time */
  async read(directory: string, numbers: readonly number[], onBytes: (bytes: number) => void): Promise<SignedLog> {
    for (const { name, isThere } of checkpointFiles(numbers)) {
      if (isThere) await this.readFile(directory, name, onBytes);
      else
        this.findings.add('missing-file', 'a file of checkpoints is missing: they are never removed', { file: name });
    }
    this.expectKept();
    const { heads, count, last, tornBytes } = this;
    return { heads, count, last, tornBytes };
  }

  private async readFile(directory: string, file: string, onBytes: (bytes: number) => void): Promise<void> {
    let line = 0;
    for await (const { lines, tornBytes } of lineBatches(join(directory, file), onBytes)) {
      this.tornBytes += tornBytes;
      for (const bytes of lines) {
        line += 1;
        this.readLine(bytes, { file, line });
      }
    }
  }

  private readLine(bytes: Buffer, at: Place): void {
    const text = bytes.toString();
    const parsed = parseCheckpointLine(text);
    // base64 has several forms for the same bytes
    if (parsed === undefined || checkpointLine(parsed.text, parsed.signature) !== text) {
      this.findings.add('malformed', 'this is not the line of a checkpoint', { ...at, sequence: this.expected });
      this.expected += 1;
      this.previous = undefined;
      return;
    }
    const { checkpoint, signature } = parsed;
    const place = { ...at, sequence: checkpoint.sequence };
    const hash = lineHash(bytes);
    const isSigned = this.isSigned(checkpoint, parsed.text, signature, place);
    this.follow(checkpoint, place);
    this.expected = checkpoint.sequence + 1;
    this.previous = hash;
    if (this.kept?.sequence === checkpoint.sequence) {
      if (this.kept.hash === hash) this.isKeptFound = true;
      else this.findings.add('changed', 'this is another checkpoint than the one that was kept', place);
    }
    if (!isSigned) return;
    this.count += 1;
    this.last = { sequence: checkpoint.sequence, time: checkpoint.time, hash };
    this.takeHeads(checkpoint, place);
  }

  private isSigned(checkpoint: Checkpoint, text: string, signature: Buffer, place: Place): boolean {
    if (checkpoint.keyId !== this.keyId || checkpoint.algorithm !== this.algorithm) {
      this.findings.add('bad-signature', 'this checkpoint names another key than the one that was given', place);
      return false;
    }
    const isGood = verify('sha256', signedBytes(text), this.publicKey, signature);
    if (!isGood)
      this.findings.add('bad-signature', 'the signature of this checkpoint is not good: it was changed', place);
    return isGood;
  }

  private follow({ sequence, previous, log }: Checkpoint, place: Place): void {
    const { expected } = this;
    if (sequence > expected) {
      const which =
        sequence - 1 === expected ? `checkpoint ${expected} is` : `checkpoints ${expected} to ${sequence - 1} are`;
      this.findings.add('removed', `${which} missing before this one`, place);
    } else if (sequence < expected) {
      this.findings.add('misplaced', `checkpoint ${sequence} stands after checkpoint ${expected - 1}`, place);
    } else if (this.previous !== undefined && previous !== this.previous) {
      this.findings.add('changed', `this checkpoint does not go on from the one before it`, place);
    }
    this.log ??= log;
    if (this.log !== log) this.findings.add('misplaced', 'this checkpoint is of the log of another directory', place);
  }

  private takeHeads({ sequence: checkpoint, heads, root }: Checkpoint, place: Place): void {
    const isSorted = heads.every(
      (head, index) => index === 0 || compareHeads(heads[index - 1] as StreamHead, head) < 0,
    );
    if (!isSorted || merkleRoot(heads) !== root) {
      this.findings.add('malformed', 'the root of this checkpoint does not fit its heads', place);
    }
    for (const head of heads) {
      const known = this.heads.get(head.stream) ?? [];
      const before = known.at(-1);
      if (before !== undefined && head.sequence <= before.sequence) {
        const was = `event ${before.sequence}, as checkpoint ${before.checkpoint} has it`;
        this.findings.add('misplaced', `stream ${head.stream} goes back to event ${head.sequence} from ${was}`, place);
        continue;
      }
      known.push({ ...head, checkpoint });
      this.heads.set(head.stream, known.length > mostHeads ? known.filter((_, index) => index % 2 === 0) : known);
    }
  }

  private expectKept(): void {
    const { kept, last } = this;
    if (kept === undefined || this.isKeptFound || this.expected > kept.sequence) return;
    const found = last === undefined ? 'there is none' : `the last is ${last.sequence}`;
    this.findings.add('truncated', `checkpoint ${kept.sequence} was kept, and ${found}: the end is cut off`, {
      sequence: kept.sequence,
    });
  }
}
