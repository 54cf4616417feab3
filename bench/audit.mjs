import { caseNamed } from './cases.mjs';
import { bestOf } from './rounds.mjs';

/**
 * What writing every request down costs: CPU of the service in microseconds per request, latencies in milliseconds.
 *
 * @typedef {object} AuditCost
 * @property {string} mode of the setting auditMode
 * @property {number} clients
 * @property {number} requestsPerSecond
 * @property {number} cpu
 * @property {number} p50
 * @property {number} p99
 */

const modes = /** @type {const} */ (['off', 'buffered', 'durable']);
const measured = caseNamed('Encrypt SYMMETRIC_DEFAULT 32 bytes');
/** In turn, many and short, so that what else the machine does falls on all of them, and leaves each some good ones. */
const leastRounds = 15;
const mostSeconds = 0.4;
/** Services of each mode: two starts of one differ by as much as what is looked for, so what counts is their mean. */
const services = { off: 10, buffered: 10, durable: 3 };

/** @type {import('./parts.mjs').Part} */
export async function measureAudit({ options, keep, progress, start }) {
  const { clients, warmUpSeconds } = options;
  const seconds = Math.min(mostSeconds, options.seconds);
  /** @type {{ mode: string, service: import('./parts.mjs').ServiceUnderTest, rounds: Omit<AuditCost, 'mode' | 'clients'>[] }[]} */
  const measurements = [];
  for (let each = 0; each < Math.max(...Object.values(services)); each++) {
    for (const mode of modes.filter((mode) => each < services[mode])) {
      const service = await start(1, { HSM_KMS_AUDIT_MODE: mode });
      const { requests } = await service.requestsOf(measured);
      await service.warmUp(requests, options.firstRequests);
      measurements.push({ mode, service, rounds: [] });
    }
  }
  for (let round = 0; round < Math.max(leastRounds, options.rounds); round++) {
    for (const { service, rounds } of measurements) {
      const { requests } = await service.requestsOf(measured);
      const load = await service.load(requests, { clients, seconds, warmUpSeconds });
      const cpu = load.cpu.reduce((total, each) => total + each, 0) / load.answers;
      const { p50, p99 } = load;
      rounds.push({ requestsPerSecond: load.answers / load.seconds, cpu, p50, p99 });
    }
  }
  const results = keep(/** @type {AuditCost[]} */ ([]));
  for (const mode of modes) {
    const starts = measurements.filter((each) => each.mode === mode).map(({ rounds }) => bestOf(rounds));
    const cpu = starts.reduce((total, start) => total + start.cpu, 0) / starts.length;
    const cost = { mode, clients, ...bestOf(starts), cpu };
    results.push(cost);
    progress(`${mode.padEnd(8)} ${cost.requestsPerSecond.toFixed(0)} requests/s, CPU ${cost.cpu.toFixed(1)} us`);
  }
}
