import { setTimeout as wait } from 'node:timers/promises';
import { expect } from '@jest/globals';
import { type Answer, send } from './http.js';
import type { Service } from './service.js';
import { patience } from './within.js';

/** What Prometheus would read. */
export class ReadMetrics {
  /** Metric -> type. */
  readonly types = new Map<string, string>();
  private readonly samples: {
    readonly name: string;
    readonly labels: Record<string, string>;
    readonly value: number;
  }[] = [];

  /** @param text in Prometheus' text format; a line that is not is an error */
  constructor(readonly text: string) {
    for (const line of text.split('\n')) {
      if (line === '' || line.startsWith('# HELP ')) continue;
      const [, described, type = ''] = /^# TYPE (\w+) (counter|gauge|histogram)$/.exec(line) ?? [];
      if (described) this.types.set(described, type);
      else this.samples.push(parsed(line));
    }
  }

  /** Names of all samples and metrics: of a histogram also _bucket, _sum and _count. */
  get names(): Set<string> {
    const ofHistograms = [...this.types].flatMap(([name, type]) =>
      type === 'histogram' ? ['_bucket', '_sum', '_count'].map((part) => name + part) : [],
    );
    return new Set([...this.types.keys(), ...ofHistograms]);
  }

  /** Values of a label. */
  labelValues(label: string): Set<string> {
    return new Set(this.samples.flatMap(({ labels }) => labels[label] ?? []));
  }

  /** Sum of all samples of a metric that have these labels; undefined when there is none. */
  sum(name: string, labels: Readonly<Record<string, string>> = {}): number | undefined {
    const found = this.samples.filter(
      (sample) =>
        sample.name === name && Object.entries(labels).every(([label, value]) => sample.labels[label] === value),
    );
    return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
  }
}

function parsed(line: string) {
  const [, name, labelText = '', value] = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line) ?? [];
  if (name === undefined || Number.isNaN(Number(value))) throw new Error(`this is no line of metrics: ${line}`);
  const labels = Object.fromEntries(
    [...labelText.matchAll(/(\w+)="([^"]*)"/g)].map(([, label, each]) => [label, each]),
  );
  return { name, labels: labels as Record<string, string>, value: Number(value) };
}

/** GET /metrics, on a connection of its own. */
export function getMetrics(service: Service, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return send(service, { method: 'GET', path: '/metrics', headers });
}

/** What all workers have counted. */
export function readMetrics(service: Service): Promise<ReadMetrics> {
  return metricsOnce(service, () => true);
}

/** What is read when something holds, or after a long time; of workers that have all answered. */
export async function metricsOnce(service: Service, holds: (metrics: ReadMetrics) => boolean): Promise<ReadMetrics> {
  for (const end = Date.now() + patience; ; await wait(50)) {
    const { status, headers, body } = await getMetrics(service);
    expect([status, body.slice(0, 200)]).toEqual([200, expect.any(String)]);
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    const metrics = new ReadMetrics(body);
    const isWhole = metrics.sum('hsm_kms_workers_not_answering') === 0;
    if ((isWhole && holds(metrics)) || Date.now() > end) return metrics;
  }
}
