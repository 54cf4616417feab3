import { describe, expect, test } from '@jest/globals';
import { CallBatch } from '../../src/token/call-batch.js';

const endOfTurn = () => new Promise(setImmediate);

/** One whose last turn had several calls. */
async function busyBatch(): Promise<CallBatch> {
  const batch = new CallBatch();
  await Promise.all([batch.add(() => undefined), batch.add(() => undefined)]);
  return batch;
}

describe('Calls that are made together', () => {
  test('are made when the turn of the event loop ends, in their order, before any of them is answered', async () => {
    const batch = await busyBatch();
    const seen: string[] = [];
    const callers = ['a', 'b', 'c'].map(async (name) => {
      seen.push(`${name} asks`);
      const result = await batch.add(() => {
        seen.push(`${name} is made`);
        return name.toUpperCase();
      });
      seen.push(`${result} is answered`);
    });
    await Promise.all(callers);
    expect(seen).toEqual([
      ...['a asks', 'b asks', 'c asks'],
      ...['a is made', 'b is made', 'c is made'],
      ...['A is answered', 'B is answered', 'C is answered'],
    ]);
  });

  test('fail one by one', async () => {
    const batch = await busyBatch();
    const calls = [1, 2, 3].map((number) =>
      batch.add(() => {
        if (number === 2) throw new RangeError('two');
        return number;
      }),
    );
    expect(await Promise.allSettled(calls)).toEqual([
      { status: 'fulfilled', value: 1 },
      { status: 'rejected', reason: new RangeError('two') },
      { status: 'fulfilled', value: 3 },
    ]);
  });

  test('may be followed by others, which the next turn makes', async () => {
    const batch = await busyBatch();
    const made: number[] = [];
    const first = () => {
      made.push(1);
      void batch.add(() => made.push(3));
    };
    await Promise.all([batch.add(first), batch.add(() => made.push(2))]);
    expect(made).toEqual([1, 2]);
    await endOfTurn();
    expect(made).toEqual([1, 2, 3]);
  });

  test('are made at once where there was one in the turn before, and are none yet in this one', async () => {
    const batch = await busyBatch();
    const isMadeAtOnce = () => !(batch.add(() => true) instanceof Promise);
    expect(isMadeAtOnce()).toBe(false);
    await endOfTurn();
    expect([isMadeAtOnce(), isMadeAtOnce(), isMadeAtOnce()]).toEqual([true, false, false]);
    await endOfTurn();
    expect(isMadeAtOnce()).toBe(false);
  });
});
