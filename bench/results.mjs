/**
 * A case with what was measured of it: medians of all rounds.
 *
 * @typedef {object} Result
 * @property {string} operation
 * @property {string} detail
 * @property {string} keySpec
 * @property {number} workers
 * @property {number} clients
 * @property {import('./measurement.mjs').Figures} figures
 * @property {[least: number, most: number]} cpuRange of the service per request, over the rounds
 * @property {number} [ratio] CPU of the direct call / CPU of the service, of each round: what disturbs one disturbs the other
 * @property {number} [synchronousRatio] the same for the call on the spot
 */

/** @typedef {import('./measurement.mjs').Figures} Figures */

/**
 * @param {import('./cases.mjs').Case} each
 * @param {import('./options.mjs').Options} options
 * @param {readonly Figures[]} rounds
 * @returns {Result}
 */
export function resultOf({ operation, detail, keySpec }, { workers, clients }, rounds) {
  const of = (/** @type {(figures: Figures) => number} */ figure) => median(rounds.map(figure));
  const directOf = (/** @type {'direct' | 'directSynchronous'} */ name) =>
    rounds[0]?.[name] && {
      perSecond: of((figures) => figures[name]?.perSecond ?? Number.NaN),
      cpu: of((figures) => figures[name]?.cpu ?? Number.NaN),
    };
  const ratioTo = (/** @type {'direct' | 'directSynchronous'} */ name) =>
    of((figures) => (figures[name]?.cpu ?? Number.NaN) / figures.cpu);
  const direct = directOf('direct');
  const directSynchronous = directOf('directSynchronous');
  const all = rounds.map((figures) => figures.cpu);
  return {
    operation,
    detail,
    keySpec,
    workers,
    clients,
    figures: {
      requestsPerSecond: of((figures) => figures.requestsPerSecond),
      cpu: of((figures) => figures.cpu),
      supervisorCpu: of((figures) => figures.supervisorCpu),
      generatorCpu: of((figures) => figures.generatorCpu),
      p50: of((figures) => figures.p50),
      p99: of((figures) => figures.p99),
      ...(direct && { direct }),
      ...(directSynchronous && { directSynchronous }),
    },
    cpuRange: [Math.min(...all), Math.max(...all)],
    ...(direct && { ratio: ratioTo('direct') }),
    ...(directSynchronous && { synchronousRatio: ratioTo('directSynchronous') }),
  };
}

/** @param {readonly number[]} values */
function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/**
 * A goal of the project that a result can meet; a number for people, never an assertion of a test.
 *
 * @typedef {object} Goal
 * @property {string} text
 * @property {(result: Result) => boolean} concerns
 * @property {(result: Result) => number} value
 * @property {(value: number) => boolean} isMet
 */

/** @type {readonly Goal[]} */
const goals = [
  {
    text: 'Encrypt of 32 bytes: at most 160 us of service CPU per request',
    concerns: ({ operation, detail, workers }) => operation === 'Encrypt' && detail === '32 bytes' && workers === 1,
    value: ({ figures }) => figures.cpu,
    isMet: (cpu) => cpu <= 160,
  },
  {
    text: "RSA_2048 Sign: the direct call's CPU at least 0.85 of the service's per request",
    concerns: ({ operation, keySpec, workers }) => operation === 'Sign' && keySpec === 'RSA_2048' && workers === 1,
    value: ({ ratio = Number.NaN }) => ratio,
    isMet: (ratio) => ratio >= 0.85,
  },
];

/** @typedef {{ text: string, detail: string, value: number, met: boolean }} Judgement */

/**
 * @param {readonly Result[]} results
 * @returns {Judgement[]}
 */
export function judge(results) {
  return goals.flatMap(({ text, concerns, value, isMet }) =>
    results.filter(concerns).map((result) => {
      const reached = value(result);
      return { text, detail: result.detail, value: reached, met: isMet(reached) };
    }),
  );
}
