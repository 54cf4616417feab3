import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { ckr, type FaultConditions, type FaultToken, startOverFaultToken, whyNoFaultToken } from './fault-token.js';
import { freePort } from './free-port.mjs';
import { type LoadRefusal, MixedLoad } from './mixed-load.js';
import type { Service, ServiceOptions } from './service.js';
import { until } from './within.js';

/** How long a fault lasts in the middle of the load, unless its row says otherwise: so often each operation is tried. */
const rounds = 2;

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
  /** How often it begins, each time when the last has happened; once, when left out. */
  readonly times?: number;
  /** In milliseconds; for a number of requests, when left out. */
  readonly lasts?: number;
  /** What it goes on for until it is so, at the least. */
  readonly goesOnUntil?: (under: UnderFault) => boolean | Promise<boolean>;
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
 * its middle. What holds for each: no answer is wrong, no key and no ciphertext is lost, nothing hangs, requests are
 * refused with what the row allows only, and when the token works again there is full service without anybody's help; how
 * soon is printed.
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
    /** How long after each fault there was full service, in milliseconds. */
    const recoveries: number[] = [];
    beforeAll(async () => {
      // the same port after a restart, for the load's clients
      const { service, fault, ...faulty } = await startOverFaultToken({
        ...{ workers: 2, port: await freePort() },
        ...options,
      });
      end = faulty.end;
      under = { service, fault, load: await MixedLoad.prepare(service) };
    });
    afterAll(() => {
      console.info(`full service was back after ${recoveries.map((each) => each.toFixed()).join(', ')} ms`);
      return end?.();
    });

    const check = async (row: FaultRow) => {
      const isFit = row.fresh ? isFresh : isWell || (await isWellAgain(under));
      if (!isFit) await startAnew(under);
      isFresh = false;
      isWell = false;
      recoveries.push(await checkRow(under, row));
      isWell = row.fresh !== true;
    };
    for (const [title, rows] of Object.entries(groups)) {
      describe(title, () => {
        for (const row of rows) test(row.fault, () => check(row));
      });
    }
  });
}

/** @returns after how many milliseconds there was full service */
async function checkRow(under: UnderFault, row: FaultRow): Promise<number> {
  const { fault, load } = under;
  const { refusals = [], refusedOperations, times = 1 } = row;
  load.start();
  let failure: unknown;
  try {
    await attempts(load, 0.5);
    for (let time = 0; time < times; time++) {
      const faultsUntilNow = fault.faults;
      await row.begin(under);
      const doing = Promise.all((row.does ?? []).map((operation) => load.alsoDo(operation)));
      await (row.lasts === undefined ? attempts(load, rounds / times) : wait(row.lasts));
      await until('the fault has happened', () => fault.faults > faultsUntilNow);
      await until('what the fault goes on for', () => row.goesOnUntil?.(under) ?? true);
      await row.meanwhile?.(under);
      await doing;
    }
    await (row.end ? row.end(under) : fault.clear());
  } catch (error) {
    failure = error;
    await fault.clear();
  }
  const recovery = await load.recover().catch((error: Error) => error);
  const { answered, refused, wrong } = await load.stop();
  if (failure) throw failure;
  const notAllowed = refused.filter(
    ({ name, operation }) => !refusals.includes(name) || refusedOperations?.includes(operation) === false,
  );
  const found = { wrong, notAllowed: countOf(notAllowed), recovery };
  expect(found).toEqual({ wrong: [], notAllowed: {}, recovery: expect.any(Number) });
  expect(answered).toBeGreaterThan(0);
  await load.expectNothingLost();
  await row.afterwards?.(under, refused);
  return recovery as number;
}

/** Waits until each operation was tried so often, on the average. */
function attempts(load: MixedLoad, times: number): Promise<void> {
  const end = load.attempts + times * load.round;
  return until('each operation is tried', () => load.attempts >= end);
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
