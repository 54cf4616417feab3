import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ckr, type FaultConditions, type FaultToken, startOverFaultToken, whyNoFaultToken } from './fault-token.js';
import { type LoadRefusal, MixedLoad } from './mixed-load.js';
import { freePort, type Service, type ServiceOptions } from './service.js';

/** Full service is back that long after the token is, at the latest, in milliseconds. */
export const recoveryMilliseconds = 2_000;
/** How long a fault lasts in the middle of the load, unless its row says otherwise: so often each operation is tried. */
const rounds = 2;
/** However slow the machine is, in milliseconds. */
const longestRounds = 5_000;

/** What clients may be told while a token does not work: it is not their fault, and another try may help. */
export const tokenTrouble = [
  'KMSInternalException',
  'KeyUnavailableException',
  'DependencyTimeoutException',
  'ThrottlingException',
] as const;

/** What a row works with. */
export interface UnderFault {
  readonly service: Service;
  readonly fault: FaultToken;
  readonly load: MixedLoad;
}

/** A fault in the middle of a load, and what clients may notice of it. */
export interface FaultRow {
  readonly fault: string;
  readonly begin: (under: UnderFault) => Promise<void>;
  /** In milliseconds; for a number of requests, when left out. */
  readonly lasts?: number;
  /** Operations that the fault is about, where the load does them seldom. */
  readonly does?: readonly string[];
  /** What must hold while the token does not work. */
  readonly meanwhile?: (under: UnderFault) => Promise<void>;
  /** The token works again after it; by default, no fault is set. */
  readonly end?: (under: UnderFault) => Promise<void>;
  /** What requests may be refused with; nothing, when left out: nobody notices. */
  readonly refusals?: readonly string[];
  /** The only operations that may be refused; any, when left out. */
  readonly refusedOperations?: readonly string[];
  /** More that must hold when the token works again. */
  readonly afterwards?: (under: UnderFault, refused: readonly LoadRefusal[]) => Promise<void>;
  /** True when it needs a service that nothing has happened to. */
  readonly fresh?: boolean;
}

/** One function answers with one CK_RV, by name or number. */
export function answers(
  on: string,
  code: string | number,
  conditions: FaultConditions = {},
  more: Partial<FaultRow> = {},
): FaultRow {
  const number = typeof code === 'number' ? code : ckr(code);
  const when = Object.entries(conditions).flat();
  return {
    fault: [on, 'gives', typeof code === 'number' ? `0x${code.toString(16)}` : code, ...when].join(' '),
    begin: ({ fault }) => fault.set({ on, return: number, ...conditions }),
    ...more,
  };
}

/**
 * Tests for rows, by the title of a group: a service over a token that fails, for all of them, a load, and each fault in
 * its middle. What holds for each: no answer is wrong, no key and no ciphertext is lost, nothing hangs, requests are refused with what the row allows only,
 * and 2 s after the token works there is full service without anybody's help.
 */
export function testUnderFaults(
  groups: Readonly<Record<string, readonly FaultRow[]>>,
  options: ServiceOptions = {},
): void {
  const why = whyNoFaultToken();
  if (why) console.warn(`${Object.keys(groups).join(', ')}: not tested. ${why}.`);
  (why ? describe.skip : describe)('under faults', () => {
    let under: UnderFault;
    let end: (() => Promise<void>) | undefined;
    /** Nothing has gone wrong since it was last looked at. */
    let isWell = true;
    /** Nothing has happened since it was started. */
    let isFresh = true;
    beforeAll(async () => {
      // the same port after a restart, for the load's clients
      const { service, fault, ...faulty } = await startOverFaultToken({
        ...{ workers: 2, port: await freePort() },
        ...options,
      });
      end = faulty.end;
      under = { service, fault, load: await MixedLoad.prepare(service) };
    });
    afterAll(() => end?.());

    const check = async (row: FaultRow) => {
      const isFit = row.fresh ? isFresh : isWell || (await isWellAgain(under));
      if (!isFit) await startAnew(under);
      isFresh = false;
      isWell = false;
      await checkRow(under, row);
      isWell = row.fresh !== true;
    };
    for (const [title, rows] of Object.entries(groups)) {
      describe(title, () => {
        for (const row of rows) test(row.fault, () => check(row));
      });
    }
  });
}

async function checkRow(under: UnderFault, row: FaultRow): Promise<void> {
  const { fault, load } = under;
  const { refusals = [], refusedOperations } = row;
  const faultsBefore = fault.faults;
  load.start();
  let failure: unknown;
  try {
    await attempts(load, 0.5);
    await row.begin(under);
    const doing = Promise.all((row.does ?? []).map((operation) => load.alsoDo(operation)));
    await (row.lasts === undefined ? attempts(load, rounds, () => fault.faults > faultsBefore) : wait(row.lasts));
    await row.meanwhile?.(under);
    await doing;
    await (row.end ? row.end(under) : fault.clear());
  } catch (error) {
    failure = error;
    await fault.clear();
  }
  const recovery = await load.recover(recoveryMilliseconds).catch((error: Error) => error);
  const { answered, refused, wrong } = await load.stop();
  if (failure) throw failure;
  const notAllowed = refused.filter(
    ({ name, operation }) => !refusals.includes(name) || refusedOperations?.includes(operation) === false,
  );
  const found = { wrong, notAllowed: countOf(notAllowed), recovery };
  expect(found).toEqual({ wrong: [], notAllowed: {}, recovery: expect.any(Number) });
  expect(answered).toBeGreaterThan(0);
  // else the row has tested nothing
  expect(fault.faults).toBeGreaterThan(faultsBefore);
  await load.expectNothingLost();
  await row.afterwards?.(under, refused);
}

/** Waits until each operation was tried so often and more holds, or for a time that is long enough for everything. */
async function attempts(load: MixedLoad, times: number, holds = () => true): Promise<void> {
  const end = load.attempts + times * load.round;
  const late = Date.now() + longestRounds;
  while ((load.attempts < end || !holds()) && Date.now() < late) await wait(5);
}

function countOf(refused: readonly LoadRefusal[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { operation, name } of refused) {
    counts[`${operation}: ${name}`] = (counts[`${operation}: ${name}`] ?? 0) + 1;
  }
  return counts;
}

/** A row that has failed need not have broken the service. */
async function isWellAgain({ fault, load }: UnderFault): Promise<boolean> {
  await fault.clear();
  load.forget();
  return load.recover(0).then(
    () => true,
    () => false,
  );
}

/** What a row before has done to the service is not the next one's business. */
async function startAnew({ service, fault, load }: UnderFault): Promise<void> {
  await fault.clear();
  load.forget();
  await service.kill();
  await service.serve();
}
