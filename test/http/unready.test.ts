import { once } from 'node:events';
import net, { type AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, expect, test } from '@jest/globals';
import { pino } from 'pino';
import type { EndedRequest } from '../../src/audit/request-record.js';
import { createUnreadyServer } from '../../src/http/unready.js';
import { Metrics } from '../../src/metrics/metrics.js';

const recorded: EndedRequest[] = [];
const server = createUnreadyServer(undefined, {
  ...{ metrics: new Metrics(), metricsPage: undefined, log: pino({ level: 'silent' }) },
  audit: {
    expectWritable() {},
    record(request) {
      recorded.push(request);
      return undefined;
    },
  },
});
beforeAll(async () => {
  await once(server.listen(0, '127.0.0.1'), 'listening');
});
afterAll(() => void server.close());
beforeEach(() => {
  recorded.length = 0;
});

/** What is answered to bytes, to the end of the connection. */
async function answerTo(bytes: string): Promise<string> {
  const socket = net.connect((server.address() as AddressInfo).port, '127.0.0.1');
  socket.write(bytes);
  return text(socket);
}

const request = (line: string, ...headers: string[]) => [line, 'Host: kms', ...headers, '', ''].join('\r\n');

test.each([
  [
    'a request to KMS',
    request('POST / HTTP/1.1', 'X-Amz-Target: TrentService.ListKeys'),
    'HTTP/1.1 500',
    [{ operation: 'ListKeys', error: { code: 'KMSInternalException', message: expect.anything() } }],
  ],
  [
    'bytes that are no request',
    'this is none\r\n\r\n',
    'HTTP/1.1 400',
    [{ operation: undefined, error: { code: 'SerializationException', message: expect.anything() } }],
  ],
  ['a probe', request('GET /readyz HTTP/1.1'), 'HTTP/1.1 503', []],
])(
  'while it waits for its token, %s is answered and written down as it should be',
  async (_name, bytes, status, events) => {
    const answer = await answerTo(bytes);
    expect(answer.slice(0, 12)).toBe(status);
    expect(answer).toMatch(/\r\nconnection: close\r\n/i);
    expect(recorded).toMatchObject(events);
  },
);
