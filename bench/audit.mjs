import { caseNamed } from './cases.mjs';
import { bestOf } from './rounds.mjs';

/**
 * What writing every request down costs: CPU of the service in microseconds per request; what clients see that it has to
 * wake, latencies in milliseconds.
 *
 * @typedef {object} AuditCost
 * @property {string} mode of the setting auditMode
 * @property {number} cpu
 * @property {number} clients
 * @property {number} requestsPerSecond
 * @property {number} p50
 * @property {number} p99
 */

const modes = /** @type {const} */ (['off', 'buffered', 'durable']);
const measured = caseNamed('Encrypt SYMMETRIC_DEFAULT 32 bytes');
/** Starts of a service in each mode: two starts of one differ by as much as what is looked for, so what counts is the mean. */
const starts = 5;
/** In turn and short, so that what else the machine does falls on all of them, and leaves each some good ones. */
const leastRounds = 12;
const mostSeconds = 0.4;

/** @type {import('./parts.mjs').Part} */
export async function measureAudit({ options, keep, progress, start }) {
  const seconds = Math.min(mostSeconds, options.seconds);
  /** @type {Record<typeof modes[number], Omit<AuditCost, 'mode' | 'clients'>[]>} */
  const ofStarts = { off: [], buffered: [], durable: [] };
  for (let each = 1; each <= starts; each++) {
    const services = [];
    for (const mode of modes) {
      const service = await start(1, { HSM_KMS_AUDIT_MODE: mode });
      await service.warmUp((await service.requestsOf(measured)).requests, options.firstRequests);
      services.push({ mode, service, rounds: /** @type {Omit<AuditCost, 'mode' | 'clients'>[]} */ ([]) });
    }
    for (let round = 0; round < Math.max(leastRounds, options.rounds); round++) {
      for (const { service, rounds } of round % 2 === 0 ? services : services.toReversed()) {
        rounds.push(await figuresOf(service, { ...options, seconds }));
      }
    }
    for (const { mode, service, rounds } of services) {
      ofStarts[mode].push(bestOf(rounds));
      await service.stop();
    }
    progress(
      `${each}/${starts}: ${modes.map((mode) => `${mode} ${ofStarts[mode].at(-1)?.cpu.toFixed(1)}`).join(', ')} us CPU`,
    );
  }
  const results = keep(/** @type {AuditCost[]} */ ([]));
  for (const mode of modes) {
    const all = ofStarts[mode];
    const cpu = all.reduce((total, start) => total + start.cpu, 0) / all.length;
    const cost = { mode, clients: options.clients, ...bestOf(all), cpu };
    results.push(cost);
    progress(`${mode.padEnd(8)} ${cost.requestsPerSecond.toFixed(0)} requests/s, CPU ${cost.cpu.toFixed(1)} us`);
  }
}

/**
 * @param {import('./service-under-test.mjs').ServiceUnderTest} service
 * @param {import('./options.mjs').Options} options
 */
async function figuresOf(service, { clients, seconds, warmUpSeconds }) {
  const { requests } = await service.requestsOf(measured);
  const { cpu } = await service.saturate(requests, { seconds, warmUpSeconds });
  const { answers, p50, p99, ...load } = await service.load(requests, {
    clients,
    seconds: seconds / 2,
    warmUpSeconds: warmUpSeconds / 2,
  });
  return { cpu, requestsPerSecond: answers / load.seconds, p50, p99 };
}
