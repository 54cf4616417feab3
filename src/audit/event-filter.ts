import type { AuditEvent } from './read.js';

/** Which events are asked for; what is left out does not matter. */
export interface EventQuery {
  /** Key id, key ARN, or alias/NAME as a request named it. */
  readonly key?: string;
  /** ARN, user name, role name or access key id. */
  readonly principal?: string;
  /** Several with commas. */
  readonly operation?: string;
  /** ISO 8601, or how long ago: 90s, 15m, 2h, 7d. */
  readonly since?: string;
  readonly until?: string;
  /** success, failure, or an error code. */
  readonly outcome?: string;
}

type Filter = (event: AuditEvent) => boolean;

/**
 * Whether an event is among those that are asked for.
 *
 * @param now from which `2h` is counted, in milliseconds since the epoch
 * @throws Error with a sentence that says what to type
 */
export function eventFilter({ key, principal, operation, since, until, outcome }: EventQuery, now: number): Filter {
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
  const asked = filters.filter(([given]) => given !== undefined).map(([, filter]) => filter);
  return (event) => asked.every((holds) => holds(event));
}

const units: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** As events have it: ISO 8601, UTC, milliseconds. @throws Error */
function timeOf(text: string, now: number): string {
  const [, count, unit = ''] = /^(\d+)([smhd])$/.exec(text) ?? [];
  const isWritten = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text) && isDay(text);
  const time = count === undefined ? Date.parse(text) : Math.max(0, now - Number(count) * (units[unit] ?? 0));
  if (Number.isNaN(time) || (count === undefined && !isWritten)) {
    throw new Error(
      `${JSON.stringify(text)} is not a time as in 2026-11-22, 2026-11-22T10:00:00Z, or 2h for two hours ago.`,
    );
  }
  return new Date(time).toISOString();
}

/** False for a day that there is not: JavaScript takes February 30 for March 2. */
function isDay(text: string): boolean {
  const day = text.slice(0, 10);
  const time = Date.parse(day);
  return !Number.isNaN(time) && new Date(time).toISOString().startsWith(day);
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
