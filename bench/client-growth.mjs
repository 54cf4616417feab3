import { caseNamed } from './cases.mjs';

/**
 * What an operation does with that many clients: CPU in microseconds per request, latencies in milliseconds.
 *
 * @typedef {object} ClientGrowth
 * @property {string} operation
 * @property {string} keySpec
 * @property {number} workers
 * @property {number} clients
 * @property {number} requestsPerSecond
 * @property {number} cpu
 * @property {number} p50
 * @property {number} p99
 */

/** One that is done on the spot, one that is done in other threads. */
const measured = ['Encrypt SYMMETRIC_DEFAULT 32 bytes', 'Sign RSA_2048 RSASSA_PSS_SHA_256'].map(caseNamed);

/** @type {import('./parts.mjs').Part} */
export async function measureClientGrowth({ options, keep, progress, warmed }) {
  const { seconds, warmUpSeconds } = options;
  const services = [];
  for (const workers of options.workers) services.push(await warmed(workers));
  /** @type {ClientGrowth[]} */
  const results = keep([]);
  for (const each of measured) {
    for (const service of services) {
      const { requests } = await service.requestsOf(each);
      await service.load(requests, { clients: options.clients, seconds });
      for (const clients of options.clientCounts) {
        const load = await service.load(requests, { clients, seconds, warmUpSeconds });
        results.push({
          operation: each.operation,
          keySpec: each.keySpec,
          workers: service.workers,
          clients,
          requestsPerSecond: load.answers / load.seconds,
          cpu: load.cpu.reduce((total, cpu) => total + cpu, 0) / load.answers,
          p50: load.p50,
          p99: load.p99,
        });
        progress(
          `${each.operation} ${each.keySpec}, ${service.workers} worker(s), ${String(clients).padStart(2)} clients: ` +
            `${(load.answers / load.seconds).toFixed(0).padStart(6)} requests/s, p99 ${load.p99.toFixed(1)} ms`,
        );
      }
    }
  }
}
