import type { Logger } from 'pino';
import type { EventStream } from '../../audit/event-stream.js';
import type { StreamHead } from '../../audit/format.js';
import { type RequestAudit, StreamedRequestAudit } from '../../audit/request-audit.js';
import { RequestRecords } from '../../audit/request-record.js';
import { type ServiceEventName, ServiceRecords } from '../../audit/service-record.js';
import type { Settings } from '../../config/settings.js';
import type { Metrics } from '../../metrics/metrics.js';
import type { KeyEventSink } from '../scheduled-tasks.js';
import { newsOfStream, openStream } from './stream-of-settings.js';

/** What a worker writes to the audit log. */
export class WorkerAudit {
  readonly requests: RequestAudit;
  private readonly stream: EventStream;
  private readonly records: ServiceRecords;

  /** Undefined where nothing is written down. */
  static open(
    settings: Settings,
    log: Logger,
    metrics: Metrics,
    began: (stream: string) => void,
  ): WorkerAudit | undefined {
    return settings.auditMode === 'off' ? undefined : new WorkerAudit(settings, log, metrics, began);
  }

  private constructor(settings: Settings, log: Logger, metrics: Metrics, began: (stream: string) => void) {
    const { region, accountId, auditMode, auditFailOpen } = settings;
    const home = { region, accountId };
    const events = metrics.families.auditEvents.at();
    const delays = metrics.families.auditDelay.at();
    const failures = metrics.families.auditFailures.at();
    this.records = new ServiceRecords(home);
    const watcher = newsOfStream(settings, log, {
      began,
      wrote(count, milliseconds) {
        events.value += count;
        delays.observe(milliseconds / 1000);
      },
      failed() {
        failures.value += 1;
      },
    });
    this.stream = openStream(settings, 'worker', this.records, watcher);
    const policy = { durable: auditMode === 'durable', failOpen: auditFailOpen };
    this.requests = new StreamedRequestAudit(this.stream, new RequestRecords(home), policy);
    metrics.collect(({ auditWritable }) => {
      auditWritable.at().value = this.stream.trouble ? 0 : 1;
    });
  }

  /** Writes down what the service did to a key by itself. */
  readonly tellOfKey: KeyEventSink = (event, arn, details) => {
    this.stream.append(this.records.ofKey(event, arn, details));
  };

  /** Writes down what became of the service. */
  tell(event: ServiceEventName, details: object): void {
    this.stream.append(this.records.ofService(event, details));
  }

  /** Has everything so far on the disk. @returns the stream's end */
  head(): Promise<StreamHead | undefined> {
    return this.stream.flush();
  }

  /** Ends the stream. @returns its end */
  end(): Promise<StreamHead | undefined> {
    return this.stream.end();
  }
}
