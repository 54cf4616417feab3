import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { sql, tokenObjects } from '../service/database.js';
import { logInOftenToOwnToken } from '../service/further-token.js';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--schedule-milliseconds', '25'] });
});
afterAll(() => service.end());

/** Clients on connections of their own, which the supervisor hands to its workers in turn. */
const clients = () => [service.newClient(), service.newClient()] as const;

test('a key that one worker made is there for the other, which has made one since', async () => {
  const [one, other] = clients();
  const makers = [one, other, one, one, other, other];
  const ids: string[] = [];
  for (const maker of makers) ids.push((await maker.createKey({})).KeyMetadata?.KeyId as string);
  for (const KeyId of ids) {
    const Plaintext = Buffer.from(KeyId);
    const { CiphertextBlob } = await one.encrypt({ KeyId, Plaintext });
    for (const reader of [one, other]) {
      const decrypted = await reader.decrypt({ CiphertextBlob });
      expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
    }
  }
});

test('a key is deleted with its objects by whichever worker finds it due', async () => {
  const [one, other] = clients();
  const objects = tokenObjects(service);
  const ids: string[] = [];
  for (const maker of [one, other, one, other]) {
    const { KeyMetadata } = await maker.createKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    ids.push(KeyMetadata?.KeyId as string);
  }
  expect(tokenObjects(service)).toBe(objects + 2 * ids.length);
  for (const KeyId of ids) {
    await one.scheduleKeyDeletion({ KeyId });
    sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() - 1, KeyId);
  }
  const end = Date.now() + 10_000;
  while (sql(service, `select id from keys where state = 'PendingDeletion'`).length > 0 && Date.now() < end) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(tokenObjects(service)).toBe(objects);
});

test('while other processes log in, the service tells wrong ciphertexts from an ill token, and starts', async () => {
  const { KeyId } = await service.newKey();
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
  const wrong = Buffer.from(CiphertextBlob ?? []);
  wrong.writeUInt8(wrong.readUInt8(wrong.length - 1) ^ 1, wrong.length - 1);
  const logins = logInOftenToOwnToken(service.dataDir, 3_000);
  const names = new Set<string | undefined>();
  const sent: Promise<void>[] = [];
  for (let index = 0; index < 600; index++) {
    sent.push(refusalName(service.kms.decrypt({ CiphertextBlob: wrong })).then((name) => void names.add(name)));
    if (sent.length % 50 === 0) await Promise.all(sent);
  }
  expect([...names]).toEqual(['InvalidCiphertextException']);
  await service.restart();
  await service.kms.decrypt({ CiphertextBlob });
  await service.newKey();
  expect(await logins).toBeGreaterThan(100);
});

test('a stop that comes while a worker is being replaced does not wait for the longest time', async () => {
  const [killed] = service.workers;
  process.kill(killed as number, 'SIGKILL');
  while (service.workers.includes(killed as number) || service.workers.length < 2) {
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const before = performance.now();
  expect(await service.stop()).toBe(0);
  // the longest is 12 seconds
  expect(performance.now() - before).toBeLessThan(6_000);
  await service.serve();
});

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
  await service.logged(/all workers have been replaced/, 45_000);
  going = false;
  await Promise.all(loads);
  expect(answered).toBeGreaterThan(10);
  while (service.workers.some((worker) => before.includes(worker))) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  expect(service.workers).toHaveLength(2);
});

test('SIGTERM under load drops no request that was accepted', async () => {
  const { KeyId } = await service.newKey();
  const failures: string[] = [];
  let going = true;
  const load = async (kms: ReturnType<Service['newClient']>) => {
    while (going) {
      try {
        await kms.encrypt({ KeyId, Plaintext: Buffer.from('x') });
      } catch (error) {
        // nobody listens any more: that request was never accepted
        if (/ECONNREFUSED/.test(String(error))) return;
        failures.push(`${error}`);
      }
    }
  };
  const loads = Array.from({ length: 8 }, () => load(service.newClient()));
  await new Promise((resolve) => setTimeout(resolve, 300));
  expect(await service.stop()).toBe(0);
  going = false;
  await Promise.all(loads);
  expect(failures).toEqual([]);
  await service.serve();
});
