import { version } from '../config/version.js';
import type { Recorder } from '../http/tracing.js';
import { type Inventory, takeInventory } from '../keys/inventory.js';
import type { Families } from '../metrics/metrics.js';
import { type MetricSamples, Metrics } from '../metrics/metrics.js';
import type { RequestQuotas } from '../operations/request-quotas.js';
import type { Store } from '../store/store.js';
import type { QueryKind } from '../store/store-meter.js';
import { watchProcess } from './process-metrics.js';

/** What a worker says when it is asked what it has counted. */
export interface Counted {
  readonly samples: readonly MetricSamples[];
  /** Where it was asked for, and the store answers. */
  readonly inventory?: readonly MetricSamples[] | undefined;
}

/** How long an inventory may hold the answer up, in milliseconds. */
const inventoryMilliseconds = 500;
const queryKinds: readonly QueryKind[] = ['read', 'change', 'transaction'];

/** Everything that a worker counts. */
export class WorkerMetrics {
  readonly metrics = new Metrics();
  private store: Store | undefined;

  constructor() {
    watchProcess(this.metrics, 'worker');
    this.metrics.collect((families) => {
      families.buildInfo.at(version).value = 1;
    });
  }

  /** Counts what a store does from now on. @param record has it shown in traces */
  watchStore(store: Store, record?: Recorder): void {
    this.store = store;
    const { families } = this.metrics;
    const durations = new Map(queryKinds.map((kind) => [kind, families.storeQueryDuration.at(kind)]));
    for (const kind of queryKinds) families.storeErrors.at(kind);
    store.meter = {
      queried(kind, milliseconds, failed) {
        durations.get(kind)?.observe(milliseconds / 1000);
        if (failed) families.storeErrors.at(kind).value += 1;
        record?.(`store ${kind}`, milliseconds, {}, failed ? 'QueryError' : undefined);
      },
    };
    this.metrics.collect(({ cacheLookups }) => {
      for (const [cache, { hits, misses }] of store.cacheUses) {
        cacheLookups.at(cache, 'hit').value = hits;
        cacheLookups.at(cache, 'miss').value = misses;
      }
    });
  }

  /** Counts what is throttled. */
  watchQuotas(quotas: RequestQuotas | undefined): void {
    this.metrics.collect(({ quotaRefusals }) => {
      quotaRefusals.at().value = quotas?.refusals ?? 0;
    });
  }

  /** @param withInventory whether keys, grants ... are to be counted, too */
  async counted(withInventory: boolean): Promise<Counted> {
    const inventory = withInventory ? await this.inventory() : undefined;
    return { samples: this.metrics.samples(), inventory };
  }

  /** Undefined while the store does not answer. */
  private async inventory(): Promise<MetricSamples[] | undefined> {
    const { store } = this;
    if (store === undefined) return undefined;
    const taken = takeInventory(store, new Date()).catch(() => undefined);
    const late = new Promise<undefined>((resolve) => setTimeout(resolve, inventoryMilliseconds, undefined).unref());
    const inventory = await Promise.race([taken, late]);
    if (inventory === undefined) return undefined;
    const metrics = new Metrics();
    metrics.collect((families) => publish(inventory, families));
    return metrics.samples().filter(({ values }) => values.length > 0);
  }
}

function publish(inventory: Inventory, families: Families): void {
  for (const [state, count] of inventory.keys) families.keys.at(state).value = count;
  for (const [state, count] of inventory.keyStores) families.keyStores.at(state).value = count;
  families.deletionsOverdue.at().value = inventory.deletionsOverdue;
  families.rotationsDue.at().value = inventory.rotationsDue;
  families.materialExpiring.at().value = inventory.materialExpiring;
  families.grants.at().value = inventory.grants;
  families.aliases.at().value = inventory.aliases;
  families.inventoryTaken.at().value = inventory.takenAt.getTime() / 1000;
}
