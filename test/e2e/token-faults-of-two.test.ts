import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { KMS } from '@aws-sdk/client-kms';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { ckr, FaultToken, type FaultyService, startOverFaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { makeToken } from '../service/further-token.js';
import { MixedLoad } from '../service/mixed-load.js';
import { trustAnchorCertificate } from '../service/trust-anchor.js';
import { tokenTrouble } from '../service/under-fault.js';
import { until } from '../service/within.js';

const label = 'further token';
const pin = 'pin-of-the-store';
const clusterId = 'cluster-aaaaaaaaaaa';
/** Of the key in the store, while its token fails. */
const storeTrouble = [...tokenTrouble, 'KMSInvalidStateException'];

/** The service with its own token and that of a custom key store, which fail one without the other. */
(whyNoFaultToken() ? describe.skip : describe)('of two tokens, one', () => {
  let faulty: FaultyService;
  let further: FaultToken;
  let load: MixedLoad;
  let KeyId: string;

  beforeAll(async () => {
    faulty = await startOverFaultToken({
      workers: 2,
      flagsFor: async (dataDir) => {
        await makeToken(dataDir, label, pin);
        further = new FaultToken(join(dataDir, 'softhsm2.conf'));
        return ['--key-stores', JSON.stringify([{ clusterId, tokenLabel: label, pkcs11Module: further.module }])];
      },
    });
    const { kms } = faulty.service;
    const { CustomKeyStoreId } = await kms.createCustomKeyStore({
      CustomKeyStoreName: 'store',
      CloudHsmClusterId: clusterId,
      TrustAnchorCertificate: trustAnchorCertificate,
      KeyStorePassword: pin,
    });
    await kms.connectCustomKeyStore({ CustomKeyStoreId });
    ({ KeyId } = await faulty.service.newKey({ Origin: 'AWS_CLOUDHSM', CustomKeyStoreId }));
    load = await MixedLoad.prepare(faulty.service, 2);
    // each worker opens the store's token when it needs it first, and the own token opens the password
    await storeWorks();
  });
  afterEach(async () => {
    await faulty.fault.clear();
    await further.clear();
  });
  afterAll(async () => {
    await faulty?.end();
    further?.end();
  });

  const inStore = async (kms: KMS) => {
    const Plaintext = Buffer.from('in the store');
    const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
    const opened = await kms.decrypt({ CiphertextBlob });
    expect(Buffer.from(opened.Plaintext ?? [])).toEqual(Plaintext);
  };

  /** Names of what uses of the key in the store are refused with, on new connections: so many, and until more holds. */
  const refusedInStore = async (uses: number, holds = (_: ReadonlySet<string>) => true): Promise<string[]> => {
    const names = new Set<string>();
    for (let use = 0; use < uses || !holds(names); use++) {
      const client = faulty.service.newClient();
      await inStore(client).catch((error: Error) => names.add(error.name));
      client.destroy();
      await wait(5);
    }
    return [...names];
  };

  /** On each worker. */
  const storeWorks = () => until('the key store works', async () => (await refusedInStore(10)).length === 0);

  test('fails, the own one: the key store goes on', async () => {
    load.start();
    await faulty.fault.set({ on: '*', return: ckr('CKR_DEVICE_ERROR') });
    expect(await refusedInStore(20, () => load.refusals > 4)).toEqual([]);
    const { refused, wrong } = await load.stop();
    expect(wrong).toEqual([]);
    expect([...new Set(refused.map(({ name }) => name))]).toEqual(['KMSInternalException']);
  });

  test('is gone, that of the key store: the own one goes on', async () => {
    await load.recover();
    load.start();
    await further.pullOut();
    const names = await refusedInStore(20, (until) => until.size > 0 && load.attempts > 10);
    const { refused, wrong, answered } = await load.stop();
    expect({ refused, wrong }).toEqual({ refused: [], wrong: [] });
    expect(answered).toBeGreaterThan(10);
    expect(names).not.toEqual([]);
    expect(names.filter((name) => !storeTrouble.includes(name))).toEqual([]);
  });

  test('is back, that of the key store', async () => {
    await storeWorks();
    await further.pullOut();
    await refusedInStore(100, (names) => names.size > 0);
    await further.putBack();
    await storeWorks();
  });
});
