import { readFileSync } from 'node:fs';
import { expect, test } from '@jest/globals';
import { metricTable } from '../../src/metrics/table.js';

const page = readFileSync(new URL('../../docs/observability.md', import.meta.url), 'utf8');

test('docs/observability.md has the table of metrics as it is', () => {
  const rows = Object.values(metricTable).map(({ name, type, labels, help }) => {
    const columns = [`\`${name}\``, type, labels.map((label) => `\`${label}\``).join(', '), help];
    return `| ${columns.join(' | ')} |`;
  });
  expect(page.split('\n').filter((line) => /^\| `(hsm_kms|process|nodejs)_/.test(line))).toEqual(rows);
});

test('names are as Prometheus has them: a unit at the end, and _total for what is counted', () => {
  for (const { name, type } of Object.values(metricTable)) {
    expect(name).toMatch(/^(hsm_kms|process|nodejs)_[a-z0-9_]+$/);
    expect([name, name.endsWith('_total')]).toEqual([name, type === 'counter']);
    if (type === 'histogram') expect(name).toMatch(/_seconds$/);
  }
});
