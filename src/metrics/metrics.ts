import { Cells, Histograms, type Sample } from './families.js';
import { type MetricName, metricTable } from './table.js';

/** A metric with its numbers at one moment, in the form in which prom-client takes those of other processes. */
export interface MetricSamples {
  readonly name: string;
  readonly help: string;
  readonly type: string;
  readonly aggregator: string;
  readonly values: readonly Sample[];
}

/** Upper ends of the buckets, in seconds: from what a token on this machine takes to what one behind a network does. */
const bounds = [
  0.00005, 0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
] as const;

type Table = typeof metricTable;
type FamilyOf<N extends MetricName> = Table[N]['type'] extends 'histogram'
  ? Histograms<Table[N]['labels']>
  : Cells<Table[N]['labels']>;
export type Families = { readonly [N in MetricName]: FamilyOf<N> };

/** What one process counts. It costs those who count a lookup and an addition. */
export class Metrics {
  readonly families = Object.fromEntries(
    Object.entries(metricTable).map(([key, { name, type, labels }]) => [
      key,
      type === 'histogram' ? new Histograms(name, labels, bounds) : new Cells(name, labels),
    ]),
  ) as unknown as Families;
  private readonly collectors = new Set<(families: Families) => void>();

  /** Has what is true at the moment set whenever it is asked for. @returns a function that ends that */
  collect(collector: (families: Families) => void): () => void {
    this.collectors.add(collector);
    return () => this.collectors.delete(collector);
  }

  /** All numbers, but for metrics that this process has none of. */
  samples(): MetricSamples[] {
    const rows = Object.entries(metricTable) as [MetricName, { type: string; help: string; aggregator?: string }][];
    for (const [key, { type }] of rows) {
      if (type === 'gauge') (this.families[key] as Cells<readonly string[]>).clear();
    }
    for (const collector of this.collectors) collector(this.families);
    return rows.map(([key, { type, help, aggregator = 'sum' }]) => {
      const family = this.families[key];
      return { name: family.name, help, type, aggregator, values: family.samples() };
    });
  }
}
