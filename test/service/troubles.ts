import { expect } from '@jest/globals';
import { commandEvents } from './audit.js';
import type { Diagnosis } from './doctor.js';

/** Something that is wrong with a data directory, and what the doctor says of it. */
export interface Trouble {
  readonly spoil: () => unknown;
  /** Which check says so, and how bad it is. */
  readonly check: string;
  readonly severity: 'warning' | 'error';
  readonly what: RegExp;
  readonly toDo?: RegExp;
  /** What --repair says to have done. */
  readonly repair?: RegExp;
}
export type Troubles = Readonly<Record<string, Trouble>>;

/** Has the doctor look. */
type Look = (...flags: string[]) => Promise<Diagnosis>;

/** Each of a group of troubles that do not get in each other's way. @returns the exit code */
export async function expectFound(look: Look, troubles: Troubles): Promise<number | null> {
  for (const { spoil } of Object.values(troubles)) await spoil();
  const { code, bad } = await look();
  for (const [title, { check, severity, what, toDo = /^$/ }] of Object.entries(troubles)) {
    const found = bad.find((each) => each.check === check && what.test(each.what));
    expect({ title, severity: found?.severity, among: found ? '' : bad }).toEqual({ title, severity, among: '' });
    expect(found?.what).not.toMatch(/undefined|\[object|\n\s+at |SQLITE_/);
    expect(found?.toDo ?? '').toMatch(toDo);
  }
  return code;
}

/** And each is put right by --repair, and stays so. */
export async function expectRepaired(look: Look, dataDir: string, troubles: Troubles): Promise<void> {
  const { findings, code } = await look('--repair');
  const done = findings.filter((each) => each.done);
  const expected = Object.values(troubles).map(({ check, repair }) => ({
    check,
    done: expect.arrayContaining([expect.stringMatching(repair ?? /^$/)]),
  }));
  expect({ code, done }).toMatchObject({ code: 0, done: expected });
  const events = commandEvents(dataDir, 'RepairService');
  expect(events.slice(-done.length)).toEqual(
    done.map((each) =>
      expect.objectContaining({
        requestParameters: expect.objectContaining({ check: each.check }),
        responseElements: { done: each.done },
      }),
    ),
  );
  expect(await look('--repair')).toMatchObject({ code: 0, bad: [] });
}
