import type { Command } from 'commander';
import { type EventQuery, eventFilter } from '../audit/event-filter.js';
import type { AuditEvent } from '../audit/read.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** `audit show`. @param audit the command whose subcommand it is */
export function addAuditShowCommand(audit: Command): void {
  const command = audit
    .command('show')
    .description('print events of the audit log, the oldest first; without verifying them')
    .argument('[directory]', "directory of the log's files; that of the settings by default")
    .option('--key <key>', 'key id, key ARN, or alias/NAME as a request named it')
    .option('--principal <name>', 'ARN, user name, role name or access key id of who asked')
    .option('--operation <names>', 'Encrypt,Decrypt ...; also what the service does by itself: RotateKey ...')
    .option('--since <time>', 'not before: 2026-11-22, 2026-11-22T10:00:00Z, or how long ago: 90s, 15m, 2h, 7d')
    .option('--until <time>', 'before that time')
    .option('--outcome <outcome>', 'success, failure, or an error code: AccessDeniedException ...')
    .option('--json', 'print the events as they are, one a line');
  addSettingsOptions(command, ['dataDir', 'auditDirectory']).action(async (directory: string | undefined, options) => {
    const isAsked = eventFilter(options as EventQuery, Date.now());
    const { json } = options as { readonly json?: boolean };
    const [{ auditEvents }, { auditDirectory }] = await Promise.all([
      import('../audit/read.js'),
      import('../server/data-directory.js'),
    ]);
    let unreadable = 0;
    const events = auditEvents(directory ?? auditDirectory(settingsOf(options).settings), () => {
      unreadable += 1;
    });
    for await (const { line, event } of events) {
      if (isAsked(event)) await print(json ? line : lineOf(event));
    }
    if (unreadable > 0) console.error(`hsm-kms: ${unreadable} lines are no events: hsm-kms audit verify says which.`);
  });
}

/** Waits while a pipe is full: a log can be larger than memory. */
async function print(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}

/** An event for people. */
function lineOf(event: AuditEvent): string {
  const { eventTime, eventName, errorCode, errorMessage, resources = [], sourceIPAddress, additionalEventData } = event;
  const milliseconds = additionalEventData?.milliseconds;
  const isByService = event.eventType === 'AwsServiceEvent';
  const parts = [
    ...[eventTime, eventName, errorCode ?? 'ok', whoOf(event)],
    ...resources.map(({ ARN = '' }) => ARN.split(':').at(-1) ?? ''),
    ...(isByService ? [JSON.stringify(event.serviceEventDetails ?? {})] : [sourceIPAddress ?? '']),
    ...(milliseconds === undefined ? [] : [`${milliseconds} ms`]),
    ...(errorMessage === undefined ? [] : [JSON.stringify(errorMessage)]),
  ];
  // what clients made up must not reach a terminal as it is
  return parts
    .filter(Boolean)
    .join('  ')
    .replace(/[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/gu, '?');
}

function whoOf({ userIdentity, additionalEventData }: AuditEvent): string {
  const { type, arn, invokedBy } = userIdentity ?? {};
  if (arn !== undefined) return arn.split(':').slice(5).join(':');
  const claimed = additionalEventData?.accessKeyIdClaimed;
  return invokedBy ?? (claimed === undefined ? (type ?? 'Unknown') : `Unknown (${claimed})`);
}
