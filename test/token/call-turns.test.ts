import { expect, test } from '@jest/globals';
import { CallBatch } from '../../src/token/call-batch.js';
import { CallTurns } from '../../src/token/call-turns.js';
import { TokenBusyError } from '../../src/token/return-values.js';

const limits = { waiting: 100, waitMilliseconds: 10_000 };

/** Computes, as a call of a token that is a program of this machine. */
function compute(milliseconds: number): void {
  const until = performance.now() + milliseconds;
  while (performance.now() < until);
}

test('calls are made in the order in which they came, and tell what came of them', async () => {
  const turns = new CallTurns(limits, new CallBatch());
  const made: number[] = [];
  const call = (number: number) => () => {
    made.push(number);
    if (number === 2) throw new Error('no');
    return number;
  };
  const results = await Promise.allSettled([1, 2, 3].map((number) => turns.take(call(number))));
  expect(made).toEqual([1, 2, 3]);
  expect(results.map((each) => (each.status === 'fulfilled' ? each.value : each.reason.message))).toEqual([1, 'no', 3]);
});

test('others come in between two rows', async () => {
  const turns = new CallTurns(limits, new CallBatch());
  let made = 0;
  const all = Promise.all(
    Array.from({ length: 40 }, () =>
      turns.take(() => {
        made += 1;
        compute(1);
      }),
    ),
  );
  const madeBefore: number[] = [];
  for (let other = 0; other < 3; other++) {
    await new Promise((resolve) => setImmediate(resolve));
    madeBefore.push(made);
  }
  await all;
  expect(madeBefore.at(0)).toBeGreaterThan(0);
  for (const [index, each] of madeBefore.entries()) expect(each).toBeLessThanOrEqual(3 * (index + 1));
  expect(made).toBe(40);
});

test('while requests come that ask for no turn, they wait for one call', async () => {
  const arrivals = { count: 0 };
  const turns = new CallTurns(limits, new CallBatch(), arrivals);
  let made = 0;
  const ask = () => {
    arrivals.count += 1;
    return turns.take(() => {
      made += 1;
      compute(0.1);
    });
  };
  const all = Promise.all(Array.from({ length: 20 }, ask));
  const madeInRow = async () => {
    const before = made;
    await new Promise((resolve) => setImmediate(resolve));
    return made - before;
  };
  arrivals.count += 1;
  expect(await madeInRow()).toBe(1);
  const another = ask();
  arrivals.count += 1;
  expect(await madeInRow()).toBe(1);
  const rowsAlone: number[] = [];
  while (made < 21) rowsAlone.push(await madeInRow());
  expect(Math.max(...rowsAlone)).toBeGreaterThan(1);
  await all;
  await another;
});

test('what is called in a turn may ask for another', async () => {
  const turns = new CallTurns(limits, new CallBatch());
  const [first, second] = await turns.take(() => [1, turns.take(() => 2)] as const);
  expect([first, await second]).toEqual([1, 2]);
});

test('no more wait than may, and who waited too long is refused without being called', async () => {
  const turns = new CallTurns({ waiting: 3, waitMilliseconds: 1000 }, new CallBatch());
  let late = 0;
  const waiting = [turns.take(() => compute(1200)), turns.take(() => late++), turns.take(() => late++)];
  expect(() => turns.take(() => late++)).toThrow(TokenBusyError);
  const results = await Promise.allSettled(waiting);
  expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected']);
  expect(late).toBe(0);
  await expect(turns.take(() => 'again')).resolves.toBe('again');
});

test('what is made together is made and answered before the next row', async () => {
  const batch = new CallBatch();
  // calls are made together after a turn of several
  await Promise.all([batch.add(() => undefined), batch.add(() => undefined)]);
  const turns = new CallTurns(limits, batch);
  const seen: string[] = [];
  const slow = ['first', 'second'].map((name) => turns.take(() => seen.push(`${name} of a row`)));
  const quick = async () => {
    await batch.add(() => seen.push('quick'));
    for (let step = 0; step < 10; step++) await undefined;
    seen.push('answered');
  };
  await Promise.all([...slow, quick()]);
  expect(seen).toEqual(['quick', 'answered', 'first of a row', 'second of a row']);
});
