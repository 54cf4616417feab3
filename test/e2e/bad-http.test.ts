import { once } from 'node:events';
import net from 'node:net';
import { afterAll, afterEach, beforeAll, expect, test } from '@jest/globals';
import { call, contentType, expectRefused, send, sendBytes, signedHeaders } from '../service/http.js';
import { Service } from '../service/service.js';
import { patience } from '../service/within.js';

let service: Service;
let workers: number[];
beforeAll(async () => {
  service = await Service.start();
  workers = service.workers;
});
afterAll(() => service?.end());
afterEach(async () => {
  expect((await service.kms.listKeys({})).Truncated).toBe(false);
  expect(service.workers).toEqual(workers);
});

const host = () => new URL(service.url).host;
const head = (...lines: string[]) => `${['POST / HTTP/1.1', `Host: ${host()}`, ...lines].join('\r\n')}\r\n\r\n`;

/** Every answer in what came back must be a refusal in KMS's form. */
function expectRefusals(received: string, count = 1): void {
  const answers = received.split(/(?=HTTP\/1\.1 \d{3})/);
  expect(answers).toHaveLength(count);
  for (const answer of answers) {
    const [top = '', body = ''] = answer.split('\r\n\r\n');
    const [status = '', ...lines] = top.split('\r\n');
    const headers = Object.fromEntries(
      lines.map((line) => line.split(': ', 2)).map(([k = '', v]) => [k.toLowerCase(), v]),
    );
    expectRefused({ status: Number(status.split(' ')[1]), headers, body, milliseconds: 0 });
  }
}

test.each<[string, () => string | Buffer]>([
  ['no HTTP', () => 'hello\r\n\r\n'],
  ['TLS', () => Buffer.from('16030100a5010000a1030300000000000000', 'hex')],
  ['binary garbage', () => Buffer.from(Array.from({ length: 512 }, (_, i) => (i * 7919) % 256))],
  ['an unknown method', () => `FROB / HTTP/1.1\r\nHost: ${host()}\r\n\r\n`],
  ['an unknown version', () => `POST / HTTP/9.9\r\nHost: ${host()}\r\n\r\n`],
  ['no host', () => 'POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
  ['a header without a colon', () => head('nonsense')],
  ['a header with a control character', () => head('X-Test: a\u0001b')],
  ['a folded header', () => head('X-Test: a', ' b', 'Bad Header: x')],
  ['100 KB of headers', () => head(`X-Test: ${'x'.repeat(100_000)}`)],
  ['a length that is no number', () => head('Content-Length: ten')],
  ['a negative length', () => head('Content-Length: -1')],
  ['two lengths', () => `${head('Content-Length: 2', 'Content-Length: 3')}{}`],
  ['a length and chunks', () => `${head('Content-Length: 2', 'Transfer-Encoding: chunked')}0\r\n\r\n`],
  ['a chunk whose size is no number', () => `${head('Transfer-Encoding: chunked')}zz\r\n{}\r\n0\r\n\r\n`],
  ['an encoding that is unknown', () => `${head('Transfer-Encoding: frob')}{}`],
])('what is no request gets an answer in KMS form: %s', async (_what, bytes) => {
  expectRefusals(await sendBytes(service, bytes()));
});

test('2,000 headers are refused', async () => {
  const lines = Array.from({ length: 2_000 }, (_, i) => `X-${i}: 1`);
  expectRefusals(await sendBytes(service, head(...lines, 'Content-Length: 0', 'Connection: close')));
});

test('an expectation that nobody meets is refused', async () => {
  expectRefusals(await sendBytes(service, `${head('Expect: frob', 'Content-Length: 2', 'Connection: close')}{}`));
});

test('CONNECT is refused', async () => {
  expectRefusals(await sendBytes(service, `CONNECT example.com:443 HTTP/1.1\r\nHost: example.com\r\n\r\n`));
});

test('an upgrade to something else is not made', async () => {
  const lines = ['Connection: Upgrade', 'Upgrade: websocket', 'Content-Length: 0'];
  expectRefusals(await sendBytes(service, head(...lines)));
});

test('HEAD has no body, and is refused', async () => {
  const answer = await send(service, { method: 'HEAD' });
  expect(answer.status).toBeGreaterThanOrEqual(400);
  expect(answer.status).toBeLessThan(500);
});

test('a signed body in chunks is read', async () => {
  const body = '{"Limit":1}';
  const headers = await signedHeaders(service, 'ListKeys', body);
  delete headers['content-length'];
  const answer = await send(service, { headers: { ...headers, 'transfer-encoding': 'chunked' }, body });
  expect(answer.status).toBe(200);
  expect(JSON.parse(answer.body)).toMatchObject({ Truncated: false });
});

test('ten megabytes in chunks are refused', async () => {
  const lines = [`Content-Type: ${contentType}`, 'Transfer-Encoding: chunked', 'Connection: close'];
  const chunk = `10000\r\n${'x'.repeat(0x10000)}\r\n`;
  const received = await sendBytes(service, `${head(...lines)}${chunk.repeat(160)}0\r\n\r\n`, 5_000);
  expectRefusals(received);
  expect(received).toContain('RequestEntityTooLargeException');
});

test('pipelined requests are answered one after the other, a bad one among them too', async () => {
  const request = async (body: string, ...more: string[]) => {
    const headers = await signedHeaders(service, 'ListKeys', body, { 'content-length': String(body.length) });
    const lines = Object.entries(headers).filter(([name]) => name !== 'host');
    return `${head(...lines.map(([name, value]) => `${name}: ${value}`), ...more)}${body}`;
  };
  const last = await request('{}', 'Connection: close');
  const bytes = (await request('{}')) + (await request('{"Limit":0}')) + (await request('[]')) + last;
  const received = await sendBytes(service, bytes, patience);
  const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3})/g)].map(([, status]) => Number(status));
  expect(statuses).toEqual([200, 400, 400, 200]);
});

test('clients that stop in the middle of a request keep nobody else from being answered', async () => {
  const { hostname, port } = new URL(service.url);
  const halves = ['POST / HT', head('Content-Length: 100'), `${head('Content-Length: 100')}{"a"`];
  const sockets = await Promise.all(
    Array.from({ length: 150 }, async (_, i) => {
      const socket = net.connect(Number(port), hostname);
      socket.on('error', () => {});
      await once(socket, 'connect');
      socket.write(halves[i % halves.length] as string);
      return socket;
    }),
  );
  for (let i = 0; i < 5; i++) expect((await call(service, 'ListKeys', {})).status).toBe(200);
  for (const socket of sockets) socket.destroy();
});

test('clients that go away in the middle of an answer harm nobody', async () => {
  const body = JSON.stringify({ KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' });
  const { hostname, port } = new URL(service.url);
  for (let i = 0; i < 5; i++) {
    const headers = await signedHeaders(service, 'CreateKey', body, { 'content-length': String(body.length) });
    const lines = Object.entries(headers).filter(([name]) => name !== 'host');
    const socket = net.connect(Number(port), hostname);
    await once(socket, 'connect');
    socket.write(`${head(...lines.map(([name, value]) => `${name}: ${value}`))}${body}`);
    setTimeout(() => socket.resetAndDestroy(), 20);
    await once(socket, 'close');
  }
  expect((await call(service, 'ListKeys', {})).status).toBe(200);
});
