import { createHash } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { integrityOf, lineHash, parseStreamFileName, streamFileName } from '../../audit/format.js';
import type { AuditEvent } from '../../audit/read.js';
import { listLog } from '../../audit/verification/directory.js';
import { lineBatches } from '../../audit/verification/line-batches.js';
import type { HistoryEvent, KeyHistoryEvidence } from '../../evidence/bundle.js';

/** Of a key with more, the newest are told: grants may come and go by the thousand. */
const mostEvents = 1_000;

/** What events of changes have in them, as bytes: most of a log need not be parsed. */
const ofChanges = Buffer.from('"readOnly":false');

/**
 * What the audit log of this node says of how keys came to be as they are: the changes that succeeded, each with the hash
 * of its line. Nothing is verified: that is `hsm-kms audit verify`'s.
 *
 * @param ids of the keys
 * @returns by key id; undefined where there is no log
 * @throws what the file system throws
 */
export async function keyHistories(
  directory: string,
  ids: ReadonlySet<string>,
): Promise<ReadonlyMap<string, KeyHistoryEvidence> | undefined> {
  if (!hasStreams(directory)) return undefined;
  const events = new Map([...ids].map((id) => [id, [] as HistoryEvent[]]));
  for (const { stream, numbers } of listLog(directory).streams) {
    for (const number of numbers) await readFile(join(directory, streamFileName(stream, number)), events);
  }
  return new Map([...events].map(([id, found]) => [id, historyOf(found)]));
}

function hasStreams(directory: string): boolean {
  return existsSync(directory) && readdirSync(directory).some((name) => parseStreamFileName(name) !== undefined);
}

async function readFile(path: string, events: ReadonlyMap<string, HistoryEvent[]>): Promise<void> {
  try {
    for await (const { lines } of lineBatches(path, () => {})) {
      for (const bytes of lines) {
        if (bytes.includes(ofChanges)) addChange(bytes.toString(), events);
      }
    }
  } catch (error) {
    // the retention may remove a file at any time
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
  }
}

function addChange(line: string, events: ReadonlyMap<string, HistoryEvent[]>): void {
  const event = eventOf(line);
  const integrity = integrityOf(line);
  if (event === undefined || integrity === undefined || event.errorCode !== undefined) return;
  const { eventName, eventTime, eventID, userIdentity, requestParameters } = event;
  const policy = requestParameters?.policy;
  for (const id of keysOf(event)) {
    events.get(id)?.push({
      name: eventName,
      time: eventTime,
      by: userIdentity?.arn ?? userIdentity?.invokedBy ?? null,
      eventId: eventID ?? null,
      policySha256: typeof policy === 'string' ? createHash('sha256').update(policy).digest('hex') : null,
      stream: integrity.stream,
      sequence: integrity.sequence,
      lineSha256: lineHash(line),
    });
  }
}

function eventOf(line: string): AuditEvent | undefined {
  try {
    const event = JSON.parse(line);
    // making evidence changes no key
    const isChange = event?.readOnly === false && event.eventSource === 'kms.amazonaws.com';
    return isChange && typeof event.eventName === 'string' ? event : undefined;
  } catch {
    // audit verify says which lines are no events
    return undefined;
  }
}

/** Ids of the keys that an event is about. */
function keysOf({ resources = [], requestParameters }: AuditEvent): Set<string> {
  const arns = [...resources.map(({ ARN }) => ARN), requestParameters?.keyId];
  return new Set(arns.flatMap((arn) => (typeof arn === 'string' ? [arn.replace(/^arn:.*:key\//, '')] : [])));
}

function historyOf(found: HistoryEvent[]): KeyHistoryEvidence {
  const inOrder = found.sort((one, other) => (one.time < other.time ? -1 : one.time > other.time ? 1 : 0));
  return { earlier: Math.max(0, inOrder.length - mostEvents), events: inOrder.slice(-mostEvents) };
}
