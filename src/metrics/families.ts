/** One number that goes up, or up and down. */
export interface Cell {
  value: number;
}

/** A number with its labels, in the form in which prom-client takes numbers of other processes. */
export interface Sample {
  readonly value: number;
  readonly labels: Readonly<Record<string, string | number>>;
  /** Of a histogram: which of its numbers it is. */
  readonly metricName?: string;
}

/** One value for each label, in the order of their names. */
export type LabelValues<L extends readonly string[]> = { readonly [I in keyof L]: string };

const separator = '\0';

/** Everything that has the same labels by name, each made when it is first asked for. */
abstract class Family<L extends readonly string[], T> {
  protected readonly children = new Map<string, T>();

  constructor(
    readonly name: string,
    readonly labels: L,
  ) {}

  /** That of these label values; who is in a hurry keeps it. */
  at(...values: LabelValues<L>): T {
    const key = values.length === 1 ? (values[0] as string) : values.join(separator);
    const known = this.children.get(key);
    if (known) return known;
    const child = this.newChild();
    this.children.set(key, child);
    return child;
  }

  abstract samples(): Sample[];
  protected abstract newChild(): T;

  protected labelled(): [labels: Record<string, string>, child: T][] {
    return [...this.children].map(([key, child]) => {
      const values = key.split(separator);
      return [Object.fromEntries(this.labels.map((label, index) => [label, values[index] ?? ''])), child];
    });
  }
}

/** Counters or gauges. */
export class Cells<const L extends readonly string[]> extends Family<L, Cell> {
  samples(): Sample[] {
    return this.labelled().map(([labels, { value }]) => ({ labels, value }));
  }

  /** Forgets all: what is only true at the moment is said anew each time. */
  clear(): void {
    this.children.clear();
  }

  protected newChild(): Cell {
    return { value: 0 };
  }
}

/** How often something took how long. */
export class Durations {
  /** Of each bucket alone; the last holds what is longer than all bounds. */
  readonly counts: number[];
  sum = 0;

  /** @param bounds upper ends of the buckets, in seconds, ascending */
  constructor(private readonly bounds: readonly number[]) {
    this.counts = new Array(bounds.length + 1).fill(0);
  }

  observe(seconds: number): void {
    const { bounds, counts } = this;
    let bucket = 0;
    while (bucket < bounds.length && seconds > (bounds[bucket] as number)) bucket += 1;
    counts[bucket] = (counts[bucket] as number) + 1;
    this.sum += seconds;
  }
}

/** Histograms. */
export class Histograms<const L extends readonly string[]> extends Family<L, Durations> {
  /** @param bounds upper ends of the buckets, in seconds, ascending */
  constructor(
    name: string,
    labels: L,
    private readonly bounds: readonly number[],
  ) {
    super(name, labels);
  }

  samples(): Sample[] {
    return this.labelled().flatMap(([labels, { counts, sum }]) => {
      let upToHere = 0;
      const buckets = counts.map((count, index) => {
        upToHere += count;
        const le = this.bounds[index] ?? '+Inf';
        return { metricName: `${this.name}_bucket`, labels: { le, ...labels }, value: upToHere };
      });
      return [
        ...buckets,
        { metricName: `${this.name}_sum`, labels, value: sum },
        { metricName: `${this.name}_count`, labels, value: upToHere },
      ];
    });
  }

  protected newChild(): Durations {
    return new Durations(this.bounds);
  }
}
