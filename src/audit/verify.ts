import { createPublicKey, type KeyObject } from 'node:crypto';
import { lineHash, parseCheckpointLine } from './format.js';
import { CheckpointVerification, type KeptCheckpoint, type SignedLog } from './verification/checkpoints.js';
import { type LogFiles, listLog, type StreamFiles } from './verification/directory.js';
import { type Finding, Findings } from './verification/findings.js';
import { type StreamSummary, StreamVerification } from './verification/stream.js';
import { SupervisorsReader, type SupervisorsWord } from './verification/supervisors.js';

export type { Finding, FindingKind } from './verification/findings.js';

export interface AuditVerificationOptions {
  /** Of the log's files, or of a copy of them. */
  readonly directory: string;
  /** The audit key's public key, or a certificate of it, in PEM. */
  readonly publicKey: string | KeyObject;
  /** The line of a checkpoint that was kept elsewhere: the log must still hold it. */
  readonly keptCheckpoint?: string | undefined;
  /** Told now and then how many bytes have been read, of how many. */
  readonly onProgress?: (bytes: number, ofBytes: number) => void;
}

/** What was read of a log, and what is wrong with it. */
export interface AuditVerification {
  /** True when nothing is wrong: no event that a checkpoint covers was changed, removed, inserted or moved. */
  readonly isWhole: boolean;
  /** The first thousand. */
  readonly findings: readonly Finding[];
  readonly findingCount: number;
  readonly events: number;
  readonly streams: number;
  readonly bytes: number;
  readonly checkpoints: number;
  readonly lastCheckpoint: { readonly sequence: number; readonly time: string; readonly hash: string } | undefined;
  /** Events that are chained, and that no checkpoint covers yet. */
  readonly unsignedEvents: number;
  readonly unsignedSince: string | undefined;
  /** Bytes of lines that crashes have cut off: they are no events. */
  readonly tornBytes: number;
  /** Streams that are being written, or that a crash has ended. */
  readonly openStreams: number;
  /** Files that the service has removed for their age or the log's size, and has said so. */
  readonly removedFiles: number;
  /** Files in the directory that are none of the log's. */
  readonly strangers: readonly string[];
}

/** How much later than its beginning a stream is in a checkpoint at the latest, in milliseconds. */
const signingMilliseconds = 5_000;
/** How often a log is read in which a file was listed and is not there any more. */
const mostTimes = 3;

/**
 * Verifies an audit log: that it is, as far as checkpoints cover it, what the service has written. Reads every file once
 * (the supervisors' twice), in chunks; needs neither the service nor its token.
 *
 * @throws Error with a sentence when there is no log to read, or the key is none
 */
export async function verifyAuditLog(options: AuditVerificationOptions): Promise<AuditVerification> {
  for (let times = 1; ; times += 1) {
    try {
      return await verifyOnce(options);
    } catch (error) {
      // the service removes old files, and says so, while it runs
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || times === mostTimes) throw error;
    }
  }
}

async function verifyOnce(options: AuditVerificationOptions): Promise<AuditVerification> {
  const { directory, publicKey, keptCheckpoint, onProgress = () => {} } = options;
  const key = publicKeyOf(publicKey);
  const kept = keptCheckpoint === undefined ? undefined : keptOf(keptCheckpoint);
  const findings = new Findings();
  let bytes = 0;
  const { checkpoints, bytes: listed } = listLog(directory);
  const onBytes = (more: number) => {
    bytes += more;
    onProgress(bytes, Math.max(bytes, listed));
  };
  const signed = await new CheckpointVerification(key, kept, findings).read(directory, checkpoints, onBytes);
  // listed anew: while the service writes, streams go on past what the checkpoints say, and not the other way round
  const files = listLog(directory);
  const word = await new SupervisorsReader(directory, signed.heads).read(files.streams);
  if (word.seenCheckpoint > (signed.last?.sequence ?? 0)) {
    const message = `a supervisor has found checkpoint ${word.seenCheckpoint} at its start: the end of the checkpoints is cut off`;
    findings.add('truncated', message, { sequence: word.seenCheckpoint });
  }
  const summaries: StreamSummary[] = [];
  for (const stream of allStreams(files, signed, word)) {
    const heads = signed.heads.get(stream.stream) ?? [];
    const summary = await new StreamVerification(stream.stream, heads, word, findings).read(directory, stream, onBytes);
    summaries.push(summary);
    expectSigned(stream, summary, heads.length > 0, signed, findings);
  }
  return reportOf({ files, signed, word, findings, summaries, bytes });
}

/** Those that are there, and those that there were. */
function allStreams({ streams }: LogFiles, { heads }: SignedLog, { removed }: SupervisorsWord): StreamFiles[] {
  const there = new Set(streams.map(({ stream }) => stream));
  const said = [...heads.keys(), ...[...removed.keys()].map((file) => file.replace(/\.\d{6}\.jsonl$/, ''))];
  const gone = [...new Set(said)].filter((stream) => !there.has(stream));
  return [...streams, ...gone.map((stream) => ({ stream, kind: undefined, numbers: [] }))];
}

/** A stream that there was when the last checkpoint was made is in one: else somebody has put it there later. */
function expectSigned(
  { stream }: StreamFiles,
  { events, beganAt }: StreamSummary,
  hasHead: boolean,
  { last }: SignedLog,
  findings: Findings,
): void {
  if (hasHead || events === 0 || last === undefined) return;
  const isOld = Date.parse(beganAt ?? '') + signingMilliseconds < Date.parse(last.time);
  if (!isOld && beganAt !== undefined) return;
  const message = `no checkpoint covers this stream, which began before checkpoint ${last.sequence}: it was put there`;
  findings.add('unsigned', message, { stream });
}

interface Read {
  readonly files: LogFiles;
  readonly signed: SignedLog;
  readonly word: SupervisorsWord;
  readonly findings: Findings;
  readonly summaries: readonly StreamSummary[];
  readonly bytes: number;
}

function reportOf({ files, signed, word, findings, summaries, bytes }: Read): AuditVerification {
  const sum = (of: (summary: StreamSummary) => number) => summaries.reduce((total, each) => total + of(each), 0);
  const events = sum((summary) => summary.events);
  if (signed.count === 0 && events > 0) {
    findings.add('unsigned', 'there is no checkpoint that the key has signed: nothing here is proved', {});
  }
  return {
    isWhole: findings.count === 0,
    findings: findings.all,
    findingCount: findings.count,
    ...{ events, streams: files.streams.length, bytes },
    ...{ checkpoints: signed.count, lastCheckpoint: signed.last },
    unsignedEvents: sum(({ unsigned }) => unsigned),
    unsignedSince: summaries.flatMap(({ unsignedSince }) => unsignedSince ?? []).toSorted()[0],
    tornBytes: signed.tornBytes + sum(({ tornBytes }) => tornBytes),
    openStreams: summaries.filter(({ events, isEnded }) => events > 0 && !isEnded).length,
    removedFiles: word.removed.size,
    strangers: files.strangers,
  };
}

function publicKeyOf(given: string | KeyObject): KeyObject {
  if (typeof given !== 'string') return given;
  try {
    return createPublicKey(given);
  } catch (error) {
    throw new Error('The public key is none in PEM: it is what hsm-kms audit public-key prints.', { cause: error });
  }
}

function keptOf(text: string): KeptCheckpoint {
  const line = text.trim();
  const sequence = parseCheckpointLine(line)?.checkpoint.sequence;
  if (sequence === undefined) throw new Error('The checkpoint that was kept is not a line of checkpoints.*.jsonl.');
  return { sequence, hash: lineHash(line) };
}
