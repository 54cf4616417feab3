import { collectDefaultMetrics, Registry } from 'prom-client';
import type { MetricSamples } from '../metrics/metrics.js';

/** What a sum or a mean over processes would hide. */
const aggregators: readonly [name: RegExp, aggregator: string][] = [
  [/^nodejs_eventloop_lag_/, 'max'],
  [/^process_max_fds$/, 'min'],
  // of no use over several processes
  [/^process_start_time_seconds$/, 'omit'],
];

/**
 * What prom-client knows of a process: processor time, memory, event loop lag, garbage collection.
 *
 * @param process what sort of process this is, as a label
 */
export function processMetrics(process: 'supervisor' | 'worker'): () => Promise<MetricSamples[]> {
  const register = new Registry();
  collectDefaultMetrics({ register, labels: { process } });
  return async () => {
    const metrics = (await register.getMetricsAsJSON()) as unknown as MetricSamples[];
    return metrics.map((metric) => {
      const [, aggregator = metric.aggregator] = aggregators.find(([name]) => name.test(metric.name)) ?? [];
      return { ...metric, aggregator };
    });
  };
}
