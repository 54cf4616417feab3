import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { charts } from './charts.mjs';
import { circumstances, tables } from './report.mjs';

const fileOf = (/** @type {string} */ name) => fileURLToPath(new URL(`../docs/${name}`, import.meta.url));

/**
 * Draws the charts of a run and puts its tables into the page, between the marks `<!-- bench:NAME -->` and
 * `<!-- /bench -->`.
 *
 * @param {import('./run.mjs').Document} document
 * @returns {string[]} the files, from the repository's root
 */
export function writePage(document) {
  const written = [];
  mkdirSync(fileOf('bench'), { recursive: true });
  for (const [name, chart] of Object.entries(charts)) {
    const svg = chart(document);
    if (svg === undefined) continue;
    writeFileSync(fileOf(`bench/${name}.svg`), svg);
    written.push(`docs/bench/${name}.svg`);
  }
  const texts = { circumstances, ...tables };
  const page = readFileSync(fileOf('bench.md'), 'utf8').replace(
    /(<!-- bench:(\w+) -->\n).*?(<!-- \/bench -->)/gs,
    (_, begin, name, end) => {
      const text = texts[/** @type {keyof typeof texts} */ (name)]?.(document) ?? 'Not measured in this run.';
      return `${begin}\n${text}\n\n${end}`;
    },
  );
  writeFileSync(fileOf('bench.md'), page);
  return [...written, 'docs/bench.md'];
}
