import { createHash } from 'node:crypto';
import { join } from 'node:path';
import type { Logger } from 'pino';
import { CheckpointChain } from '../../audit/checkpoint-chain.js';
import type { EventStream } from '../../audit/event-stream.js';
import { compareHeads, merkleRoot, type StreamHead } from '../../audit/format.js';
import { type ServiceEventName, ServiceRecords } from '../../audit/service-record.js';
import { endOfStream, endsInOrder, type StoredStream, storedStreams } from '../../audit/stream-files.js';
import { forwardAddresses } from '../../config/audit-forward.js';
import { type Settings, settingNames, shownValue } from '../../config/settings.js';
import { version } from '../../config/version.js';
import type { Metrics } from '../../metrics/metrics.js';
import { type ExclusiveLock, takeExclusiveLock } from '../exclusive-lock.js';
import type { AuditedWorker } from './audited-workers.js';
import { AuditedWorkers } from './audited-workers.js';
import { Forwarding } from './forward/forwarding.js';
import { KnownStreams } from './known-streams.js';
import { announcedRecoveries } from './recoveries.js';
import { removeOldFiles } from './retention.js';
import { madeAuditDirectory, newsOfStream, openStream, unwritable } from './stream-of-settings.js';

/** A service that is being replaced may need a moment to end, in milliseconds. */
const endOfAnother = 1_000;
/** How long after something that a checkpoint should not wait for, in milliseconds. */
const soon = 1_000;

/**
 * The audit log as its keeper sees it: the supervisor's own stream, and the checkpoints over all streams, which a worker
 * signs.
 */
export class SupervisorAudit {
  readonly workers = new AuditedWorkers((stream) => this.known.add(stream));
  private readonly known: KnownStreams;
  private readonly stream: EventStream;
  private readonly announced: Map<string, number>;
  /** How far streams went that others have written, when they were looked at. */
  private readonly seen = new Map<string, string>();
  /** A stream may have ended by a crash, which cannot be said before all workers are heard. */
  private isRecoveryPending = false;
  /** Streams of which nothing is covered any more. */
  private readonly over = new Set<string>();
  /** Streams that are being written; undefined when not all of them are known. */
  private live: ReadonlySet<string> | undefined;
  private timer: NodeJS.Timeout | undefined;
  private making: Promise<void> = Promise.resolve();
  private unsignedSince: string | undefined;
  private lastCheckpointAt: number | undefined;
  private checkpoints = 0;
  private forwarding: Forwarding | undefined;
  private lock: ExclusiveLock | undefined;
  private isStopped = false;
  private isClosed = false;

  /** Undefined where nothing is written down. @throws Error that says what is wrong with the directory */
  static async open(settings: Settings, log: Logger): Promise<SupervisorAudit | undefined> {
    if (settings.auditMode === 'off') return undefined;
    const directory = madeAuditDirectory(settings);
    const lock = lockOf(settings, directory);
    const announced = await announcedRecoveries(directory);
    const audit = new SupervisorAudit(settings, log, directory, await CheckpointChain.open(directory), announced);
    await audit.stream.flush();
    const { trouble } = audit.stream;
    if (trouble && !settings.auditFailOpen) {
      await audit.stream.end();
      lock?.release();
      throw unwritable(directory, trouble);
    }
    audit.lock = lock;
    return audit;
  }

  private constructor(
    private readonly settings: Settings,
    private readonly log: Logger,
    private readonly directory: string,
    private readonly chain: CheckpointChain,
    announced: Map<string, number>,
  ) {
    this.announced = announced;
    this.known = new KnownStreams(directory, chain, log);
    const { region, accountId } = settings;
    const records = new ServiceRecords({ region, accountId });
    const addresses = forwardAddresses(settings.auditForward);
    if (addresses.length > 0) this.forwarding = new Forwarding(directory, addresses, log);
    this.tell = (event, details) => this.stream.append(records.ofService(event, details));
    const news = newsOfStream(settings, log, { began: (stream) => this.known.add(stream) });
    const { sequence, hash } = chain.last ?? {};
    const facts = { lastCheckpoint: chain.last ? { sequence, hash } : null };
    this.stream = openStream(settings, 'supervisor', records, news, facts);
    this.tell('StartService', { version, workers: settings.workers });
    this.tell('LoadConfiguration', configurationOf(settings));
  }

  /** Writes down what became of the service. */
  readonly tell: (event: ServiceEventName, details: object) => void;

  /** Makes checkpoints from now on: soon, and then at the interval. @param fleet the workers that there are */
  start(fleet: () => readonly AuditedWorker[]): void {
    this.workers.fleet = fleet;
    this.checkpointIn(soon);
  }

  /** A worker has ended that did not say so: what it has written is looked for. */
  workerCrashed(): void {
    if (!this.isStopped) this.checkpointIn(soon);
  }

  publish(metrics: Metrics): void {
    metrics.collect(({ auditCheckpoints, auditLastCheckpoint }) => {
      auditCheckpoints.at().value = this.checkpoints;
      if (this.lastCheckpointAt !== undefined) auditLastCheckpoint.at().value = this.lastCheckpointAt / 1000;
    });
  }

  /** The last checkpoint, over everything; the last worker is there to sign it. */
  async end(): Promise<void> {
    this.stop();
    await this.making;
    clearTimeout(this.timer);
    await this.endStream();
    await this.checkpoint();
  }

  /** Ends what has not ended yet: the stream, when no worker was left to sign. */
  async close(): Promise<void> {
    this.stop();
    await this.endStream();
    await this.forwarding?.end();
    this.lock?.release();
    this.lock = undefined;
  }

  private async endStream(): Promise<void> {
    if (this.isClosed) return;
    this.isClosed = true;
    await this.stream.end();
  }

  private stop(): void {
    clearTimeout(this.timer);
    if (!this.isStopped) this.tell('StopService', { version });
    this.isStopped = true;
  }

  private checkpointIn(milliseconds: number): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => {
      this.making = this.checkpoint().then(async () => {
        await this.removeOldFiles();
        if (this.isStopped) return;
        this.checkpointIn(this.isRecoveryPending ? soon : this.settings.auditCheckpointSeconds * 1000);
      });
    }, milliseconds);
  }

  private async removeOldFiles(): Promise<void> {
    const { live } = this;
    if (live === undefined) return;
    const ends = { covered: this.chain.covered, live };
    try {
      await removeOldFiles(this.directory, this.settings, ends, (files) => this.rememberRemoval(files));
    } catch (error) {
      this.log.error({ err: error }, 'old files of the audit log cannot be removed');
    }
  }

  private async rememberRemoval(files: readonly object[]): Promise<boolean> {
    this.tell('RemoveAuditFiles', { files });
    // signed before the files go: without it, nobody could tell this from somebody else's removing them
    await this.checkpoint();
    return this.stream.trouble === undefined && this.unsignedSince === undefined;
  }

  /** Never throws: what fails is tried again at the next. */
  private async checkpoint(): Promise<void> {
    try {
      const time = new Date();
      const heads = await this.grownHeads();
      if (heads.length === 0) return;
      const unsigned = {
        version: 1,
        ...this.chain.next,
        time: time.toISOString(),
        heads,
        root: merkleRoot(heads),
      } as const;
      this.chain.append(await this.workers.sign(unsigned), unsigned);
      this.workers.forget(heads);
      this.checkpoints += 1;
      this.lastCheckpointAt = time.getTime();
      if (this.unsignedSince !== undefined) this.log.info('the audit log is signed again');
      this.unsignedSince = undefined;
    } catch (error) {
      const { message } = error as Error;
      if (this.unsignedSince !== message) this.log.error({ err: error }, 'no checkpoint of the audit log can be made');
      this.unsignedSince = message;
    }
  }

  /** The ends of all streams that have grown since the last checkpoint. */
  private async grownHeads(): Promise<StreamHead[]> {
    const { told, areAllHeard } = await this.workers.heads();
    this.isRecoveryPending = false;
    const own = await this.stream.flush();
    this.live = areAllHeard ? new Set([...told.keys(), ...(own ? [own.stream] : [])]) : undefined;
    if (own) told.set(own.stream, own);
    for (const stored of storedStreams(this.directory)) {
      if (told.has(stored.stream) || this.isOver(stored) || !this.known.has(stored)) continue;
      const isAnnounced = stored.kind === 'cli' || this.announced.has(stored.stream);
      if (isAnnounced && !this.mayHaveGrown(stored)) continue;
      const covered = this.chain.covered.get(stored.stream);
      const end = await this.known.read(stored, () => endOfStream(this.directory, stored, covered));
      if (end === undefined) continue;
      this.seen.set(stored.stream, extentOf(stored));
      const { head, isEnded, tornBytes } = end;
      if (head) told.set(stored.stream, head);
      // the next supervisor says so, where this one has said its last
      if (isEnded || this.isClosed || isAnnounced) continue;
      if (!areAllHeard) {
        // it may be that of a worker that starts
        this.isRecoveryPending = true;
        continue;
      }
      const { sequence: lastSequence = 0, hash: lastHash, file, bytes } = head ?? {};
      this.announced.set(stored.stream, lastSequence);
      this.tell('RecoverStream', { stream: stored.stream, file, lastSequence, lastHash, bytes, tornBytes });
    }
    const { covered } = this.chain;
    const grown = [...told.values()].filter(({ stream, sequence }) => covered.get(stream)?.sequence !== sequence);
    return grown.sort(compareHeads);
  }

  /**
   * A checkpoint covers it to its last event, or to where it is known to have ended by a crash: what is behind that does
   * not belong to it, and is not signed.
   */
  private isOver({ stream }: StoredStream): boolean {
    if (this.over.has(stream)) return true;
    const covered = this.chain.covered.get(stream);
    if (covered === undefined) return false;
    const isRecovered = covered.sequence >= (this.announced.get(stream) ?? Number.POSITIVE_INFINITY);
    if (!isRecovered && !endsInOrder(this.directory, covered)) return false;
    this.over.add(stream);
    return true;
  }

  /** What a checkpoint covers to its last byte has not, and what was looked at and is as it was. */
  private mayHaveGrown(stored: StoredStream): boolean {
    const covered = this.chain.covered.get(stored.stream);
    const extent = extentOf(stored);
    return this.seen.get(stored.stream) !== extent && extent !== (covered && `${covered.file} ${covered.bytes}`);
  }
}

/**
 * Makes this the only service that keeps checkpoints in the directory: the default one is in the data directory, which is
 * claimed as a whole.
 *
 * @throws Error in one sentence that says what to do
 */
function lockOf({ auditDirectory, auditFailOpen }: Settings, directory: string): ExclusiveLock | undefined {
  if (auditDirectory === undefined) return undefined;
  let lock: ExclusiveLock | undefined;
  try {
    lock = takeExclusiveLock(join(directory, 'audit.lock'), endOfAnother);
  } catch (error) {
    if (auditFailOpen) return undefined;
    throw unwritable(directory, error as Error);
  }
  if (lock === undefined) {
    throw new Error(
      `Another hsm-kms writes its audit log to ${directory}: stop that one, or set HSM_KMS_AUDIT_DIRECTORY to a directory of this one's own.`,
    );
  }
  return lock;
}

function extentOf({ files }: StoredStream): string {
  const last = files.at(-1);
  return `${last?.name} ${last?.bytes}`;
}

/** What the service was told to do, without secrets, and a hash to compare by. */
function configurationOf(settings: Settings): object {
  const shown = Object.fromEntries(settingNames.map((name) => [name, shownValue(name, settings[name])]));
  return { sha256: createHash('sha256').update(JSON.stringify(shown)).digest('hex'), settings: shown };
}
