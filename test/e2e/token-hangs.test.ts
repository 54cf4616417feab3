import { setTimeout as wait } from 'node:timers/promises';
import { afterEach, describe, expect, test } from '@jest/globals';
import { type FaultyService, startOverFaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { testUnderFaults, tokenTrouble } from '../service/under-fault.js';

/** Long enough for a worker that does not answer to be found out and replaced, in milliseconds. */
const hangs = { lasts: 5_000, fresh: true, refusals: [...tokenTrouble, 'connection lost'] } as const;

testUnderFaults(
  {
    'a module that hangs': [
      {
        fault: 'in one call, on the spot',
        begin: ({ fault }) => fault.set({ on: 'C_Encrypt', hang: 60_000, next: 1 }),
        ...hangs,
      },
      {
        fault: 'in one call, in another thread',
        begin: ({ fault }) => fault.set({ on: 'C_Sign', hang: 60_000, next: 1, thread: 'elsewhere' }),
        ...hangs,
      },
      {
        fault: 'in every call, for half a second',
        begin: ({ fault }) => fault.set({ on: '*', hang: 60_000 }),
        lasts: 500,
        refusals: tokenTrouble,
      },
    ],
  },
  { flags: ['--hang-milliseconds', '1500'] },
);

(whyNoFaultToken() ? describe.skip : describe)('a service whose module hangs can be stopped', () => {
  let faulty: FaultyService | undefined;
  afterEach(() => faulty?.end());

  test.each([
    ['on the spot', 'C_Encrypt', 'main'],
    ['in another thread', 'C_Sign', 'elsewhere'],
  ] as const)('%s', async (_, on, thread) => {
    faulty = await startOverFaultToken({ workers: 1, flags: ['--drain-milliseconds', '300'] });
    const { service, fault } = faulty;
    const { KeyId } = await service.newKey(on === 'C_Sign' ? { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' } : {});
    await fault.set({ on, hang: 60_000, thread });
    const Message = Buffer.from('x');
    const request =
      on === 'C_Sign'
        ? service.kms.sign({ KeyId, Message, SigningAlgorithm: 'RSASSA_PSS_SHA_256' })
        : service.kms.encrypt({ KeyId, Plaintext: Message });
    request.catch(() => {});
    while (fault.calls().get(on)?.faults === 0) await wait(5);
    const [worker = 0] = service.workers;
    const start = Date.now();
    await service.stop();
    expect(Date.now() - start).toBeLessThan(4_000);
    expect(() => process.kill(worker, 0)).toThrow('ESRCH');
  });
});
