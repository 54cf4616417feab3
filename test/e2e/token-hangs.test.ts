import { afterEach, describe, expect, test } from '@jest/globals';
import { type FaultyService, startOverFaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { readMetrics } from '../service/metrics.js';
import type { Service } from '../service/service.js';
import { type FaultRow, testUnderFaults, tokenTrouble } from '../service/under-fault.js';
import { until } from '../service/within.js';

/** A call hangs for longer than clients wait: until whoever made it is told, and its worker replaced. */
const hangs: Pick<FaultRow, 'goesOnUntil' | 'fresh' | 'refusals'> = {
  goesOnUntil: async ({ service, load }) => load.refusals > 0 && (await replacements(service)) > 0,
  fresh: true,
  refusals: [...tokenTrouble, 'connection lost'],
};

async function replacements(service: Service): Promise<number> {
  return (await readMetrics(service)).sum('hsm_kms_worker_replacements_total') ?? 0;
}

testUnderFaults(
  {
    'a module that hangs': [
      {
        fault: 'in one call, on the spot',
        begin: ({ fault }) => fault.set({ on: 'C_Encrypt', hang: 600_000, next: 1 }),
        ...hangs,
      },
      {
        fault: 'in one call, in another thread',
        begin: ({ fault }) => fault.set({ on: 'C_Sign', hang: 600_000, next: 1, thread: 'elsewhere' }),
        ...hangs,
      },
      {
        fault: 'in every call, for half a second',
        begin: ({ fault }) => fault.set({ on: '*', hang: 600_000 }),
        lasts: 500,
        refusals: tokenTrouble,
      },
    ],
  },
  // half a second is no hang, on a slow machine either
  { flags: ['--hang-milliseconds', '4000'] },
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
    await fault.set({ on, hang: 600_000, thread });
    const Message = Buffer.from('x');
    const request =
      on === 'C_Sign'
        ? service.kms.sign({ KeyId, Message, SigningAlgorithm: 'RSASSA_PSS_SHA_256' })
        : service.kms.encrypt({ KeyId, Plaintext: Message });
    request.catch(() => {});
    await until('the call hangs', () => fault.calls().get(on)?.faults !== 0);
    const [worker = 0] = service.workers;
    // and not when the call ends, in ten minutes
    await service.stop();
    expect(() => process.kill(worker, 0)).toThrow('ESRCH');
  });
});
