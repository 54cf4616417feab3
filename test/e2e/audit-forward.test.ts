import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, expect, test } from '@jest/globals';
import { auditDirectory, readEvents } from '../service/audit.js';
import { mainModule } from '../service/built-service.js';
import { freePort } from '../service/free-port.mjs';
import { call, send } from '../service/http.js';
import { hsmKms, Service, serviceEnvironment, serviceNode } from '../service/service.js';
import { patience, within } from '../service/within.js';

let service: Service;
const ends: (() => void)[] = [];
afterEach(async () => {
  await service?.end();
  for (const end of ends.splice(0)) end();
});

/** The lines of events and checkpoints in what a destination was sent. */
const idsIn = (received: string) => [...received.matchAll(/\\?"eventID\\?":\\?"([0-9a-f-]{36})/g)].map(([, id]) => id);
const idsInFiles = () => readEvents(auditDirectory(service)).map(({ eventID }) => eventID);

function serviceTo(...addresses: string[]): Promise<Service> {
  return Service.start({
    environment: { HSM_KMS_AUDIT_FORWARD: addresses.join(','), HSM_KMS_AUDIT_CHECKPOINT_SECONDS: '0.5' },
  });
}

/** What comes on stream connections. */
async function listener(at: { port: number; host: string } | { path: string }) {
  const received = { text: '' };
  const server = net.createServer((socket) => {
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      received.text += chunk;
    });
    socket.on('error', () => {});
    ends.push(() => socket.destroy());
  });
  await once(server.listen(at), 'listening');
  ends.push(() => server.close());
  return { received, address: server.address() as AddressInfo };
}

async function otlpCollector(port = 0, statuses: number[] = []) {
  const requests: { path: string | undefined; body: string }[] = [];
  const server = http.createServer(async (request, response) => {
    const body = await text(request);
    const status = statuses.shift() ?? 200;
    if (status === 200) requests.push({ path: request.url, body });
    response.writeHead(status).end('{}');
  });
  await once(server.listen(port, '127.0.0.1'), 'listening');
  ends.push(() => server.close());
  return { requests, port: (server.address() as AddressInfo).port };
}

test('every event and checkpoint goes to all destinations, in their formats', async () => {
  const udp = createSocket('udp4');
  let datagrams = '';
  udp.on('message', (message) => {
    datagrams += `${message}\n`;
  });
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  ends.push(() => udp.close());
  const tcp = await listener({ port: 0, host: '127.0.0.1' });
  const collector = await otlpCollector(0, [503]);
  service = await serviceTo(
    'stdout',
    `syslog+udp://127.0.0.1:${udp.address().port}`,
    `syslog+tcp://127.0.0.1:${tcp.address.port}`,
    `otlp+http://127.0.0.1:${collector.port}`,
  );
  for (let i = 0; i < 5; i++) await call(service, 'GenerateRandom', { NumberOfBytes: 8 });
  await service.stop();
  const expected = idsInFiles().sort();
  // what was sent is read later, perhaps
  await within(patience, async () => {
    const otlp = collector.requests.map(({ body }) => body).join('');
    for (const received of [service.stdout, datagrams, tcp.received.text, otlp]) {
      expect(idsIn(received).sort()).toEqual(expected);
      expect(received).toMatch(/\\?"checkpoint\\?":\{/);
    }
  });
  expect(datagrams).toMatch(/^<110>1 \d{4}-\d\d-\d\dT[\d:.]+Z \S+ hsm-kms \d+ GenerateRandom - \{"eventVersion"/m);
  const [, length = '', message = ''] = /^(\d+) (<110>1 .*)/.exec(tcp.received.text) ?? [];
  expect(
    Buffer.from(message)
      .subarray(Number(length) - 2, Number(length))
      .toString(),
  ).toBe('}}');
  const [{ path, body } = { path: '', body: '{}' }] = collector.requests;
  expect(path).toBe('/v1/logs');
  expect(JSON.parse(body)).toMatchObject({
    resourceLogs: [
      { scopeLogs: [{ logRecords: expect.arrayContaining([expect.objectContaining({ severityText: 'INFO' })]) }] },
    ],
  });
});

test('a destination that is away is waited for, also over a restart, and holds nobody up', async () => {
  const port = await freePort();
  service = await serviceTo(`syslog+tcp://127.0.0.1:${port}`);
  const socketPath = join(service.dataDir, 'syslog.socket');
  await call(service, 'ListKeys', {});
  await service.logged(/the audit log cannot be forwarded: it is kept until it can/);
  await service.restart();
  await call(service, 'ListKeys', {});
  const { received } = await listener({ port, host: '127.0.0.1' });
  await within(patience, async () => {
    const ids = idsIn(received.text);
    for (const id of idsInFiles()) expect(ids).toContain(id);
  });
  await service.stop();
  // what was sent is not sent again, and a new destination gets what comes from then on
  await within(patience, async () => expect(idsIn(received.text).length).toBeGreaterThanOrEqual(idsInFiles().length));
  const before = idsIn(received.text).length;
  const unix = await listener({ path: socketPath });
  const addresses = `syslog+tcp://127.0.0.1:${port},syslog+unix://${socketPath}`;
  const { environments } = await import('../service/service.js');
  environments.set(service.dataDir, { HSM_KMS_AUDIT_FORWARD: addresses });
  const old = idsInFiles();
  await service.serve();
  await service.stop();
  const all = idsInFiles();
  await within(patience, async () => expect(idsIn(unix.received.text)).toHaveLength(all.length - old.length));
  await within(patience, async () => expect(idsIn(received.text)).toHaveLength(before + all.length - old.length));
});

test('a reader of the standard output that has stopped reading stops nothing', async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'hsm-kms-test-'));
  ends.push(() => rmSync(dataDir, { recursive: true }));
  await hsmKms('init', '--data-dir', dataDir);
  const child = spawn(
    serviceNode(),
    [mainModule, 'serve', '--data-dir', dataDir, '--port', '0', '--workers', '1', '--audit-forward', 'stdout'],
    { env: serviceEnvironment(dataDir), stdio: ['ignore', 'pipe', 'ignore'] },
  );
  let printed = '';
  const listening = new Promise<string>((resolve) => {
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      printed += text;
      const [, url] = /^listening on (\S+)$/m.exec(printed) ?? [];
      if (url) resolve(url);
    });
  });
  const url = await listening;
  child.stdout.pause();
  // more than pipes and sockets hold
  const headers = { 'user-agent': 'x'.repeat(1_000) };
  const statuses: number[] = [];
  const client = async () => {
    for (let i = 0; i < 150; i++) statuses.push((await send({ url }, { headers })).status);
  };
  await Promise.all(Array.from({ length: 8 }, client));
  await new Promise((resolve) => setTimeout(resolve, 1_500));
  for (let i = 0; i < 3; i++) statuses.push((await send({ url }, { headers })).status);
  expect(new Set(statuses)).toEqual(new Set([400]));
  child.kill('SIGTERM');
  const [code] = await once(child, 'exit');
  expect(code).toBe(0);
  child.stdout.destroy();
});

test('destinations that do not read, or answer what nobody has asked for, hold nobody up, and get all in the end', async () => {
  const noise = Buffer.from('HTTP/1.1 400 what?\r\n\u0000\u00ff'.repeat(10_000), 'latin1');
  const heard: Record<'slow' | 'noisy', { text: string; sockets: net.Socket[] }> = {
    slow: { text: '', sockets: [] },
    noisy: { text: '', sockets: [] },
  };
  const listening = async (who: keyof typeof heard, begin: (socket: net.Socket) => unknown) => {
    const server = net.createServer((socket) => {
      heard[who].sockets.push(socket);
      socket.on('error', () => {}).setEncoding('utf8');
      socket.on('data', (chunk: string) => {
        heard[who].text += chunk;
      });
      begin(socket);
      ends.push(() => socket.destroy());
    });
    await once(server.listen(0, '127.0.0.1'), 'listening');
    ends.push(() => server.close());
    return `syslog+tcp://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };
  let isStuck = true;
  const slow = await listening('slow', (socket) => isStuck && socket.pause());
  const noisy = await listening('noisy', (socket) => {
    socket.write(noise);
    socket.on('data', () => socket.write(noise));
  });
  service = await serviceTo(slow, noisy);
  // more than sockets hold
  const userAgent = 'x'.repeat(8_000);
  const statuses = new Set<number>();
  for (let i = 0; i < 1_500; i++) statuses.add((await send(service, { headers: { 'user-agent': userAgent } })).status);
  expect(statuses).toEqual(new Set([400]));
  const written = idsInFiles().length;
  await within(patience, async () => expect(idsIn(heard.noisy.text).length).toBeGreaterThanOrEqual(written));
  expect(idsIn(heard.slow.text).length).toBe(0);
  // which waits for nobody who does not read
  await service.stop();
  isStuck = false;
  for (const socket of heard.slow.sockets) socket.resume();
  await service.serve();
  await within(patience, async () => {
    const known = new Set(idsIn(heard.slow.text));
    for (const id of idsInFiles()) expect(known).toContain(id);
  });
});

test('an address that is none is refused with a sentence', async () => {
  const { code, output } = await hsmKms('config', '--audit-forward', 'stdout,ftp://somewhere');
  expect([code, output]).toEqual([
    1,
    expect.stringMatching(/--audit-forward: ftp:\/\/somewhere is not an address like stdout, /),
  ]);
});
