import { describe, expect, test } from '@jest/globals';
import { type EventQuery, eventFilter } from '../../src/audit/event-filter.js';
import type { AuditEvent } from '../../src/audit/read.js';

const now = Date.parse('2026-11-22T12:00:00.000Z');
const arn = (rest: string) => `arn:aws:kms:us-east-1:000000000000:${rest}`;
const events: Readonly<Record<string, AuditEvent>> = {
  encrypt: {
    ...{ eventTime: '2026-11-22T11:30:00.000Z', eventName: 'Encrypt' },
    userIdentity: { arn: 'arn:aws:iam::000000000000:user/team/ada', userName: 'ada', accessKeyId: 'AKIAADA' },
    requestParameters: { keyId: 'alias/app' },
    resources: [{ ARN: arn('key/1111') }],
  },
  reEncrypt: {
    ...{ eventTime: '2026-11-22T11:00:00.000Z', eventName: 'ReEncrypt', errorCode: 'AccessDeniedException' },
    userIdentity: { arn: 'arn:aws:sts::000000000000:assumed-role/app/session-1', accessKeyId: 'ASIAAPP' },
    requestParameters: { destinationKeyId: 'alias/other' },
    resources: [{ ARN: arn('key/1111') }, { ARN: arn('key/2222') }],
  },
  unknown: {
    ...{ eventTime: '2026-11-20T00:00:00.000Z', eventName: 'Unknown', errorCode: 'UnrecognizedClientException' },
    userIdentity: { type: 'Unknown' },
    requestParameters: null,
    additionalEventData: { accessKeyIdClaimed: 'AKIANONE' },
  },
  rotate: {
    ...{ eventTime: '2026-11-21T00:00:00.000Z', eventName: 'RotateKey', eventType: 'AwsServiceEvent' },
    serviceEventDetails: { keyId: '2222' },
  },
};

const table: [query: EventQuery, expected: string[]][] = [
  [{}, ['encrypt', 'reEncrypt', 'unknown', 'rotate']],
  [{ key: '1111' }, ['encrypt', 'reEncrypt']],
  [{ key: arn('key/2222') }, ['reEncrypt']],
  [{ key: '2222' }, ['reEncrypt', 'rotate']],
  [{ key: 'alias/app' }, ['encrypt']],
  [{ key: 'alias/other' }, ['reEncrypt']],
  [{ key: '111' }, []],
  [{ key: '' }, []],
  [{ principal: 'ada' }, ['encrypt']],
  [{ principal: 'arn:aws:iam::000000000000:user/team/ada' }, ['encrypt']],
  [{ principal: 'AKIAADA' }, ['encrypt']],
  [{ principal: 'app' }, ['reEncrypt']],
  [{ principal: 'session-1' }, ['reEncrypt']],
  [{ principal: 'AKIANONE' }, ['unknown']],
  [{ principal: 'ad' }, []],
  [{ operation: 'encrypt,RotateKey' }, ['encrypt', 'rotate']],
  [{ operation: 'Enc' }, []],
  [{ outcome: 'success' }, ['encrypt', 'rotate']],
  [{ outcome: 'failure' }, ['reEncrypt', 'unknown']],
  [{ outcome: 'AccessDeniedException' }, ['reEncrypt']],
  [{ since: '2026-11-22' }, ['encrypt', 'reEncrypt']],
  [{ since: '2026-11-22T11:30:00Z' }, ['encrypt']],
  [{ since: '2026-11-22T12:30+01:00' }, ['encrypt']],
  [{ until: '2026-11-22T11:30:00.000Z' }, ['reEncrypt', 'unknown', 'rotate']],
  [{ since: '45m' }, ['encrypt']],
  [{ since: '99999999999999d' }, ['encrypt', 'reEncrypt', 'unknown', 'rotate']],
  [{ since: '3600s', until: '31m' }, ['reEncrypt']],
  [{ since: '2d', until: '12h' }, ['rotate']],
  [{ key: '1111', outcome: 'failure', since: '2h' }, ['reEncrypt']],
];
test.each(table)('%j', (query, expected) => {
  const isAsked = eventFilter(query, now);
  expect(Object.keys(events).filter((name) => isAsked(events[name]!))).toEqual(expected);
});

describe('a time that is none', () => {
  test.each([
    'yesterday',
    '2h30m',
    '2026',
    '22.11.2026',
    '2026-11-22 10:00',
    '2026-13-01',
    '2026-02-30',
    '',
    '1700000000',
  ])('%j', (since) => {
    expect(() => eventFilter({ since }, now)).toThrow(/is not a time as in 2026-11-22, /);
  });
});
