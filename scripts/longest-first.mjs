import { relative } from 'node:path';

/** Seconds of the suites that take longest, where it matters that they do not begin last. */
const seconds = {
  'test/deployment/install': 80,
  'test/containers/cluster': 30,
  'test/e2e/nodes-failures': 37,
  'test/e2e/token-crashes': 31,
  'test/e2e/audit-streams': 30,
  'test/e2e/seals': 28,
  'test/e2e/tls': 28,
  'test/crash/crash': 26,
  'test/e2e/doctor': 25,
  'test/e2e/rotation-schedule': 25,
  'test/e2e/import-lifecycle': 23,
  'test/e2e/several-nodes': 23,
  'test/e2e/token-hangs': 23,
  'test/e2e/doctor-orphans': 22,
  'test/e2e/disk': 22,
  'test/e2e/backup-killed': 22,
  'test/containers/testcontainers': 22,
  'test/containers/run': 21,
  'test/e2e/persistence': 21,
  'test/e2e/keys-in-key-stores': 21,
};
/** Seconds of the others, by where they are: most of a suite's is the start of its service. */
const secondsIn = [
  [/^test\/(containers|deployment)\//, 12],
  [/^test\/e2e\//, 8],
  [/^test\//, 1],
];

/** Has jest begin the long suites first, as no processor is to wait for one that was begun last; each part has some. */
export default class LongestFirst {
  shard(tests, { shardIndex, shardCount }) {
    return this.sort(tests).filter((_, index) => index % shardCount === shardIndex - 1);
  }

  sort(tests) {
    const expected = new Map(tests.map((test) => [test, secondsOf(test)]));
    // jest finds suites in any order, and every part has to have the same before it takes its own
    return tests.toSorted(
      (a, b) => expected.get(b) - expected.get(a) || compare(a.path, b.path) || compare(nameOf(a), nameOf(b)),
    );
  }

  /** All the same after a run: nothing is remembered. */
  cacheResults() {}
}

const nameOf = ({ context }) => context.config.displayName?.name ?? '';
const compare = (a, b) => (a < b ? -1 : Number(a > b));

function secondsOf({ path, context }) {
  const suite = relative(context.config.rootDir, path).replace(/\.test\.ts$/, '');
  return seconds[suite] ?? secondsIn.find(([place]) => place.test(suite))[1];
}
