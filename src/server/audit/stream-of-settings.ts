import { existsSync, readdirSync } from 'node:fs';
import type { Logger } from 'pino';
import { EventStream, type Interruption, type StreamWatcher } from '../../audit/event-stream.js';
import type { StreamKind } from '../../audit/format.js';
import type { ServiceRecords } from '../../audit/service-record.js';
import type { Settings } from '../../config/settings.js';
import { version } from '../../config/version.js';
import { auditDirectory, makePrivateDirectory } from '../data-directory.js';

/** The directory of the audit log, made where it is missing. @throws Error in one sentence that says what to do */
export function madeAuditDirectory(settings: Settings): string {
  const directory = auditDirectory(settings);
  try {
    // one that an operator has made may have a mode of its own
    if (!existsSync(directory)) makePrivateDirectory(directory);
    readdirSync(directory);
    return directory;
  } catch (error) {
    throw unwritable(directory, error as Error);
  }
}

/** What a start ends with that cannot write to the audit log. */
export function unwritable(directory: string, cause: Error): Error {
  const why = (cause as NodeJS.ErrnoException).code ?? cause.message;
  return new Error(
    `The audit log's directory ${directory} cannot be written to (${why}): make it a directory of this user's with room on its disk, set HSM_KMS_AUDIT_DIRECTORY to another, or HSM_KMS_AUDIT_FAIL_OPEN=true to answer requests that are not written down.`,
    { cause },
  );
}

/** A stream of this process. @param facts of its first event */
export function openStream(
  settings: Settings,
  kind: StreamKind,
  records: ServiceRecords,
  watcher: StreamWatcher,
  facts: object = {},
): EventStream {
  return new EventStream(
    {
      directory: auditDirectory(settings),
      kind,
      durable: settings.auditMode === 'durable',
      fileBytes: settings.auditFileMegabytes * 2 ** 20,
      fileMilliseconds: settings.auditFileHours * 3_600_000,
    },
    {
      start: (after) => records.ofService('StartStream', { kind, pid: process.pid, version, ...facts, after }),
      end: () => records.ofService('EndStream'),
      resume: (interruption) => records.ofService('ResumeAudit', detailsOf(interruption)),
    },
    watcher,
  );
}

function detailsOf({ reason, since, lost, withheld, withheldCount }: Interruption): object {
  return { reason, since: since.toISOString(), lost, withheld, withheldCount };
}

/** Tells the log what becomes of a stream, and whoever wants to know more. */
export function newsOfStream(
  settings: Settings,
  log: Logger,
  { began = () => {}, wrote = () => {}, failed = () => {} }: Partial<StreamWatcher>,
): StreamWatcher {
  const { auditFailOpen: failOpen } = settings;
  const directory = auditDirectory(settings);
  const consequence = failOpen ? 'requests are answered all the same (auditFailOpen)' : 'requests are refused';
  return {
    began,
    wrote,
    failed(err) {
      failed(err);
      log.error({ directory, err }, `the audit log cannot be written: ${consequence} until it can`);
    },
    resumed({ since, lost, withheldCount }) {
      log.warn({ directory, since, lost, withheldCount }, 'the audit log is written again');
    },
  };
}
