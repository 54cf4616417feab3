import { userInfo } from 'node:os';
import type { EventStream } from '../../audit/event-stream.js';
import { type CommandEventSource, type CommandOutcome, ServiceRecords } from '../../audit/service-record.js';
import type { Settings } from '../../config/settings.js';
import type { KeyEventSink } from '../scheduled-tasks.js';
import { madeAuditDirectory, openStream, unwritable } from './stream-of-settings.js';

/** What a command does that is not a request: who did it is who owns the data directory. */
export interface CommandEvent<T = unknown> {
  readonly source: CommandEventSource;
  /** In the words of AWS, where it has such an operation. */
  readonly name: string;
  /** Never secrets. */
  readonly parameters: object;
  /** What came of it, for the record: never secrets. */
  readonly outcome?: (result: T) => Omit<CommandOutcome, 'error'>;
}

/** What a command writes to the audit log: a stream of its own, beside a service that may run. */
class CommandAudit {
  private readonly stream: EventStream;
  private readonly records: ServiceRecords;
  private readonly operator = operatorOf();

  /** @param command what it does: its stream begins with that, so that one that is killed has said so before */
  constructor(
    private readonly settings: Settings,
    command: Pick<CommandEvent, 'name' | 'parameters'>,
  ) {
    const { region, accountId } = settings;
    this.records = new ServiceRecords({ region, accountId });
    madeAuditDirectory(settings);
    const watcher = { began() {}, failed() {}, resumed() {}, wrote() {} };
    const { name, parameters } = command;
    const facts = { command: { name, parameters }, ...this.operator };
    this.stream = openStream(settings, 'cli', this.records, watcher, facts);
  }

  readonly tellOfKey: KeyEventSink = (event, arn, details) => {
    this.stream.append(this.records.ofKey(event, arn, details));
  };

  tell({ source, name, parameters }: CommandEvent, outcome: CommandOutcome): void {
    this.stream.append(this.records.ofCommand(source, name, parameters, this.operator, outcome));
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

/** Who runs this process. A container may run it for a user that has no name. */
function operatorOf(): { readonly operatingSystemUser: string | null; readonly uid: number | undefined } {
  const uid = process.getuid?.();
  try {
    return { operatingSystemUser: userInfo().username, uid };
  } catch {
    return { operatingSystemUser: null, uid };
  }
}

/**
 * Does what a command does, and writes down that it was done, or failed: nothing is done that cannot be written down.
 *
 * @throws Error in one sentence when the audit log cannot be written; what `work` throws
 */
export async function audited<T>(settings: Settings, event: CommandEvent<T>, work: () => Promise<T>): Promise<T> {
  if (settings.auditMode === 'off') return work();
  const audit = new CommandAudit(settings, event);
  await audit.expectWritable();
  let outcome: CommandOutcome = {};
  try {
    const result = await work();
    outcome = event.outcome?.(result) ?? {};
    return result;
  } catch (thrown) {
    outcome = { error: thrown as Error };
    throw thrown;
  } finally {
    audit.tell(event as CommandEvent, outcome);
    await audit.end();
  }
}

/** The same for what may be done to several keys. @param command what does it */
export async function auditedKeys<T>(
  settings: Settings,
  command: Pick<CommandEvent, 'name' | 'parameters'>,
  work: (tell: KeyEventSink) => Promise<T>,
): Promise<T> {
  if (settings.auditMode === 'off') return work(() => {});
  const audit = new CommandAudit(settings, command);
  await audit.expectWritable();
  try {
    return await work(audit.tellOfKey);
  } finally {
    await audit.end();
  }
}
