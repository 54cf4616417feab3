import { bestOf } from './rounds.mjs';

/**
 * A case with what was measured of it: the best of all rounds.
 *
 * @typedef {object} Result
 * @property {string} operation
 * @property {string} detail
 * @property {string} keySpec
 * @property {number} workers
 * @property {number} clients
 * @property {import('./matrix.mjs').Figures} figures
 * @property {[least: number, most: number]} cpuRange of the service per request, over the rounds
 * @property {number} [ratio] CPU of the direct call / CPU of the service
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
  const all = rounds.map((figures) => figures.cpu);
  const { direct, directSynchronous, ...own } = bestFigures(rounds);
  return {
    ...{ operation, detail, keySpec, workers, clients },
    figures: { ...own, ...(direct && { direct }), ...(directSynchronous && { directSynchronous }) },
    cpuRange: [Math.min(...all), Math.max(...all)],
    ...(direct && { ratio: direct.cpu / own.cpu }),
    ...(directSynchronous && { synchronousRatio: directSynchronous.cpu / own.cpu }),
  };
}

/** @param {readonly Figures[]} rounds @returns {Figures} */
function bestFigures(rounds) {
  const directly = (/** @type {'direct' | 'directSynchronous'} */ name) => {
    const calls = rounds.flatMap((figures) => figures[name] ?? []);
    return calls.length === 0 ? {} : { [name]: bestOf(calls) };
  };
  const own = rounds.map(({ direct: _, directSynchronous: __, ...figures }) => figures);
  return { ...bestOf(own), ...directly('direct'), ...directly('directSynchronous') };
}
