import { caseNamed } from './cases.mjs';
import { bestOf } from './rounds.mjs';

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
      /** @type {Map<number, Pick<ClientGrowth, 'requestsPerSecond' | 'cpu' | 'p50' | 'p99'>[]>} */
      const rounds = new Map(options.clientCounts.map((clients) => [clients, []]));
      const { requests } = await service.requestsOf(each);
      await service.load(requests, { clients: options.clients, seconds });
      for (let round = 0; round < options.rounds; round++) {
        for (const [clients, figures] of rounds) {
          const load = await service.load(requests, { clients, seconds, warmUpSeconds });
          const cpu = load.cpu.reduce((total, one) => total + one, 0) / load.answers;
          figures.push({ requestsPerSecond: load.answers / load.seconds, cpu, p50: load.p50, p99: load.p99 });
        }
      }
      for (const [clients, figures] of rounds) {
        const best = bestOf(figures);
        results.push({ operation: each.operation, keySpec: each.keySpec, workers: service.workers, clients, ...best });
        progress(
          `${each.operation} ${each.keySpec}, ${service.workers} worker(s), ${String(clients).padStart(2)} clients: ` +
            `${best.requestsPerSecond.toFixed(0).padStart(6)} requests/s, p99 ${best.p99.toFixed(1)} ms`,
        );
      }
    }
  }
}
