import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { sql } from '../service/database.js';
import { ckr, type FaultToken, type TokenCondition } from '../service/fault-token.js';
import { ownKeyLabels } from '../service/further-token.js';
import { readMetrics } from '../service/metrics.js';
import type { Service } from '../service/service.js';
import { type FaultRow, testUnderFaults, tokenTrouble } from '../service/under-fault.js';
import { patience, until, within } from '../service/within.js';

/** Clients are told that the token has failed. */
const told = { refusals: tokenTrouble } as const;

/** Each worker must come to say so by itself: the readiness probe asks whichever. @param status of HTTP */
const readinessIs =
  (status: number): NonNullable<FaultRow['meanwhile']> =>
  ({ service }) =>
    within(patience, async () => {
      const answer = await fetch(`${service.url}/readyz`, { headers: { connection: 'close' } });
      expect(answer.status).toBe(status);
    });

/** Calls that workers did not make, as they knew that the token was gone. */
const callsSpared = async (service: Service) =>
  (await readMetrics(service)).sum('hsm_kms_token_unavailable_calls_total') ?? 0;
let sparedBefore = 0;

const loginsRefused = (fault: FaultToken) => fault.calls().get('C_Login')?.faults ?? 0;
let loginsBefore = 0;

/** The token is pulled out, and put back. */
const absence = (fault: string, more: Partial<FaultRow>, ...conditions: TokenCondition[]): FaultRow => ({
  fault,
  begin: (under) => under.fault.pullOut(...conditions),
  end: (under) => under.fault.putBack(...conditions),
  ...told,
  ...more,
});

/** A key whose deletion becomes due under a fault: afterwards it is gone, and its object with it. */
const dueDeletion = (fault: string, begin: FaultRow['begin'], more: Partial<FaultRow> = {}): FaultRow => {
  let KeyId = '';
  const isThere = (service: Service) => sql(service, 'select id from keys where id = ?', KeyId).length > 0;
  return {
    fault,
    begin: async (under) => {
      const { service } = under;
      ({ KeyId } = await service.newKey());
      await service.kms.scheduleKeyDeletion({ KeyId });
      await begin(under);
      sql(service, 'update keys set deletion_at = ? where id = ?', Date.now() - 1, KeyId);
    },
    lasts: 300,
    ...told,
    afterwards: async ({ service }) => {
      await until('the key is gone', () => !isThere(service));
      expect(await ownKeyLabels(service.dataDir)).not.toContain(KeyId);
    },
    ...more,
  };
};

testUnderFaults(
  {
    'a token that': [
      absence('is gone for a moment', {
        meanwhile: readinessIs(503),
        afterwards: readinessIs(200),
      }),
      {
        fault: 'is gone and back between two requests',
        begin: ({ fault }) => fault.putBack(),
        ...told,
      },
      absence('is gone, and then wants its module initialised', {}, 'reinitialise'),
      {
        ...absence('is gone, and says so slowly: most clients do not wait for it', {}),
        begin: async ({ fault, service }) => {
          sparedBefore = await callsSpared(service);
          await fault.pullOut({ on: '*', slow: 100_000 });
        },
        goesOnUntil: ({ load }) => load.refusals > 60,
        afterwards: async ({ service }, refused) => {
          expect((await callsSpared(service)) - sparedBefore).toBeGreaterThan(refused.length / 2);
        },
      },
      {
        ...absence('is gone, and back with another PIN, until the PIN file says so', {}),
        end: async ({ fault, service }) => {
          // before: a worker may try it while the module takes its new commands
          loginsBefore = loginsRefused(fault);
          await fault.putBack({ on: 'C_Login', return: ckr('CKR_PIN_INCORRECT') });
          await until('a worker tries the PIN', () => loginsRefused(fault) > loginsBefore);
          await wait(500);
          await fault.clear();
          const pinFile = join(service.dataDir, 'token-user-pin');
          writeFileSync(pinFile, readFileSync(pinFile));
        },
        // tokens lock themselves after some wrong ones: 3 with some, 10 with others; two workers
        afterwards: async ({ fault }) => expect(loginsRefused(fault) - loginsBefore).toBeLessThanOrEqual(2),
      },
      {
        fault: 'shows no slot, though its sessions work',
        begin: ({ fault }) => fault.set('hidden'),
        does: ['decrypt a wrong ciphertext'],
        meanwhile: readinessIs(503),
        afterwards: readinessIs(200),
        ...told,
      },
      {
        fault: 'shows no objects',
        begin: async ({ fault }) => {
          await fault.renewHandles();
          await fault.set('empty');
        },
        ...told,
      },
      {
        fault: 'is full',
        begin: ({ fault }) => fault.set('full'),
        does: ['make a key', 'make a key'],
        ...told,
        refusedOperations: ['make a key'],
      },
      { fault: 'makes the IV itself', begin: ({ fault }) => fault.set('own-iv') },
    ],
    'a key is deleted with its object, if not at once, by a token that': [
      dueDeletion('does not destroy it', ({ fault }) =>
        fault.set({ on: 'C_DestroyObject', return: ckr('CKR_DEVICE_ERROR') }),
      ),
      dueDeletion('destroys it, and says that it has not', ({ fault }) =>
        fault.set({ on: 'C_DestroyObject', lose: ckr('CKR_DEVICE_ERROR') }),
      ),
      dueDeletion(
        'shows no objects meanwhile',
        async ({ fault }) => {
          await fault.renewHandles();
          await fault.set('empty');
        },
        {},
      ),
    ],
  },
  { flags: ['--schedule-milliseconds', '50'] },
);
