import type { Command } from 'commander';
import type { AuditEvent } from '../audit/read.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

interface ShowOptions {
  readonly key?: string;
  readonly principal?: string;
  readonly operation?: string;
  readonly since?: string;
  readonly until?: string;
  readonly outcome?: string;
  readonly json?: boolean;
}

type Filter = (event: AuditEvent) => boolean;

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
    const given = options as ShowOptions;
    const filters = filtersOf(given, Date.now());
    const [{ auditEvents }, { auditDirectory }] = await Promise.all([
      import('../audit/read.js'),
      import('../server/data-directory.js'),
    ]);
    let unreadable = 0;
    const events = auditEvents(directory ?? auditDirectory(settingsOf(options).settings), () => {
      unreadable += 1;
    });
    for await (const { line, event } of events) {
      if (filters.every((holds) => holds(event))) await print(given.json ? line : lineOf(event));
    }
    if (unreadable > 0) console.error(`hsm-kms: ${unreadable} lines are no events: hsm-kms audit verify says which.`);
  });
}

/** Waits while a pipe is full: a log can be larger than memory. */
async function print(line: string): Promise<void> {
  if (process.stdout.write(`${line}\n`)) return;
  await new Promise<void>((resolve) => process.stdout.once('drain', resolve));
}

/** @throws Error with a sentence that says what to type */
function filtersOf({ key, principal, operation, since, until, outcome }: ShowOptions, now: number): Filter[] {
  const from = since === undefined ? undefined : timeOf(since, now);
  const to = until === undefined ? undefined : timeOf(until, now);
  const operations = operation?.toLowerCase().split(',');
  const filters: [given: unknown, filter: Filter][] = [
    [from, ({ eventTime }) => eventTime >= (from ?? '')],
    [to, ({ eventTime }) => eventTime < (to ?? '')],
    [operations, ({ eventName }) => operations?.includes(eventName.toLowerCase()) ?? false],
    [key, (event) => isAbout(event, key ?? '')],
    [principal, (event) => isBy(event, principal ?? '')],
    [outcome, ({ errorCode }) => isOutcome(errorCode, outcome ?? '')],
  ];
  return filters.filter(([given]) => given !== undefined).map(([, filter]) => filter);
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As events have it: ISO 8601, UTC, milliseconds. @throws Error */
function timeOf(text: string, now: number): string {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text);
  const time = count === undefined ? Date.parse(text) : now - Number(count) * (units[unit] ?? 0);
  if (Number.isNaN(time) || (count === undefined && !isWritten)) {
    throw new Error(
      `${JSON.stringify(text)} is not a time as in 2026-11-22, 2026-11-22T10:00:00Z, or 2h for two hours ago.`,
    );
  }
  return new Date(time).toISOString();
}

function isAbout({ resources = [], requestParameters, serviceEventDetails }: AuditEvent, key: string): boolean {
  const named = { ...requestParameters, ...serviceEventDetails } as Readonly<Record<string, unknown>>;
  const isNamed = ['keyId', 'aliasName', 'targetKeyId', 'destinationKeyId'].some((name) => named[name] === key);
  return (
    isNamed || resources.some(({ ARN = '' }) => ARN === key || ARN.endsWith(`:key/${key}`) || ARN.endsWith(`:${key}`))
  );
}

function isBy({ userIdentity, additionalEventData }: AuditEvent, principal: string): boolean {
  const { arn = '', userName, accessKeyId } = userIdentity ?? {};
  const names = [arn, userName, accessKeyId, additionalEventData?.accessKeyIdClaimed];
  // a session is arn:aws:sts::ACCOUNT:assumed-role/ROLE/SESSION
  return names.includes(principal) || arn.split('/').slice(1).includes(principal);
}

function isOutcome(errorCode: string | undefined, outcome: string): boolean {
  if (outcome === 'success') return errorCode === undefined;
  return outcome === 'failure' ? errorCode !== undefined : errorCode === outcome;
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
    .replace(/[\p{Cc}\p{Cf}]/gu, '?');
}

function whoOf({ userIdentity, additionalEventData }: AuditEvent): string {
  const { type, arn, invokedBy } = userIdentity ?? {};
  if (arn !== undefined) return arn.split(':').slice(5).join(':');
  const claimed = additionalEventData?.accessKeyIdClaimed;
  return invokedBy ?? (claimed === undefined ? (type ?? 'Unknown') : `Unknown (${claimed})`);
}
