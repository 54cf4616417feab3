import type { Logger } from 'pino';
import type { CheckpointChain } from '../../audit/checkpoint-chain.js';
import { streamBeginning } from '../../audit/format.js';
import { type StoredStream, storedStreams } from '../../audit/stream-files.js';

/** A stream's file may come so much later than its beginning, as a process that starts is busy, in milliseconds. */
const slackMilliseconds = 60_000;

/**
 * Which streams in the directory are this service's: of others nothing is signed, as whoever can write to the directory
 * can put one there.
 */
export class KnownStreams {
  /** Those that were there when this supervisor began: a crash may have ended its predecessor. */
  private readonly found: ReadonlySet<string>;
  private readonly own = new Set<string>();
  /** How often each was seen. */
  private readonly strangers = new Map<string, number>();
  private readonly unreadable = new Set<string>();

  constructor(
    directory: string,
    private readonly chain: CheckpointChain,
    private readonly log: Logger,
  ) {
    // one that had begun long before the last checkpoint would be in it, or in an earlier one
    const since = chain.last === undefined ? 0 : Date.parse(chain.last.time) - slackMilliseconds;
    const found = storedStreams(directory).filter(({ stream }) => Date.parse(streamBeginning(stream)) >= since);
    this.found = new Set(found.map(({ stream }) => stream));
  }

  /** This service begins it. */
  add(stream: string): void {
    this.own.add(stream);
  }

  /** True also of every command's, as those ask nobody. The log is told of strangers. */
  has({ stream, kind }: StoredStream): boolean {
    const { own, found, chain, strangers } = this;
    if (kind === 'cli' || own.has(stream) || found.has(stream) || chain.covered.has(stream)) return true;
    const times = (strangers.get(stream) ?? 0) + 1;
    strangers.set(stream, times);
    // at the second look: the word of a worker that begins it may still have been under way at the first
    if (times === 2) this.log.error({ stream }, 'somebody else has put a stream into the audit log: it is not signed');
    return false;
  }

  /** One that cannot be read does not keep the others from being signed: the log is told of it. */
  async read<T>({ stream }: StoredStream, reading: () => Promise<T>): Promise<T | undefined> {
    try {
      return await reading();
    } catch (err) {
      if (!this.unreadable.has(stream)) this.log.error({ stream, err }, 'a stream of the audit log cannot be read');
      this.unreadable.add(stream);
      return undefined;
    }
  }
}
