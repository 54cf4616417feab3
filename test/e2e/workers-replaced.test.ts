import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { Service } from '../service/service.js';
import { until } from '../service/within.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--drain-milliseconds', '600000'] });
});
afterAll(() => service.end());

test('a stop that comes while a worker is being replaced does not wait for the longest time', async () => {
  const [killed] = service.workers;
  process.kill(killed as number, 'SIGKILL');
  await until('it is replaced', () => !service.workers.includes(killed as number) && service.workers.length === 2);
  // the longest is more than ten minutes
  expect(await service.stop()).toBe(0);
  await service.serve();
});

test('clients of a worker that crashed, who came to the other, do not all stay there', async () => {
  const { KeyId } = await service.newKey();
  let going = true;
  const load = async (kms: ReturnType<Service['newClient']>) => {
    while (going) {
      // what the worker has under way when it is killed is lost
      await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') }).catch(() => {});
    }
  };
  const loads = Array.from({ length: 6 }, () => load(service.newClient()));
  try {
    const [killed] = service.workers as [number, number];
    const bothHaveConnections = () =>
      service.workers.length === 2 && service.workers.every((worker) => connectionsOf(worker) > 1);
    await until('both have connections', bothHaveConnections);
    process.kill(killed, 'SIGKILL');
    await until('it has ended', () => !service.workers.includes(killed));
    await until('both have connections again', bothHaveConnections);
  } finally {
    going = false;
    await Promise.all(loads);
  }
});

/** How many connections of the service's clients a process has, by what Linux says of its sockets. */
function connectionsOf(process: number): number {
  const port = Number(new URL(service.url).port).toString(16).toUpperCase().padStart(4, '0');
  const established = '01';
  const lines = readFileSync('/proc/net/tcp', 'utf8').trim().split('\n').slice(1);
  const ours = lines.map((line) => line.trim().split(/\s+/)).filter((fields) => fields[1]?.endsWith(`:${port}`));
  const sockets = new Set(ours.filter((fields) => fields[3] === established).map((fields) => `socket:[${fields[9]}]`));
  return readdirSync(`/proc/${process}/fd`).filter((fd) => sockets.has(linkOf(`/proc/${process}/fd/${fd}`))).length;
}

/** What is closed meanwhile leads nowhere. */
function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}

test('SIGHUP replaces the workers one after the other, and no request fails', async () => {
  const before = service.workers;
  const { KeyId } = await service.newKey();
  let going = true;
  let answered = 0;
  const load = async () => {
    for (let index = 0; going; index++) {
      // connections that stay, and new ones
      const kms = index % 10 === 0 ? service.newClient() : service.kms;
      await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
      answered += 1;
    }
  };
  const loads = [load(), load(), load()];
  process.kill(service.supervisor, 'SIGHUP');
  await service.logged(/all workers have been replaced/);
  going = false;
  await Promise.all(loads);
  expect(answered).toBeGreaterThan(10);
  await until('the old ones have ended', () => !service.workers.some((worker) => before.includes(worker)));
  expect(service.workers).toHaveLength(2);
});

test('SIGTERM under load drops no request that was accepted', async () => {
  const { KeyId } = await service.newKey();
  const failures: string[] = [];
  let going = true;
  let answered = 0;
  const load = async (kms: ReturnType<Service['newClient']>) => {
    while (going) {
      try {
        await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
        answered += 1;
      } catch (error) {
        // nobody listens any more: that request was never accepted
        if (/ECONNREFUSED/.test(String(error))) return;
        failures.push(`${error}`);
      }
    }
  };
  const loads = Array.from({ length: 8 }, () => load(service.newClient()));
  await until('all are answered', () => answered > 5 * loads.length);
  expect(await service.stop()).toBe(0);
  going = false;
  await Promise.all(loads);
  expect(failures).toEqual([]);
  await service.serve();
});

test('a worker whose memory has grown makes room for a new one, and no request fails', async () => {
  const growing = await Service.start({ workers: 1, flags: ['--worker-growth-megabytes', '4'] });
  try {
    const [before] = growing.workers;
    const { KeyId } = await growing.newKey();
    let going = true;
    const load = async () => {
      while (going) await growing.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
    };
    const loads = [load(), load(), load()];
    await until('it has left', () => !growing.workers.includes(before as number));
    going = false;
    await Promise.all(loads);
    expect(growing.stderr).toMatch(/a worker has grown/);
    expect(growing.workers).toHaveLength(1);
  } finally {
    await growing.end();
  }
});
