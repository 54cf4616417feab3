import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { ckr, type FaultToken } from '../service/fault-token.js';
import { type FaultRow, testUnderFaults, tokenTrouble } from '../service/under-fault.js';
import { until } from '../service/within.js';

/**
 * A worker that ends takes the requests with it that it has under way. A connection that it is handed when it has just
 * ended hangs: Node's cluster hands it to no other (RoundRobinHandle.handoff waits for its reply).
 */
const crashed = { refusals: [...tokenTrouble, 'connection lost', 'hang'], fresh: true } as const;

/** All workers run again. */
const allAreThere: FaultRow['afterwards'] = ({ service }) =>
  until('two workers run', () => service.workers.length === 2);

const faultsOf = (fault: FaultToken, name: string) => fault.calls().get(name)?.faults ?? 0;
/** Logins that had failed before a fault. */
let loginsBefore = 0;

testUnderFaults({
  'a module that crashes': [
    {
      fault: 'takes its worker with it, which is replaced',
      begin: ({ fault }) => fault.set({ on: 'C_SignInit', crash: 'segv', next: 1 }),
      ...crashed,
      afterwards: allAreThere,
    },
    {
      fault: 'in a thread that makes an RSA signature',
      begin: ({ fault }) => fault.set({ on: 'C_Sign', crash: 'abort', next: 1, thread: 'elsewhere' }),
      ...crashed,
      afterwards: allAreThere,
    },
    {
      fault: 'at the start of the workers that replace the first',
      begin: ({ fault }) => {
        loginsBefore = faultsOf(fault, 'C_Login');
        return fault.set({ on: 'C_SignInit', crash: 'segv', next: 1 }, { on: 'C_Login', crash: 'segv', next: 2 });
      },
      goesOnUntil: ({ fault }) => faultsOf(fault, 'C_Login') === loginsBefore + 2,
      ...crashed,
      afterwards: allAreThere,
    },
    {
      fault: 'whenever it is to log in or to sign, for some seconds',
      begin: ({ fault }) => fault.set({ on: 'C_SignInit', crash: 'segv' }, { on: 'C_Login', crash: 'segv' }),
      lasts: 4_000,
      ...crashed,
    },
    {
      fault: 'while the token is gone, so that new workers find none',
      begin: async ({ fault }) => {
        const before = faultsOf(fault, 'C_EncryptInit');
        await fault.set({ on: 'C_EncryptInit', crash: 'segv', next: 2 });
        await until('a worker crashes', () => faultsOf(fault, 'C_EncryptInit') > before);
        await fault.pullOut();
      },
      lasts: 5_000,
      end: ({ fault }) => fault.putBack(),
      ...crashed,
    },
    {
      fault: 'while the token makes no key pairs, so that the new worker finds that it cannot',
      begin: ({ fault }) =>
        fault.set(
          { on: 'C_SignInit', crash: 'segv', next: 1 },
          { on: 'C_GenerateKeyPair', return: ckr('CKR_DEVICE_ERROR') },
        ),
      lasts: 2_500,
      ...crashed,
    },
  ],
  'a worker that is to be replaced': [
    {
      fault: 'while the token refuses the PIN is replaced when the PIN file says another',
      begin: async ({ fault }) => {
        loginsBefore = faultsOf(fault, 'C_Login');
        await fault.set(
          { on: 'C_EncryptInit', crash: 'segv', next: 1 },
          { on: 'C_Login', return: ckr('CKR_PIN_INCORRECT') },
        );
      },
      goesOnUntil: ({ fault }) => faultsOf(fault, 'C_Login') > loginsBefore,
      end: async ({ fault, service }) => {
        await wait(1_000);
        // tokens lock themselves after some wrong ones
        expect(faultsOf(fault, 'C_Login')).toBe(loginsBefore + 1);
        await fault.clear();
        const pinFile = join(service.dataDir, 'token-user-pin');
        writeFileSync(pinFile, readFileSync(pinFile));
      },
      ...crashed,
      afterwards: allAreThere,
    },
  ],
});
