import { join } from 'node:path';
import { streamBeginning, streamFileName } from './format.js';
import { listLog, type StreamFiles } from './verification/directory.js';
import { type LineBatch, lineBatches } from './verification/line-batches.js';

/** An event as it lies in the log: a CloudTrail record, of which only these members are read here. */
export interface AuditEvent {
  readonly eventTime: string;
  readonly eventName: string;
  readonly eventType?: string;
  readonly eventID?: string;
  readonly sourceIPAddress?: string;
  readonly errorCode?: string;
  readonly errorMessage?: string;
  readonly userIdentity?: {
    readonly type?: string;
    readonly arn?: string;
    readonly userName?: string;
    readonly accessKeyId?: string;
    readonly invokedBy?: string;
  };
  readonly requestParameters?: Readonly<Record<string, unknown>> | null;
  readonly resources?: readonly { readonly ARN?: string }[];
  readonly additionalEventData?: { readonly milliseconds?: number; readonly accessKeyIdClaimed?: string };
  readonly serviceEventDetails?: object;
}

/** An event, and its line. */
export interface ReadEvent {
  readonly line: string;
  readonly event: AuditEvent;
}

/** A stream that is being read. */
interface Reading {
  readonly events: AsyncGenerator<ReadEvent>;
  next: ReadEvent;
}

/**
 * The events of a log, those of several streams by their times, in as much memory as the streams take that were written
 * at the same time. Nothing is verified.
 *
 * @param onUnreadable told of a line that is no event: it is left out
 * @throws Error when there is no log in the directory
 */
export async function* auditEvents(
  directory: string,
  onUnreadable: (file: string, line: number) => void,
): AsyncGenerator<ReadEvent> {
  const waiting = [...listLog(directory).streams];
  const readings: Reading[] = [];
  for (;;) {
    const earliest = earliestOf(readings);
    const opening = waiting[0];
    // streams are opened when their turn comes: there may be thousands
    if (opening && (earliest === undefined || streamBeginning(opening.stream) <= earliest.next.event.eventTime)) {
      waiting.shift();
      const events = streamEvents(directory, opening, onUnreadable);
      const { value } = await events.next();
      if (value) readings.push({ events, next: value });
    } else if (earliest === undefined) {
      return;
    } else {
      yield earliest.next;
      const { value } = await earliest.events.next();
      if (value) earliest.next = value;
      else readings.splice(readings.indexOf(earliest), 1);
    }
  }
}

function earliestOf(readings: readonly Reading[]): Reading | undefined {
  let earliest: Reading | undefined;
  for (const reading of readings) {
    if (earliest === undefined || reading.next.event.eventTime < earliest.next.event.eventTime) earliest = reading;
  }
  return earliest;
}

async function* streamEvents(
  directory: string,
  { stream, numbers }: StreamFiles,
  onUnreadable: (file: string, line: number) => void,
): AsyncGenerator<ReadEvent> {
  for (const number of numbers) {
    const file = streamFileName(stream, number);
    let place = 0;
    for await (const { lines } of batchesOf(join(directory, file))) {
      // the batch's memory is used again
      for (const line of lines.map((bytes) => bytes.toString())) {
        place += 1;
        const event = parsed(line);
        if (event) yield { line, event };
        else onUnreadable(file, place);
      }
    }
  }
}

/** None of a file that was removed for its age since it was listed. */
async function* batchesOf(path: string): AsyncGenerator<LineBatch> {
  try {
    yield* lineBatches(path, () => {});
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function parsed(line: string): AuditEvent | undefined {
  try {
    const event = JSON.parse(line);
    const isEvent = typeof event?.eventTime === 'string' && typeof event.eventName === 'string';
    return isEvent ? event : undefined;
  } catch {
    return undefined;
  }
}
