/**
 * A case with what was measured of it: medians of all rounds.
 *
 * @typedef {object} Result
 * @property {string} operation
 * @property {string} detail
 * @property {string} keySpec
 * @property {number} workers
 * @property {number} clients
 * @property {import('./matrix.mjs').Figures} figures
 * @property {[least: number, most: number]} cpuRange of the service per request, over the rounds
 * @property {number} [ratio] CPU of the direct call / CPU of the service, of each round: what disturbs one disturbs the other
 * @property {number} [synchronousRatio] the same for the call on the spot
 */

/** @typedef {import('./matrix.mjs').Figures} Figures */

/**
 * @param {import('./cases.mjs').Case} each
 * @param {{ workers: number, clients: number }} load
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
