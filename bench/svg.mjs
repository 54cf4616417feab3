/* Charts as SVG: lines, and bars to the right. Their colours follow the reader's light or dark theme. */

const style = `
  text { font: 12px system-ui, sans-serif; fill: var(--text) }
  .title { font-size: 14px; font-weight: 600 }
  .quiet { fill: var(--quiet) }
  .ground { fill: var(--ground) }
  .rule { stroke: var(--rule); stroke-width: 1 }
  .limit { stroke: var(--limit); stroke-width: 1.5; stroke-dasharray: 5 4 }
  .line { fill: none; stroke-width: 2 }
  .dashed { stroke-dasharray: 4 3 }
  .c0 { --c: var(--c0) } .c1 { --c: var(--c1) } .c2 { --c: var(--c2) } .c3 { --c: var(--c3) }
  .line { stroke: var(--c) } .mark, .bar { fill: var(--c) }
  svg { --ground: #fff; --text: #1f2328; --quiet: #59636e; --rule: #d1d9e0; --limit: #cf222e;
        --c0: #0969da; --c1: #bc4c00; --c2: #1a7f37; --c3: #8250df }
  @media (prefers-color-scheme: dark) {
    svg { --ground: #0d1117; --text: #f0f6fc; --quiet: #9198a1; --rule: #3d444d; --limit: #f85149;
          --c0: #58a6ff; --c1: #f0883e; --c2: #3fb950; --c3: #bc8cff }
  }`;

/**
 * Where a value stands between two ends of an axis.
 *
 * @typedef {object} Axis
 * @property {string} label
 * @property {boolean} [logarithmic]
 * @property {number} [from] 0, or the power of ten below the least value
 */

/**
 * @typedef {object} Line
 * @property {string} name
 * @property {number} colour 0 to 3
 * @property {boolean} [dashed]
 * @property {readonly (readonly [x: number, y: number])[]} points
 */

const height = 350;
const panelWidth = 520;
const margin = { top: 40, right: 24, bottom: 56, left: 64 };
const legendLine = 18;

/**
 * Panels side by side, each with lines.
 *
 * @param {readonly { title: string, x: Axis, y: Axis, lines: readonly Line[], limit?: number }[]} panels
 */
export function lineCharts(panels) {
  const legendHeight = Math.max(...panels.map(({ lines }) => Math.ceil(lines.length / 2))) * legendLine;
  const drawn = panels.map((panel, index) => group(index * panelWidth, 0, linePanel(panel)));
  return documentOf(
    panels.map(({ title }) => title).join('; '),
    panels.length * panelWidth,
    height + legendHeight,
    drawn,
  );
}

/** @param {Parameters<typeof lineCharts>[0][number]} panel */
function linePanel({ title, x, y, lines, limit }) {
  const points = lines.flatMap((line) => line.points);
  const [right, bottom] = [panelWidth - margin.right, height - margin.bottom];
  const across = scale(x, [...new Set(points.map(([at]) => at))], margin.left, right);
  const up = scale(y, [...points.map(([, at]) => at), ...(limit === undefined ? [] : [limit])], bottom, margin.top);
  const xTicks = x.logarithmic ? [...new Set(points.map(([at]) => at))] : across.ticks;
  return [
    text(margin.left, 22, title, 'title'),
    ...up.ticks.map(
      (at) =>
        rule(margin.left, up.at(at), right, up.at(at)) +
        text(margin.left - 8, up.at(at) + 4, short(at), 'quiet', 'end'),
    ),
    ...xTicks.map((at) => text(across.at(at), bottom + 18, short(at), 'quiet', 'middle')),
    text((margin.left + right) / 2, bottom + 36, x.label, 'quiet', 'middle'),
    text(right, 22, y.label, 'quiet', 'end'),
    limit === undefined ? '' : rule(margin.left, up.at(limit), right, up.at(limit), 'limit'),
    ...lines.map(({ points: own, colour, dashed }) => {
      const path = own.map(([px, py]) => `${round(across.at(px))},${round(up.at(py))}`).join(' ');
      const marks =
        own.length > 20
          ? ''
          : own
              .map(([px, py]) => `<circle class="mark" cx="${round(across.at(px))}" cy="${round(up.at(py))}" r="3"/>`)
              .join('');
      return `<g class="c${colour}"><polyline class="line${dashed ? ' dashed' : ''}" points="${path}"/>${marks}</g>`;
    }),
    ...lines.map(({ name, colour, dashed }, index) => {
      const [left, top] = [margin.left + (index % 2) * 220, height + Math.floor(index / 2) * legendLine];
      return (
        `<g class="c${colour}"><line class="line${dashed ? ' dashed' : ''}" x1="${left}" y1="${top}" x2="${left + 26}" y2="${top}"/></g>` +
        text(left + 34, top + 4, name)
      );
    }),
  ];
}

const barHeight = 13;
const barLabels = 300;
const barWidth = 560;
const numberWidth = 70;

/**
 * Bars to the right, in groups.
 *
 * @param {object} chart
 * @param {string} chart.title
 * @param {Axis} chart.axis
 * @param {readonly string[]} chart.series names of the bars of each group
 * @param {readonly { label: string, values: readonly (number | undefined)[] }[]} chart.groups
 * @param {number} [chart.limit]
 * @param {number} [chart.digits] of the numbers beside the bars
 */
export function barChart({ title, axis, series, groups, limit, digits = 0 }) {
  const top = 62;
  const groupHeight = series.length * barHeight + 9;
  const bottom = top + groups.length * groupHeight;
  const values = groups.flatMap((each) => each.values.filter((value) => value !== undefined));
  const along = scale(axis, limit === undefined ? values : [...values, limit], barLabels, barLabels + barWidth);
  const parts = [
    text(16, 22, title, 'title'),
    ...series.map(
      (name, index) =>
        `<rect class="bar c${index}" x="${barLabels + index * 150}" y="34" width="10" height="10"/>` +
        text(barLabels + 16 + index * 150, 43, name),
    ),
    ...along.ticks.map(
      (at) =>
        rule(along.at(at), top - 6, along.at(at), bottom) +
        text(along.at(at), bottom + 16, short(at), 'quiet', 'middle'),
    ),
    text(barLabels + barWidth / 2, bottom + 36, axis.label, 'quiet', 'middle'),
    limit === undefined ? '' : rule(along.at(limit), top - 6, along.at(limit), bottom, 'limit'),
    ...groups.flatMap(({ label, values: own }, index) => {
      const y = top + index * groupHeight;
      return [
        text(barLabels - 10, y + (own.length * barHeight) / 2 + 4, label, '', 'end'),
        ...own.map((value, each) => {
          if (value === undefined) return '';
          const width = Math.max(1, along.at(value) - barLabels);
          const number = value.toLocaleString('en', { maximumFractionDigits: digits });
          return (
            `<rect class="bar c${each}" x="${barLabels}" y="${y + each * barHeight}" width="${round(width)}" height="${barHeight - 2}"/>` +
            text(barLabels + width + 5, y + each * barHeight + 10, number, 'quiet')
          );
        }),
      ];
    }),
  ];
  return documentOf(title, barLabels + barWidth + numberWidth, bottom + 48, parts);
}

/** @param {Axis} axis @param {readonly number[]} values @param {number} start @param {number} end pixels */
function scale({ logarithmic, from }, values, start, end) {
  const most = Math.max(...values);
  if (logarithmic) {
    const low = Math.log10(from ?? Math.min(...values));
    const high = Math.log10(most);
    const ticks = [];
    for (let power = Math.ceil(low); power <= high; power++) ticks.push(10 ** power);
    const span = high - low || 1;
    return { ticks, at: (/** @type {number} */ value) => start + ((Math.log10(value) - low) / span) * (end - start) };
  }
  const step = niceStep((most - (from ?? 0)) / 5);
  const top = Math.ceil(most / step) * step;
  const low = from ?? 0;
  const ticks = [];
  for (let at = low; at <= top + step / 2; at += step) ticks.push(at);
  return { ticks, at: (/** @type {number} */ value) => start + ((value - low) / (top - low || 1)) * (end - start) };
}

/** 1, 2 or 5 times a power of ten, at least `least`. @param {number} least */
function niceStep(least) {
  const power = 10 ** Math.floor(Math.log10(least || 1));
  return [1, 2, 5, 10].map((factor) => factor * power).find((step) => step >= least) ?? power;
}

/** @param {number} value */
function short(value) {
  if (value >= 1_000_000) return `${value / 1_000_000}M`;
  return value >= 10_000 ? `${value / 1000}k` : value.toLocaleString('en');
}

const round = (/** @type {number} */ value) => Number(value.toFixed(1));

/** @param {number} x1 @param {number} y1 @param {number} x2 @param {number} y2 @param {string} [kind] */
const rule = (x1, y1, x2, y2, kind = 'rule') =>
  `<line class="${kind}" x1="${round(x1)}" y1="${round(y1)}" x2="${round(x2)}" y2="${round(y2)}"/>`;

/** @param {number} x @param {number} y @param {string} words @param {string} [kind] @param {'start' | 'middle' | 'end'} [anchor] */
const text = (x, y, words, kind = '', anchor = 'start') =>
  `<text${kind && ` class="${kind}"`} x="${round(x)}" y="${round(y)}"${anchor === 'start' ? '' : ` text-anchor="${anchor}"`}>${escaped(words)}</text>`;

/** @param {number} x @param {number} y @param {readonly string[]} parts */
const group = (x, y, parts) => `<g transform="translate(${x} ${y})">\n${parts.filter(Boolean).join('\n')}\n</g>`;

const escaped = (/** @type {string} */ words) => words.replace(/&/g, '&amp;').replace(/</g, '&lt;');

/** @param {string} title @param {number} width @param {number} tall @param {readonly string[]} parts */
function documentOf(title, width, tall, parts) {
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${tall}" width="${width}" height="${tall}">
<title>${escaped(title)}</title>
<style>${style}
</style>
<rect class="ground" width="${width}" height="${tall}"/>
${parts.filter(Boolean).join('\n')}
</svg>
`;
}
