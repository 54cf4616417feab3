import { bestOf } from './rounds.mjs';

/**
 * What an Encrypt costs one worker, each of two, and each of two services that share nothing but the machine: what two
 * processes cost each other here whatever they do. CPU in microseconds per Encrypt.
 *
 * @typedef {object} ProcessesCost
 * @property {string} arrangement
 * @property {number} requestsPerSecond of all together
 * @property {number} cpu
 */

const Plaintext = Buffer.alloc(32, 7);
/** Workers of each service. */
const arrangements = [
  { arrangement: 'one worker', workers: [1] },
  { arrangement: 'two workers of one service', workers: [2] },
  { arrangement: 'two services of one worker', workers: [1, 1] },
];

/**
 * Each round has services of its own, as no two starts of a process are equally fast.
 *
 * @type {import('./parts.mjs').Part}
 */
export async function measureProcesses({ options, keep, progress, start }) {
  const { seconds, warmUpSeconds } = options;
  const rounds = arrangements.map(() => /** @type {Omit<ProcessesCost, 'arrangement'>[]} */ ([]));
  for (let round = 0; round < options.rounds; round++) {
    /** @type {import('./parts.mjs').ServiceUnderTest[][]} */
    const started = [];
    for (const { workers } of arrangements) {
      const services = [];
      for (const each of workers) services.push(await start(each));
      for (const service of services) await service.warmUp(await encryptions(service), options.firstRequests);
      started.push(services);
    }
    for (const [index, services] of started.entries()) {
      /** @type {Buffer[][]} */
      const requests = [];
      for (const service of services) requests.push(await encryptions(service));
      const order = { seconds, warmUpSeconds };
      const loads = await Promise.all(services.map((service, which) => service.saturate(requests[which] ?? [], order)));
      const requestsPerSecond = sum(loads.map((load) => load.requestsPerSecond));
      const cpuPerSecond = sum(loads.map((load) => load.cpu * load.requestsPerSecond));
      rounds[index]?.push({ requestsPerSecond, cpu: cpuPerSecond / requestsPerSecond });
    }
    for (const service of started.flat()) await service.stop();
  }
  const results = keep(/** @type {ProcessesCost[]} */ ([]));
  for (const [index, { arrangement }] of arrangements.entries()) {
    const best = bestOf(rounds[index] ?? []);
    results.push({ arrangement, ...best });
    progress(`Encrypt, ${arrangement}: ${best.cpu.toFixed(0)} us CPU`);
  }
}

/** Of one key of the service's. @param {import('./service-under-test.mjs').ServiceUnderTest} service */
async function encryptions(service) {
  const KeyId = await service.keyOf({ KeySpec: 'SYMMETRIC_DEFAULT' });
  return service.signAll('Encrypt', [{ KeyId, Plaintext }]);
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
