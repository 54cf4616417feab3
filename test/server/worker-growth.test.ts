import { expect, test } from '@jest/globals';
import { WorkerGrowth } from '../../src/server/worker-growth.js';

const mebibyte = 2 ** 20;

test('a worker has grown too much when it is larger by more than the limit than it was at first', () => {
  const growth = new WorkerGrowth(100);
  const worker = {};
  expect(growth.isToBeReplaced(worker, 90 * mebibyte, 0)).toBe(false);
  expect(growth.isToBeReplaced(worker, 190 * mebibyte, 1)).toBe(false);
  expect(growth.isToBeReplaced(worker, 190 * mebibyte + 1, 2)).toBe(true);
});

test('what a worker had at first does not count, however much it is', () => {
  expect(new WorkerGrowth(1).isToBeReplaced({}, 1000 * mebibyte, 0)).toBe(false);
});

test('one worker is replaced in a minute', () => {
  const growth = new WorkerGrowth(1);
  const workers = [{}, {}];
  for (const worker of workers) growth.isToBeReplaced(worker, 0, 0);
  expect(workers.map((worker) => growth.isToBeReplaced(worker, 2 * mebibyte, 1))).toEqual([true, false]);
  expect(workers.map((worker) => growth.isToBeReplaced(worker, 2 * mebibyte, 60_000))).toEqual([false, false]);
  expect(growth.isToBeReplaced(workers[1] as object, 2 * mebibyte, 60_001)).toBe(true);
});

test('no limit is none', () => {
  const growth = new WorkerGrowth(0);
  const worker = {};
  growth.isToBeReplaced(worker, 0, 0);
  expect(growth.isToBeReplaced(worker, 10 ** 12, 1)).toBe(false);
});
