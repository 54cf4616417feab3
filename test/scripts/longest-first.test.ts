import { expect, test } from '@jest/globals';
import LongestFirst from '../../scripts/longest-first.mjs';

const suite = (path: string, name: string) => ({
  path: `/project/${path}.test.ts`,
  context: { config: { rootDir: '/project', displayName: { name } } },
});
const suites = ['SoftHSM2', 'NSS'].flatMap((over) =>
  ['test/crash/crash', 'test/e2e/aliases', 'test/e2e/tags', 'test/e2e/macs', 'test/keys/a', 'test/keys/b'].map((path) =>
    suite(path, over),
  ),
);

test('parts have every suite once, in whatever order each of them finds the suites', () => {
  const orders = [suites, suites.toReversed(), [...suites.slice(5), ...suites.slice(0, 5)]];
  const parts = orders.map((order, index) =>
    new LongestFirst().shard(order, { shardIndex: index + 1, shardCount: orders.length }),
  );
  expect(parts.map(({ length }) => length)).toEqual([4, 4, 4]);
  expect(new Set(parts.flat())).toEqual(new Set(suites));
});

test('the suites that take longest begin first', () => {
  const paths = new LongestFirst().sort(suites).map(({ path }) => path);
  expect(paths.slice(0, 2)).toEqual(Array(2).fill('/project/test/crash/crash.test.ts'));
  expect(paths.at(-1)).toContain('/test/keys/');
});
