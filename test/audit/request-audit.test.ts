import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { EventStream, type Interruption } from '../../src/audit/event-stream.js';
import { type RequestAuditPolicy, StreamedRequestAudit } from '../../src/audit/request-audit.js';
import { type EndedRequest, RequestRecords } from '../../src/audit/request-record.js';
import { readEvents } from '../service/audit.js';
import { patience, within } from '../service/within.js';

let directory: string;
let stream: EventStream;
let interruptions: Interruption[];

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-test-request-audit-'));
  interruptions = [];
});
afterEach(async () => {
  await stream.end();
  rmSync(directory, { recursive: true, force: true });
});

const home = { region: 'us-east-1', accountId: '000000000000' };
const event = (eventName: string) => JSON.stringify({ eventName });

function open(policy: RequestAuditPolicy): StreamedRequestAudit {
  stream = new EventStream(
    { directory, kind: 'worker', durable: policy.durable, fileBytes: 2 ** 20, fileMilliseconds: 3_600_000 },
    { start: () => event('StartStream'), end: () => event('EndStream'), resume: () => event('ResumeAudit') },
    { began() {}, failed() {}, resumed: (interruption) => interruptions.push(interruption), wrote() {} },
  );
  return new StreamedRequestAudit(stream, new RequestRecords(home), policy);
}

const request = (id: string): EndedRequest => ({
  ...{ id, service: 'kms', operation: 'ListKeys', receivedAt: 0, milliseconds: 1 },
  ...{ principal: undefined, accessKeyId: undefined, accessKeyIdClaimed: undefined, tls: undefined, error: undefined },
  source: { ip: '127.0.0.1', userAgent: undefined },
  trail: { input: undefined, output: undefined, keys: [], decision: undefined },
});

/** Has the directory gone, and the stream know it. */
async function inTrouble(policy: RequestAuditPolicy): Promise<StreamedRequestAudit> {
  rmSync(directory, { recursive: true });
  const audit = open(policy);
  await within(patience, async () => expect(stream.trouble).toBeDefined());
  return audit;
}

/** What becomes of the answer of a request that was begun before the trouble, and has been carried out meanwhile. */
const outcome = async (written: Promise<void> | undefined) =>
  written === undefined
    ? 'told at once'
    : written.then(
        () => 'told when it was written',
        ({ message }: Error) => message,
      );

const durable = { durable: true, failOpen: false };
const withheld = 'The audit log cannot be written: its directory cannot be written to.';

describe('while events cannot be written', () => {
  test.each([
    ['durable withholds the answer of what was carried out', durable, false, withheld],
    ['durable tells at once that a request was refused for it', durable, true, 'told at once'],
    ['durable that fails open tells the answer', { durable: true, failOpen: true }, false, 'told at once'],
    ['buffered tells the answer', { durable: false, failOpen: false }, false, 'told at once'],
  ])('%s', async (_name, policy, isRefusedHere, expected) => {
    const audit = await inTrouble(policy);
    expect(await outcome(audit.record(request('one'), isRefusedHere))).toBe(expected);
    const refuses = () => audit.expectWritable();
    if (policy.failOpen) expect(refuses).not.toThrow();
    else expect(refuses).toThrow(withheld);
    mkdirSync(directory);
    await within(patience, async () => expect(interruptions).toHaveLength(1));
    expect(interruptions[0]?.withheld).toEqual(expected === withheld ? ['one'] : []);
    await stream.flush();
    expect(readEvents(directory).filter(({ requestID }) => requestID === 'one')).toHaveLength(1);
  });

  test('durable tells an answer whose event is written at the next attempt', async () => {
    const audit = await inTrouble(durable);
    const written = outcome(audit.record(request('one')));
    mkdirSync(directory);
    expect(await written).toBe('told when it was written');
    expect(readEvents(directory).map(({ requestID }) => requestID)).toContain('one');
  });
});
