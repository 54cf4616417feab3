import { randomBytes } from 'node:crypto';
import {
  closeSync,
  createReadStream,
  fdatasyncSync,
  fstatSync,
  openSync,
  readdirSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import {
  checkpointFileName,
  lineHash,
  noHash,
  parseCheckpointFileName,
  parseCheckpointLine,
  type StreamHead,
  type UnsignedCheckpoint,
} from './format.js';
import { keepNames } from './names-on-disk.js';
import { wholeLines } from './whole-lines.js';

/** A file of checkpoints that is longer is not gone on with, in bytes. */
const mostFileBytes = 16 * 2 ** 20;

/** The chain of a directory's checkpoints, as who adds to it knows it: one process at a time. */
export class CheckpointChain {
  private constructor(
    private readonly directory: string,
    readonly log: string,
    /** Of the last checkpoint; 0 where there is none. */
    private lastSequence: number,
    private lastHash: string,
    private lastTime: string,
    private fileNumber: number,
    /** The last head that a checkpoint has of each stream. */
    readonly covered: Map<string, StreamHead>,
  ) {}

  /** Reads the checkpoints that there are; what a crash has cut off is left, and the chain goes on in a new file. */
  static async open(directory: string): Promise<CheckpointChain> {
    let log = randomBytes(16).toString('hex');
    let [sequence, hash, time] = [0, noHash, ''];
    let last = 0;
    let isWhole = true;
    const covered = new Map<string, StreamHead>();
    for (const number of checkpointFiles(directory)) {
      const path = join(directory, checkpointFileName(number));
      let bytes = 0;
      for await (const { line, end } of wholeLines(createReadStream(path))) {
        const parsed = parseCheckpointLine(line.toString());
        if (parsed === undefined) continue;
        ({ log, sequence, time } = parsed.checkpoint);
        hash = lineHash(line);
        for (const head of parsed.checkpoint.heads) covered.set(head.stream, head);
        bytes = end;
      }
      isWhole = bytes === statSync(path).size;
      last = number;
    }
    return new CheckpointChain(directory, log, sequence, hash, time, isWhole ? last : last + 1, covered);
  }

  /** The last checkpoint; undefined where there is none. */
  get last(): { readonly sequence: number; readonly hash: string; readonly time: string } | undefined {
    const { lastSequence: sequence, lastHash: hash, lastTime: time } = this;
    return sequence === 0 ? undefined : { sequence, hash, time };
  }

  /** The place of the next checkpoint. */
  get next(): { readonly log: string; readonly sequence: number; readonly previous: string } {
    return { log: this.log, sequence: this.lastSequence + 1, previous: this.lastHash };
  }

  /** Adds the line of a checkpoint that has this place, on the disk when it returns. @throws Error */
  append(line: string, { time, heads }: Pick<UnsignedCheckpoint, 'time' | 'heads'>): void {
    const number = Math.max(this.fileNumber, 1);
    const path = join(this.directory, checkpointFileName(number));
    const file = openSync(path, 'a', 0o600);
    const before = fstatSync(file).size;
    const bytes = Buffer.from(`${line}\n`);
    try {
      if (writeSync(file, bytes) !== bytes.length)
        throw Object.assign(new Error('the disk is full'), { code: 'ENOSPC' });
      fdatasyncSync(file);
      keepNames(this.directory);
      this.fileNumber = before + bytes.length < mostFileBytes ? number : number + 1;
    } catch (error) {
      // a line that is cut off is left, and not gone on with
      this.fileNumber = fstatSync(file).size === before ? number : number + 1;
      throw error;
    } finally {
      closeSync(file);
    }
    this.lastSequence += 1;
    this.lastHash = lineHash(line);
    this.lastTime = time;
    for (const head of heads) this.covered.set(head.stream, head);
  }
}

/** Numbers of the files, in their order. */
function checkpointFiles(directory: string): number[] {
  const numbers = readdirSync(directory).map(parseCheckpointFileName);
  return numbers.filter((number) => number !== undefined).sort((one, other) => one - other);
}
