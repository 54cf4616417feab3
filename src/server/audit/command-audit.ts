import { userInfo } from 'node:os';
import type { EventStream } from '../../audit/event-stream.js';
import { type CommandEventSource, ServiceRecords } from '../../audit/service-record.js';
import type { Settings } from '../../config/settings.js';
import type { KeyEventSink } from '../scheduled-tasks.js';
import { madeAuditDirectory, openStream, unwritable } from './stream-of-settings.js';

/** What a command changes that is not a request: who did it is who owns the data directory. */
export interface CommandEvent {
  readonly source: CommandEventSource;
  /** In the words of AWS, where it has such an operation. */
  readonly name: string;
  /** Never secrets. */
  readonly parameters: object;
}

/** What a command writes to the audit log: a stream of its own, beside a service that may run. */
class CommandAudit {
  private readonly stream: EventStream;
  private readonly records: ServiceRecords;

  constructor(private readonly settings: Settings) {
    const { region, accountId } = settings;
    this.records = new ServiceRecords({ region, accountId });
    madeAuditDirectory(settings);
    this.stream = openStream(settings, 'cli', this.records, { failed() {}, resumed() {}, wrote() {} });
  }

  readonly tellOfKey: KeyEventSink = (event, arn, details) => {
    this.stream.append(this.records.ofKey(event, arn, details));
  };

  tell({ source, name, parameters }: CommandEvent, error: Error | undefined): void {
    const { username, uid } = userInfo();
    this.stream.append(this.records.ofCommand(source, name, parameters, { operatingSystemUser: username, uid }, error));
  }

  /** @throws Error when events cannot be written and must be */
  async expectWritable(): Promise<void> {
    await this.stream.flush();
    const { trouble } = this.stream;
    if (trouble === undefined || this.settings.auditFailOpen) return;
    await this.stream.end();
    throw unwritable(madeAuditDirectory(this.settings), trouble);
  }

  /** @throws Error when something that was done could not be written down */
  async end(): Promise<void> {
    await this.stream.end();
    const { trouble } = this.stream;
    if (trouble && !this.settings.auditFailOpen) throw unwritable(madeAuditDirectory(this.settings), trouble);
  }
}

/**
 * Does what a command does, and writes down that it was done, or failed: nothing is done that cannot be written down.
 *
 * @throws Error in one sentence when the audit log cannot be written; what `work` throws
 */
export async function audited<T>(settings: Settings, event: CommandEvent, work: () => Promise<T>): Promise<T> {
  if (settings.auditMode === 'off') return work();
  const audit = new CommandAudit(settings);
  await audit.expectWritable();
  let error: Error | undefined;
  try {
    return await work();
  } catch (thrown) {
    error = thrown as Error;
    throw thrown;
  } finally {
    audit.tell(event, error);
    await audit.end();
  }
}

/** The same for what may be done to several keys. */
export async function auditedKeys<T>(settings: Settings, work: (tell: KeyEventSink) => Promise<T>): Promise<T> {
  if (settings.auditMode === 'off') return work(() => {});
  const audit = new CommandAudit(settings);
  await audit.expectWritable();
  try {
    return await work(audit.tellOfKey);
  } finally {
    await audit.end();
  }
}
