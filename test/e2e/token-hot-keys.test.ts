import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ckr, type FaultyService, startOverFaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { metricsOnce, type ReadMetrics, readMetrics } from '../service/metrics.js';
import { patience, within } from '../service/within.js';

const Plaintext = Buffer.from('x');

/** The module that fails when it is told to counts what it is called for. */
(whyNoFaultToken() ? describe.skip : describe)('keys that are used often', () => {
  let faulty: FaultyService;
  beforeAll(async () => {
    faulty = await startOverFaultToken({ workers: 1 });
  });
  afterAll(() => faulty?.end());

  const encryptOften = async (KeyId: string, times: number) => {
    for (let index = 0; index < times; index++) await faulty.service.kms.encrypt({ KeyId, Plaintext });
  };
  const copies = () => faulty.fault.callsOf('C_CopyObject');
  const destroyed = () => faulty.fault.callsOf('C_DestroyObject');

  test('are used by a copy, until anything about the key changes', async () => {
    const { kms } = faulty.service;
    const { KeyId } = await faulty.service.newKey();
    const before = copies();
    await encryptOften(KeyId, 5);
    expect(copies()).toBe(before);
    await encryptOften(KeyId, 20);
    expect(copies()).toBe(before + 1);
    const gone = destroyed();
    await kms.disableKey({ KeyId });
    await expect(encryptOften(KeyId, 1)).rejects.toMatchObject({ name: 'DisabledException' });
    await kms.enableKey({ KeyId });
    await encryptOften(KeyId, 1);
    expect(destroyed()).toBe(gone + 1);
    await encryptOften(KeyId, 20);
    expect(copies()).toBe(before + 2);
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
    await kms.rotateKeyOnDemand({ KeyId });
    const decrypted = await kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(decrypted.Plaintext ?? [])).toEqual(Plaintext);
  });

  test('lose their copy when nobody has used them for ten seconds', async () => {
    const { KeyId } = await faulty.service.newKey();
    await encryptOften(KeyId, 20);
    const before = destroyed();
    await within(patience, async () => expect(destroyed()).toBeGreaterThan(before));
  });

  test('work as well where the token makes no copies, which is asked for once', async () => {
    const before = copies();
    await faulty.service.restart();
    const keys = [await faulty.service.newKey(), await faulty.service.newKey()];
    await faulty.fault.set({ on: 'C_CopyObject', return: ckr('CKR_ACTION_PROHIBITED') });
    for (const { KeyId } of keys) await encryptOften(KeyId, 20);
    expect(copies()).toBe(before + 1);
    await faulty.fault.clear();
  });

  test('are all known after one search that took long', async () => {
    const { fault, service } = faulty;
    const keys = [await service.newKey(), await service.newKey(), await service.newKey()];
    const [first, ...others] = keys.map(({ KeyId }) => KeyId);
    await service.restart();
    await fault.set({ on: 'C_FindObjects', slow: 15_000 });
    const handles = (metrics: ReadMetrics) => metrics.sum('hsm_kms_token_object_handles') ?? 0;
    const known = handles(await readMetrics(service));
    await encryptOften(first as string, 1);
    await metricsOnce(service, (metrics) => handles(metrics) >= known + keys.length);
    const before = fault.callsOf('C_FindObjectsInit');
    for (const KeyId of others) await encryptOften(KeyId, 1);
    expect(fault.callsOf('C_FindObjectsInit')).toBe(before);
    await fault.clear();
  });

  test('that take long are used in other threads, so that nobody else waits', async () => {
    const { fault, service } = faulty;
    // nothing is faster
    const { KeyId } = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
    const sign = () => service.kms.generateMac({ KeyId, Message: Plaintext, MacAlgorithm: 'HMAC_SHA_256' });
    // fast calls stay where they are
    for (let index = 0; index < 40; index++) await sign();
    await fault.set({ on: 'C_Sign', return: ckr('CKR_DEVICE_ERROR'), thread: 'elsewhere' });
    await sign();
    await fault.set({ on: 'C_Sign', slow: 2_000 });
    for (let index = 0; index < 40; index++) await sign();
    await fault.set({ on: 'C_Sign', return: ckr('CKR_DEVICE_ERROR'), thread: 'main' });
    await sign();
    await fault.clear();
  });

  test('are counted beside any number that are used once', async () => {
    for (let made = 0; made < 520; made += 20) {
      const keys = await Promise.all(Array.from({ length: 20 }, () => faulty.service.newKey()));
      await Promise.all(keys.map(({ KeyId }) => encryptOften(KeyId, 1)));
    }
    const often = await faulty.service.newKey();
    const before = copies();
    await encryptOften(often.KeyId, 20);
    expect(copies()).toBe(before + 1);
  });
});
