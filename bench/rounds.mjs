/**
 * What several measurements of one thing say together: the best of each figure. What else a machine does makes a figure
 * worse and never better, so the best comes nearest to what the work itself takes.
 *
 * @template {string} Name
 * @param {readonly Readonly<Record<Name, number>>[]} rounds at least one
 * @returns {Record<Name, number>}
 */
export function bestOf(rounds) {
  const names = /** @type {Name[]} */ (Object.keys(rounds[0] ?? {}));
  return /** @type {Record<Name, number>} */ (
    Object.fromEntries(
      names.map((name) => {
        const best = /persecond$/i.test(name) ? Math.max : Math.min;
        return [name, best(...rounds.map((round) => round[name]))];
      }),
    )
  );
}

/** @param {readonly number[]} values */
export function median(values) {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}
