/** @typedef {import('./results.mjs').Result} Result */

/** @type {readonly { title: string, text: (result: Result) => string }[]} */
const columns = [
  { title: 'operation', text: ({ operation }) => operation },
  { title: 'key spec', text: ({ keySpec }) => keySpec },
  { title: 'detail', text: ({ detail }) => detail },
  { title: 'requests/s', text: ({ figures }) => whole(figures.requestsPerSecond) },
  { title: 'CPU us', text: ({ figures }) => whole(figures.cpu) },
  { title: 'least', text: ({ cpuRange }) => whole(cpuRange[0]) },
  { title: 'p50 ms', text: ({ figures }) => figures.p50.toFixed(2) },
  { title: 'p99 ms', text: ({ figures }) => figures.p99.toFixed(2) },
  { title: 'direct/s', text: ({ figures }) => whole(figures.direct?.perSecond) },
  { title: 'direct CPU us', text: ({ figures }) => whole(figures.direct?.cpu) },
  { title: 'ratio', text: ({ ratio }) => ratio?.toFixed(2) ?? '' },
  { title: 'sync/s', text: ({ figures }) => whole(figures.directSynchronous?.perSecond) },
  { title: 'sync CPU us', text: ({ figures }) => whole(figures.directSynchronous?.cpu) },
  { title: 'sync ratio', text: ({ synchronousRatio }) => synchronousRatio?.toFixed(2) ?? '' },
];
/** Columns of words, before those of numbers. */
const wordColumns = 3;

/** @param {number} [value] */
function whole(value) {
  if (value === undefined) return '';
  return value < 10 ? value.toFixed(1) : Math.round(value).toLocaleString('en');
}

/** @param {readonly Result[]} results @returns {string} a Markdown table that reads well as text too */
export function tableOf(results) {
  const rows = results.map((result) => columns.map(({ text }) => text(result)));
  const widths = columns.map(({ title }, column) =>
    Math.max(title.length, ...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (/** @type {readonly string[]} */ cells) =>
    `| ${cells.map((cell, column) => pad(cell, column, widths[column] ?? 0)).join(' | ')} |`;
  const rule = widths.map(
    (width, column) => '-'.repeat(width - (column < wordColumns ? 0 : 1)) + (column < wordColumns ? '' : ':'),
  );
  return [line(columns.map(({ title }) => title)), line(rule), ...rows.map(line)].join('\n');
}

/** @param {string} cell @param {number} column @param {number} width */
function pad(cell, column, width) {
  return column < wordColumns ? cell.padEnd(width) : cell.padStart(width);
}

/** @param {import('./results.mjs').Judgement[]} goals */
export function goalsText(goals) {
  return goals
    .map(({ text, detail, value, met }) => {
      const number = value < 10 ? value.toFixed(2) : value.toFixed(0);
      return `${met ? 'met    ' : 'NOT MET'}  ${text} (${detail}): ${number}`;
    })
    .join('\n');
}

/** What the columns mean, under the table. */
export const legend = `CPU us: user and system time of supervisor and workers per request, all threads; least: in the best round.
direct: the same PKCS#11 calls without the service, as the service makes them (RSA signatures in other threads, 8 under
way); sync: on the spot. ratio: CPU of the direct call / CPU of the service.`;
