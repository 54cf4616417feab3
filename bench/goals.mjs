/** @typedef {import('./parts.mjs').Sections} Sections */
/** @typedef {import('./results.mjs').Result} Result */

/**
 * @typedef {object} Judgement
 * @property {string} goal
 * @property {string} of what it was looked at in
 * @property {number} value
 * @property {boolean | null} reached null where the run was too short to tell
 */

/**
 * A goal of the project; a number for people, never an assertion of a test.
 *
 * @typedef {object} Goal
 * @property {string} goal
 * @property {(sections: Sections) => { of: string, value: number, tells?: boolean }[]} values that have to be within it
 * @property {(value: number) => boolean} isReached
 */

const millionRequests = 1_000_000;
const mostPerMillion = 16;

/** @type {readonly Goal[]} */
const goals = [
  {
    goal: 'service CPU per request with one worker: at most 150 us',
    values: ({ matrix = [] }) =>
      matrix
        .filter(({ operation, workers }) => workers === 1 && /^(Encrypt|Decrypt|GenerateDataKey)$/.test(operation))
        .map((result) => ({ of: nameOf(result), value: result.figures.cpu })),
    isReached: (cpu) => cpu <= 150,
  },
  {
    goal: "CPU of the direct call at least 0.9 of the service's, one worker",
    values: ({ matrix = [] }) =>
      matrix
        .filter(({ operation, keySpec, workers }) => workers === 1 && operation === 'Sign' && /^RSA/.test(keySpec))
        .map((result) => ({ of: nameOf(result), value: result.ratio ?? Number.NaN })),
    isReached: (ratio) => ratio >= 0.9,
  },
  {
    goal: "CPU per request with two workers: at most 1.1 times one worker's",
    values: ({ matrix = [] }) =>
      pairs(matrix).map(([one, two]) => ({ of: nameOf(one), value: two.figures.cpu / one.figures.cpu })),
    isReached: (ratio) => ratio <= 1.1,
  },
  {
    goal: 'p99 of what is cheap during a flood: under 10 ms',
    values: ({ flood = [] }) =>
      flood
        .filter(({ flood }) => flood !== '')
        .map(({ operation, flood, workers, p99 }) => ({
          of: `${operation}, ${flood}, ${workers} worker(s)`,
          value: p99,
        })),
    isReached: (p99) => p99 < 10,
  },
  {
    goal: 'CPU per request with the most keys: at most 1.1 times that with the fewest',
    values: ({ keys }) => {
      const counts = (keys?.rows ?? []).map((row) => row.keys);
      const least = (keys?.rows ?? []).filter((row) => row.keys === Math.min(...counts));
      return least.flatMap((few) => {
        const many = keys?.rows.find(
          (row) => row.keys === Math.max(...counts) && row.operation === few.operation && row.over === few.over,
        );
        if (many === undefined || many === few) return [];
        return [
          { of: `${few.operation} over ${few.over}, ${few.keys} to ${many.keys} keys`, value: many.cpu / few.cpu },
        ];
      });
    },
    isReached: (ratio) => ratio <= 1.1,
  },
  {
    goal: 'CPU per request of writing it down, buffered: at most 10 us',
    values: ({ audit = [] }) => {
      const [off, buffered] = ['off', 'buffered'].map((mode) => audit.find((each) => each.mode === mode));
      return off && buffered ? [{ of: 'Encrypt, one worker', value: buffered.cpu - off.cpu }] : [];
    },
    isReached: (microseconds) => microseconds <= 10,
  },
  {
    goal: 'requests/s with auditMode durable: at least half of those with buffered',
    values: ({ audit = [] }) => {
      const [buffered, durable] = ['buffered', 'durable'].map((mode) => audit.find((each) => each.mode === mode));
      if (!buffered || !durable) return [];
      const value = durable.requestsPerSecond / buffered.requestsPerSecond;
      return [{ of: `Encrypt, ${durable.clients} clients`, value }];
    },
    isReached: (ratio) => ratio >= 0.5,
  },
  {
    goal: `memory of a worker: grows less than ${mostPerMillion} MiB in a million requests`,
    values: ({ memory = [] }) =>
      memory.map(({ worker, workers, slope, requests }) => ({
        of: `worker ${worker} of ${workers}, ${requests.toLocaleString('en')} requests`,
        value: slope,
        tells: requests >= millionRequests,
      })),
    isReached: (slope) => slope < mostPerMillion,
  },
];

/** @param {Sections} sections @returns {Judgement[]} */
export function judge(sections) {
  return goals.flatMap(({ goal, values, isReached }) =>
    values(sections).map(({ of, value, tells = true }) => ({
      goal,
      of,
      value: Number(value.toFixed(3)),
      reached: tells ? isReached(value) : null,
    })),
  );
}

/** The same case with one worker and with two. @param {readonly Result[]} matrix */
function pairs(matrix) {
  return matrix
    .filter(({ workers }) => workers === 1)
    .flatMap((one) => {
      const two = matrix.find((other) => other.workers === 2 && nameOf(other) === nameOf(one));
      return two ? [/** @type {const} */ ([one, two])] : [];
    });
}

/** @param {Result} result */
function nameOf({ operation, keySpec, detail }) {
  return [operation, keySpec, detail].filter(Boolean).join(' ');
}
