import { createReadStream, rmSync } from 'node:fs';
import { join } from 'node:path';
import { integrityOf, lineHash, type StreamHead } from '../../audit/format.js';
import { type StoredStream, type StreamFile, storedStreams } from '../../audit/stream-files.js';
import { wholeLines } from '../../audit/whole-lines.js';
import type { Settings } from '../../config/settings.js';

const dayMilliseconds = 86_400_000;

/** A file of the log that is removed, and what of the chain goes with it. */
interface RemovedFile {
  readonly file: string;
  readonly stream: string;
  readonly firstSequence: number;
  readonly lastSequence: number;
  readonly lastHash: string;
  readonly bytes: number;
}

/** What is known of the streams. */
export interface StreamEnds {
  /** How far checkpoints cover them. */
  readonly covered: ReadonlyMap<string, StreamHead>;
  /** Those that are being written. */
  readonly live: ReadonlySet<string>;
}

/**
 * Removes the oldest files that the settings do not keep: of those that checkpoints cover, never a supervisor's, which
 * name what was removed, nor the last of a stream that may go on.
 *
 * @param remember writes down what is going to be removed; false when that could not be written
 */
export async function removeOldFiles(
  directory: string,
  { auditRetentionDays, auditRetentionMegabytes }: Settings,
  { covered, live }: StreamEnds,
  remember: (files: readonly RemovedFile[]) => Promise<boolean>,
): Promise<void> {
  if (auditRetentionDays === undefined && auditRetentionMegabytes === undefined) return;
  const streams = storedStreams(directory);
  const oldest = Date.now() - (auditRetentionDays ?? Number.POSITIVE_INFINITY) * dayMilliseconds;
  const all = streams.flatMap(({ files }) => files);
  let excess =
    all.reduce((sum, { bytes }) => sum + bytes, 0) - (auditRetentionMegabytes ?? Number.POSITIVE_INFINITY) * 2 ** 20;
  const removed: RemovedFile[] = [];
  for (const { stream, file } of removable(streams, { covered, live })) {
    if (file.changedAt >= oldest && excess <= 0) break;
    const described = await describe(directory, stream, file);
    if (described === undefined) continue;
    removed.push(described);
    excess -= file.bytes;
  }
  if (removed.length === 0 || !(await remember(removed))) return;
  for (const { file } of removed) rmSync(join(directory, file), { force: true });
}

/** The oldest first; of a stream in the order of their numbers. */
function removable(
  streams: readonly StoredStream[],
  { covered, live }: StreamEnds,
): { readonly stream: string; readonly file: StreamFile }[] {
  return streams
    .filter(({ kind }) => kind !== 'supervisor')
    .flatMap(({ stream, files }) => {
      const end = covered.get(stream)?.file;
      if (end === undefined) return [];
      const isOver = !live.has(stream);
      return files.filter(({ name }) => name < end || (isOver && name === end)).map((file) => ({ stream, file }));
    })
    .sort((one, other) => one.file.changedAt - other.file.changedAt || one.file.number - other.file.number);
}

/** Undefined for a file that holds no event. */
async function describe(directory: string, stream: string, file: StreamFile): Promise<RemovedFile | undefined> {
  let first: number | undefined;
  let last: { readonly sequence: number; readonly hash: string } | undefined;
  for await (const { line } of wholeLines(createReadStream(join(directory, file.name)))) {
    const integrity = integrityOf(line.toString());
    if (integrity === undefined) continue;
    first ??= integrity.sequence;
    last = { sequence: integrity.sequence, hash: lineHash(line) };
  }
  if (first === undefined || last === undefined) return undefined;
  return {
    file: file.name,
    stream,
    firstSequence: first,
    lastSequence: last.sequence,
    lastHash: last.hash,
    bytes: file.bytes,
  };
}
