import { join } from 'node:path';
import { integrityOf, parseStreamFileName, streamFileName } from '../format.js';
import type { SignedHead } from './checkpoints.js';
import type { StreamFiles } from './directory.js';
import { lineBatches } from './line-batches.js';

/** A file that the service has removed for its age or the log's size, as RemoveAuditFiles names it. */
export interface RemovedFile {
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly lastHash: string;
  /** Whether a checkpoint covers the event that says so. */
  readonly isSigned: boolean;
}

/** Where a stream ended that a crash has ended, as RecoverStream names it. */
interface RecoveredStream {
  /** 0 where nothing of it is whole. */
  readonly lastSequence: number;
  readonly lastHash: string | undefined;
  /** Number of the file, and how long it is with the last whole line. */
  readonly number: number;
  readonly bytes: number;
  readonly tornBytes: number;
}

/** What supervisors say of the log. That they said so is for the verification of their streams to judge. */
export interface SupervisorsWord {
  /** By the file's name. */
  readonly removed: ReadonlyMap<string, RemovedFile>;
  readonly recovered: ReadonlyMap<string, RecoveredStream>;
  /** The highest checkpoint that one has seen at its start. */
  readonly seenCheckpoint: number;
}

interface Details {
  readonly lastCheckpoint?: { readonly sequence?: number } | null;
  readonly files?: readonly {
    readonly file?: string;
    firstSequence?: number;
    lastSequence?: number;
    lastHash?: string;
  }[];
  readonly stream?: string;
  readonly file?: string;
  readonly lastSequence?: number;
  readonly lastHash?: string;
  readonly bytes?: number;
  readonly tornBytes?: number;
}

/** Reads what the supervisors' streams say of other files; they are short, and read before all others for it. */
export class SupervisorsReader {
  private readonly removed = new Map<string, RemovedFile>();
  private readonly recovered = new Map<string, RecoveredStream>();
  private seenCheckpoint = 0;
  /** By event. */
  private readonly readers: Readonly<Record<string, (details: Details, isSigned: boolean) => void>> = {
    StartStream: ({ lastCheckpoint }) => {
      this.seenCheckpoint = Math.max(this.seenCheckpoint, lastCheckpoint?.sequence ?? 0);
    },
    RemoveAuditFiles: ({ files = [] }, isSigned) => {
      for (const { file = '', firstSequence = 0, lastSequence = 0, lastHash = '' } of files) {
        this.removed.set(file, { firstSequence, lastSequence, lastHash, isSigned });
      }
    },
    RecoverStream: ({ stream = '', file = '', lastSequence = 0, lastHash, bytes = 0, tornBytes = 0 }) => {
      const number = parseStreamFileName(file)?.number ?? 1;
      this.recovered.set(stream, { lastSequence, lastHash, number, bytes, tornBytes });
    },
  };

  constructor(
    private readonly directory: string,
    private readonly heads: ReadonlyMap<string, readonly SignedHead[]>,
  ) {}

  async read(streams: readonly StreamFiles[]): Promise<SupervisorsWord> {
    for (const stream of streams) if (stream.kind === 'supervisor') await this.readStream(stream);
    const { removed, recovered, seenCheckpoint } = this;
    return { removed, recovered, seenCheckpoint };
  }

  private async readStream({ stream, numbers }: StreamFiles): Promise<void> {
    const signed = this.heads.get(stream)?.at(-1)?.sequence ?? 0;
    for (const number of numbers) {
      const path = join(this.directory, streamFileName(stream, number));
      for await (const { lines } of lineBatches(path, () => {})) {
        for (const line of lines) this.readLine(line.toString(), signed);
      }
    }
  }

  private readLine(text: string, signed: number): void {
    const integrity = integrityOf(text);
    if (integrity === undefined) return;
    try {
      const { eventSource, eventName, serviceEventDetails } = JSON.parse(text);
      if (eventSource !== 'hsm-kms' || typeof serviceEventDetails !== 'object' || serviceEventDetails === null) return;
      this.readers[eventName]?.(serviceEventDetails, integrity.sequence <= signed);
    } catch {
      // a line that is none is found when the stream is verified
    }
  }
}
