import { setTimeout as wait } from 'node:timers/promises';
import type { CreateKeyRequest, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { readMetrics } from '../service/metrics.js';
import { hsmKms, Service } from '../service/service.js';
import { inspectToken } from '../service/token-inspection.js';
import { until } from '../service/within.js';

let service: Service;
beforeAll(async () => {
  // longer than an RSA key can take
  service = await Service.start({ workers: 2, flags: ['--drain-milliseconds', '60000'] });
});
afterAll(() => service?.end());

const Message = Buffer.from('still here');
const specs: CreateKeyRequest[] = [
  {},
  { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
];

/** One use of a key of each kind. */
async function use(kms: KMS, KeyId: string, { KeyUsage }: CreateKeyRequest): Promise<Uint8Array> {
  if (KeyUsage === 'SIGN_VERIFY') {
    return (await kms.sign({ KeyId, Message, SigningAlgorithm: 'ECDSA_SHA_256' })).Signature!;
  }
  if (KeyUsage === 'GENERATE_VERIFY_MAC') {
    return (await kms.generateMac({ KeyId, Message, MacAlgorithm: 'HMAC_SHA_256' })).Mac!;
  }
  return (await kms.encrypt({ KeyId, Plaintext: Message })).CiphertextBlob!;
}

async function check(kms: KMS, KeyId: string, { KeyUsage }: CreateKeyRequest, made: Uint8Array): Promise<void> {
  if (KeyUsage === 'SIGN_VERIFY') {
    const SigningAlgorithm = 'ECDSA_SHA_256';
    expect((await kms.verify({ KeyId, Message, Signature: made, SigningAlgorithm })).SignatureValid).toBe(true);
  } else if (KeyUsage === 'GENERATE_VERIFY_MAC') {
    expect((await kms.verifyMac({ KeyId, Message, Mac: made, MacAlgorithm: 'HMAC_SHA_256' })).MacValid).toBe(true);
  } else {
    expect(Buffer.from((await kms.decrypt({ CiphertextBlob: made })).Plaintext!).equals(Message)).toBe(true);
  }
}

/** Makes keys as fast as it can, and keeps what it was told of, until the service is gone or told to stop. */
async function makeKeys(told: Map<string, CreateKeyRequest>, goOn: () => boolean): Promise<void> {
  for (let i = 0; goOn(); i++) {
    const spec = specs[i % specs.length]!;
    try {
      const { KeyMetadata } = await service.kms.createKey(spec);
      told.set(KeyMetadata!.KeyId!, spec);
    } catch {
      // it was not told of this one
      await wait(10);
    }
  }
}

async function expectAllThere(told: ReadonlyMap<string, CreateKeyRequest>): Promise<void> {
  expect(told.size).toBeGreaterThan(5);
  for (const [KeyId, spec] of told) await check(service.kms, KeyId, spec, await use(service.kms, KeyId, spec));
}

test('keys, aliases, states, descriptions and what was made with them outlast a restart, and a second init', async () => {
  const made = [];
  for (const spec of specs) {
    const { KeyId } = await service.newKey({ ...spec, Description: `to stay ${spec.KeySpec}` });
    await service.kms.createAlias({ AliasName: `alias/${spec.KeySpec ?? 'symmetric'}`, TargetKeyId: KeyId });
    made.push({ KeyId, spec, result: await use(service.kms, KeyId, spec) });
  }
  const { KeyId: disabled } = await service.newKey();
  await service.kms.disableKey({ KeyId: disabled });
  const { KeyId: pending } = await service.newKey();
  await service.kms.scheduleKeyDeletion({ KeyId: pending, PendingWindowInDays: 7 });
  const describe = async (KeyId: string) => (await service.kms.describeKey({ KeyId })).KeyMetadata;
  const all = [...made.map(({ KeyId }) => KeyId), disabled, pending];
  const before = await Promise.all(all.map(describe));
  const aliases = (await service.kms.listAliases({})).Aliases;

  const { credentials } = service;
  await service.stop();
  const { code, output } = await hsmKms('init', '--data-dir', service.dataDir);
  expect({ code, output }).toEqual({ code: 0, output: '' });
  expect(service.credentials).toEqual(credentials);
  await service.serve();

  expect(await Promise.all(all.map(describe))).toEqual(before);
  expect((await service.kms.listAliases({})).Aliases).toEqual(aliases);
  for (const { KeyId, spec, result } of made) await check(service.kms, KeyId, spec, result);
});

test('SIGTERM ends the service cleanly, and finishes what is under way', async () => {
  const inUse = async () => (await readMetrics(service)).sum('hsm_kms_token_sessions_in_use') ?? 0;
  const slow = service.kms.createKey({ KeySpec: 'RSA_3072', KeyUsage: 'SIGN_VERIFY' });
  let isOver = false;
  const over = slow.then(() => {
    isOver = true;
  });
  await until('it is under way', async () => isOver || (await inUse()) > 0);
  expect(await service.stop()).toBe(0);
  await over;
  const { KeyMetadata } = await slow;
  await service.serve();
  expect((await service.kms.describeKey({ KeyId: KeyMetadata!.KeyId! })).KeyMetadata?.Enabled).toBe(true);
});

describe('kill -9', () => {
  test.each([50, 400])(
    'of the supervisor %i ms into making keys loses none that a client was told of, and leaves no row without its key',
    async (delay) => {
      const workers = service.workers;
      const told = new Map<string, CreateKeyRequest>();
      let running = true;
      const making = [1, 2, 3].map(() => makeKeys(told, () => running));
      while (told.size < 6) await wait(10);
      await wait(delay);
      await service.kill();
      running = false;
      await Promise.all(making);
      await expectGone(workers);
      await service.serve();
      await expectAllThere(told);
      const { Keys } = await service.kms.listKeys({ Limit: 1000 });
      const { objects } = await inspectToken(service);
      const inToken = new Set(objects.map(({ label }) => label));
      for (const { KeyId } of Keys!) expect(inToken).toContain(KeyId);
    },
  );

  test('of workers loses no key either; they are replaced, and the address stays', async () => {
    const told = new Map<string, CreateKeyRequest>();
    let running = true;
    const making = [1, 2].map(() => makeKeys(told, () => running));
    const killed = new Set<number>();
    for (let round = 0; round < 2; round++) {
      const size = told.size;
      while (told.size < size + 3) await wait(10);
      for (const worker of service.workers) {
        killed.add(worker);
        process.kill(worker, 'SIGKILL');
      }
    }
    const size = told.size;
    while (told.size < size + 3) await wait(10);
    running = false;
    await Promise.all(making);
    await until('others are there', () => service.workers.filter((worker) => !killed.has(worker)).length === 2);
    expect(service.workers).toHaveLength(2);
    await expectAllThere(told);
  });

  test('of one of two workers is not even noticed by who asks again', async () => {
    const { KeyId } = await service.newKey();
    const before = service.workers;
    expect(before).toHaveLength(2);
    process.kill(before[0]!, 'SIGKILL');
    let failures = 0;
    for (let i = 0; i < 40; i++) {
      await service.kms.encrypt({ KeyId, Plaintext: Message }).catch(() => {
        failures += 1;
      });
      await wait(25);
    }
    expect(failures).toBeLessThanOrEqual(2);
    await until('another is there', () => service.workers.length === 2 && !service.workers.includes(before[0]!));
  });
});

async function expectGone(pids: readonly number[]): Promise<void> {
  const isAlive = (pid: number) => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  await until('they have ended', () => !pids.some(isAlive));
}

test('workers see what other workers change', async () => {
  const clients = Array.from({ length: 8 }, () => service.newClient());
  const { KeyId } = await service.newKey();
  for (let round = 0; round < 5; round++) {
    await service.kms.disableKey({ KeyId });
    const states = async () =>
      (await Promise.all(clients.map((kms) => kms.describeKey({ KeyId })))).map(
        ({ KeyMetadata }) => KeyMetadata!.KeyState,
      );
    expect(new Set(await states())).toEqual(new Set(['Disabled']));
    await service.kms.enableKey({ KeyId });
    expect(new Set(await states())).toEqual(new Set(['Enabled']));
  }
});
