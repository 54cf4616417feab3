import { readdirSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { Metrics } from '../metrics/metrics.js';

/** How exactly the event loop is watched, in milliseconds; a timer of libuv's, which runs no JavaScript. */
const resolution = 20;

/**
 * Tells how this process is. What prom-client tells by itself would observe each garbage collection, which costs
 * requests several per cent.
 */
export function watchProcess(metrics: Metrics, sort: 'supervisor' | 'worker'): void {
  const delay = monitorEventLoopDelay({ resolution });
  delay.enable();
  metrics.collect((families) => {
    const { user, system } = process.cpuUsage();
    families.processorTime.at(sort).value = (user + system) / 1e6;
    const { rss, heapUsed } = process.memoryUsage();
    families.residentMemory.at(sort).value = rss;
    families.heapUsed.at(sort).value = heapUsed;
    families.openFiles.at(sort).value = openFiles();
    // since it was last asked for; of a timer that is never early
    const lag = (nanoseconds: number) => Math.max(0, nanoseconds / 1e9 - resolution / 1e3);
    families.eventLoopLag.at(sort).value = lag(delay.percentile(99));
    families.longestLag.at(sort).value = lag(delay.max);
    delay.reset();
  });
}

/** 0 where the system does not tell. */
function openFiles(): number {
  try {
    return readdirSync('/proc/self/fd').length;
  } catch {
    return 0;
  }
}
