/**
 * @template R
 * @typedef {object} Column
 * @property {string} title
 * @property {(row: R) => string | number | undefined} value a number is written by `digits`, text as it is
 * @property {number} [digits] behind the point; none by default, and fewer for large numbers
 */

/**
 * A Markdown table that reads well as text too: words to the left, numbers to the right.
 *
 * @template R
 * @param {readonly Column<R>[]} columns
 * @param {readonly R[]} rows
 */
export function tableOf(columns, rows) {
  const isNumeric = columns.map(({ value }) => rows.some((row) => typeof value(row) === 'number'));
  const cells = rows.map((row) => columns.map(({ value, digits }) => textOf(value(row), digits)));
  const widths = columns.map(({ title }, column) =>
    Math.max(title.length, ...cells.map((row) => row[column]?.length ?? 0)),
  );
  const line = (/** @type {readonly string[]} */ texts) =>
    `| ${texts.map((text, column) => (isNumeric[column] ? text.padStart(widths[column] ?? 0) : text.padEnd(widths[column] ?? 0))).join(' | ')} |`;
  const rule = widths.map((width, column) => (isNumeric[column] ? `${'-'.repeat(width - 1)}:` : '-'.repeat(width)));
  return [line(columns.map(({ title }) => title)), line(rule), ...cells.map(line)].join('\n');
}

/** @param {string | number | undefined} value @param {number} [digits] */
function textOf(value, digits = 0) {
  if (value === undefined || Number.isNaN(value)) return '';
  if (typeof value === 'string') return value;
  return value.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}
