import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { sql } from '../service/database.js';
import { ckr, type TokenCondition } from '../service/fault-token.js';
import { ownKeyLabels } from '../service/further-token.js';
import type { Service } from '../service/service.js';
import { type FaultRow, recoveryMilliseconds, testUnderFaults, tokenTrouble } from '../service/under-fault.js';

/** Clients are told that the token has failed. */
const told = { refusals: tokenTrouble } as const;

/** HTTP status of the readiness probe. */
async function readiness(service: Service): Promise<number> {
  const { status } = await fetch(`${service.url}/readyz`, { headers: { connection: 'close' } });
  return status;
}

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
      const end = Date.now() + recoveryMilliseconds;
      while (isThere(service) && Date.now() < end) await wait(20);
      expect(isThere(service)).toBe(false);
      expect(await ownKeyLabels(service.dataDir)).not.toContain(KeyId);
    },
    ...more,
  };
};

testUnderFaults(
  {
    'a token that': [
      absence('is gone for a moment', {
        meanwhile: async ({ service }) => expect(await readiness(service)).toBe(503),
        afterwards: async ({ service }) => expect(await readiness(service)).toBe(200),
      }),
      {
        fault: 'is gone and back between two requests',
        begin: ({ fault }) => fault.putBack(),
        ...told,
      },
      absence('is gone, and then wants its module initialised', {}, 'reinitialise'),
      {
        ...absence('is gone, and says so slowly', { lasts: 800 }),
        begin: async ({ fault }) => {
          await fault.pullOut({ on: '*', slow: 100_000 });
        },
        afterwards: async (_, refused) => {
          const times = refused.map(({ milliseconds }) => milliseconds).sort((one, other) => one - other);
          expect(times[Math.floor(times.length / 2)]).toBeLessThan(100);
        },
      },
      {
        ...absence('is gone, and back with another PIN, until the PIN file says so', { lasts: 300 }),
        end: async ({ fault, service }) => {
          const refused = { on: 'C_Login', return: ckr('CKR_PIN_INCORRECT') };
          await fault.putBack(refused);
          await wait(500);
          const pinFile = join(service.dataDir, 'token-user-pin');
          writeFileSync(pinFile, readFileSync(pinFile));
          await fault.clear();
        },
        // tokens lock themselves after some wrong ones: 3 with some, 10 with others; two workers
        afterwards: async ({ fault }) => expect(fault.calls().get('C_Login')?.faults).toBeLessThanOrEqual(2),
      },
      {
        fault: 'shows no slot, though its sessions work',
        begin: ({ fault }) => fault.set('hidden'),
        does: ['decrypt a wrong ciphertext'],
        meanwhile: async ({ service }) => expect(await readiness(service)).toBe(503),
        afterwards: async ({ service }) => expect(await readiness(service)).toBe(200),
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
