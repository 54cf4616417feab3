import { AggregatorRegistry } from 'prom-client';
import type { MetricSamples, Metrics } from '../metrics/metrics.js';
import { watchProcess } from './process-metrics.js';
import type { ToWorker } from './worker-messages.js';

/** A worker that counts. */
export interface CountingWorker {
  send(message: ToWorker): void;
}

/** How long is waited for what workers have counted, in milliseconds. */
const patienceMilliseconds = 1_000;
/** How old an inventory may be, in milliseconds. */
const inventoryMilliseconds = 60_000;

type Samples = readonly MetricSamples[];

/**
 * Puts together, in the supervisor, what all workers have counted. Counters and histograms of workers that have ended
 * stay in the sums, as they were last told: a sum that went down would look like a restart, and all of it like new.
 */
export class FleetMetrics {
  /** What each worker said last: it stands for one that does not answer. */
  private readonly lastOf = new Map<CountingWorker, Samples>();
  /** Of workers that have ended; folded into one at the next question. */
  private readonly ended: Samples[] = [];
  private inventory: Samples = [];
  private inventoryAt = Number.NEGATIVE_INFINITY;
  /** Who has not answered the question that is asked at the moment. */
  private readonly missing = new Set<CountingWorker>();
  private notAnswering = 0;
  private allAnswered: () => void = () => {};
  private underWay: Promise<string> | undefined;

  /**
   * @param own what the supervisor counts itself
   * @param workers those that can be asked
   */
  constructor(
    private readonly own: Metrics,
    private readonly workers: () => readonly CountingWorker[],
  ) {
    watchProcess(own, 'supervisor');
    own.collect((families) => {
      families.workersNotAnswering.at().value = this.notAnswering;
    });
  }

  /** Everything in Prometheus' text format, within a second and a bit. Who asks meanwhile is told the same. */
  text(): Promise<string> {
    this.underWay ??= this.gather().finally(() => {
      this.underWay = undefined;
    });
    return this.underWay;
  }

  /** A worker says what it has counted. @param inventory where it was asked for one */
  hear(worker: CountingWorker, samples: Samples, inventory: Samples | undefined): void {
    this.lastOf.set(worker, samples);
    if (inventory) {
      this.inventory = inventory;
      this.inventoryAt = performance.now();
    }
    this.settle(worker);
  }

  /** A worker has ended. */
  forget(worker: CountingWorker): void {
    const last = this.lastOf.get(worker);
    this.lastOf.delete(worker);
    if (last) this.ended.push(last.filter(({ type }) => type !== 'gauge'));
    this.settle(worker);
  }

  private settle(worker: CountingWorker): void {
    if (this.missing.delete(worker) && this.missing.size === 0) this.allAnswered();
  }

  private async gather(): Promise<string> {
    const workers = this.workers();
    if (workers.length > 0) {
      for (const worker of workers) this.missing.add(worker);
      await new Promise<void>((resolve) => {
        const late = setTimeout(resolve, patienceMilliseconds);
        this.allAnswered = () => {
          clearTimeout(late);
          resolve();
        };
        this.ask(workers);
      });
    }
    this.notAnswering = this.missing.size;
    this.missing.clear();
    const ended = await sumOf(this.ended.splice(0)).getMetricsAsJSON();
    this.ended.push(ended as unknown as Samples);
    return sumOf([this.own.samples(), this.inventory, ...this.ended, ...this.lastOf.values()]).metrics();
  }

  /** One of them makes an inventory, too, when the last is old. */
  private ask(workers: readonly CountingWorker[]): void {
    const isOld = performance.now() - this.inventoryAt > inventoryMilliseconds;
    for (const [index, worker] of workers.entries()) worker.send({ kind: 'count', inventory: isOld && index === 0 });
  }
}

function sumOf(samples: readonly Samples[]) {
  return AggregatorRegistry.aggregate([...samples] as object[]);
}
