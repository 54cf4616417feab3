import { expect, test } from '@jest/globals';
import { Cells, Durations, Histograms } from '../../src/metrics/families.js';
import { Metrics } from '../../src/metrics/metrics.js';

test('cells are kept by their labels', () => {
  const cells = new Cells('requests', ['operation', 'result']);
  cells.at('Encrypt', 'ok').value += 2;
  cells.at('Encrypt', 'ok').value += 1;
  // not the same as the other two, run together
  cells.at('Encryp', 'tok').value += 5;
  expect(cells.samples()).toEqual([
    { labels: { operation: 'Encrypt', result: 'ok' }, value: 3 },
    { labels: { operation: 'Encryp', result: 'tok' }, value: 5 },
  ]);
  cells.clear();
  expect(cells.samples()).toEqual([]);
});

test('a cell without labels has none', () => {
  const cells = new Cells('grants', []);
  cells.at().value = 7;
  expect(cells.samples()).toEqual([{ labels: {}, value: 7 }]);
});

test.each([
  [0, [1, 0, 0]],
  [0.1, [1, 0, 0]],
  [0.1000001, [0, 1, 0]],
  [1, [0, 1, 0]],
  [1.1, [0, 0, 1]],
])('%d s is in the bucket of the first bound that is not less', (seconds, counts) => {
  const durations = new Durations([0.1, 1]);
  durations.observe(seconds);
  expect(durations.counts).toEqual(counts);
  expect(durations.sum).toBe(seconds);
});

test('a histogram counts up, as Prometheus has it', () => {
  const histograms = new Histograms('seconds', ['kind'], [0.1, 1]);
  for (const seconds of [0.05, 0.5, 0.5, 5]) histograms.at('read').observe(seconds);
  expect(histograms.samples()).toEqual([
    { metricName: 'seconds_bucket', labels: { le: 0.1, kind: 'read' }, value: 1 },
    { metricName: 'seconds_bucket', labels: { le: 1, kind: 'read' }, value: 3 },
    { metricName: 'seconds_bucket', labels: { le: '+Inf', kind: 'read' }, value: 4 },
    { metricName: 'seconds_sum', labels: { kind: 'read' }, value: 6.05 },
    { metricName: 'seconds_count', labels: { kind: 'read' }, value: 4 },
  ]);
});

test('gauges are what collectors say at the moment, counters stay', () => {
  const metrics = new Metrics();
  metrics.families.quotaRefusals.at().value += 1;
  const end = metrics.collect((families) => {
    families.tokenReachable.at('own').value = 1;
  });
  const values = (name: string) => metrics.samples().find((each) => each.name === name)?.values;
  expect(values('hsm_kms_token_reachable')).toEqual([{ labels: { token: 'own' }, value: 1 }]);
  end();
  expect(values('hsm_kms_token_reachable')).toEqual([]);
  expect(values('hsm_kms_quota_refusals_total')).toEqual([{ labels: {}, value: 1 }]);
});
