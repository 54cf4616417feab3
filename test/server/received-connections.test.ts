import { once } from 'node:events';
import { createServer as createHttpServer, type ServerResponse } from 'node:http';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { ReceivedConnections } from '../../src/server/received-connections.js';

const request = 'GET / HTTP/1.1\r\nHost: localhost\r\n\r\n';
const silentMilliseconds = 60_000;

let listener: Server;
let connections: ReceivedConnections;
let underWay: ServerResponse[];
let client: Socket;

beforeEach(async () => {
  underWay = [];
  connections = new ReceivedConnections(createHttpServer((_request, response) => underWay.push(response)));
  listener = createServer((socket) => connections.take(socket)).listen(0, '127.0.0.1');
  await once(listener, 'listening');
  client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  client.setEncoding('utf8').write(request);
  await come(1);
});

afterEach(() => {
  client.destroy();
  listener.close();
});

/** Until so many requests are under way, or were. */
async function come(requests: number): Promise<void> {
  while (underWay.length < requests) await new Promise((resolve) => setTimeout(resolve, 5));
}

async function answered(): Promise<string> {
  underWay.at(-1)?.end('x');
  return String((await once(client, 'data'))[0]);
}

test('an answer says that it is the last, where its request was under way when the connections began to end', async () => {
  const drained = connections.drain(silentMilliseconds, silentMilliseconds);
  expect(await answered()).toMatch(/^Connection: close\r$/m);
  expect(await drained).toBe(0);
});

test('so does one whose request came later, on a connection that was kept', async () => {
  expect(await answered()).toMatch(/^Connection: keep-alive\r$/m);
  const drained = connections.drain(silentMilliseconds, silentMilliseconds);
  client.write(request);
  await come(2);
  expect(await answered()).toMatch(/^Connection: close\r$/m);
  expect(await drained).toBe(0);
});

test('a connection without a request ends when it has been kept for as long as it is to be', async () => {
  await answered();
  const closed = once(client, 'close');
  expect(await connections.drain(50, silentMilliseconds)).toBe(0);
  await closed;
});

test('a request that takes too long is told, and ended', async () => {
  expect(await connections.drain(0, 50)).toBe(1);
});

test('as many as are told to go end with their next answer, and no more', async () => {
  expect(await answered()).toMatch(/^Connection: keep-alive\r$/m);
  connections.spare(1);
  const closed = once(client, 'close');
  client.write(request);
  await come(2);
  expect(await answered()).toMatch(/^Connection: close\r$/m);
  await closed;
  client = connect((listener.address() as AddressInfo).port, '127.0.0.1');
  client.setEncoding('utf8').write(request);
  await come(3);
  expect(await answered()).toMatch(/^Connection: keep-alive\r$/m);
});
