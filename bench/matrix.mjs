import { cases, nameOf } from './cases.mjs';
import { resultOf } from './results.mjs';
import { sessionsElsewhere } from './service-under-test.mjs';

/**
 * @typedef {object} DirectFigures
 * @property {number} perSecond
 * @property {number} cpu microseconds per call
 */

/**
 * One measurement of a case. Times of CPU in microseconds, latencies in milliseconds.
 *
 * @typedef {object} Figures
 * @property {number} requestsPerSecond by clients that the service does not have to wake
 * @property {number} cpu of the service per request
 * @property {number} supervisorCpu its part in that
 * @property {number} generatorCpu of the load generator per request
 * @property {number} wakingCpu of the service per request, where it has to wake its clients, as in what follows
 * @property {number} p50
 * @property {number} p99
 * @property {DirectFigures} [direct] called as the service calls: RSA signatures and key generation in other threads
 * @property {DirectFigures} [directSynchronous] called on the spot, where the service does not
 */

/**
 * Every operation with every number of workers; these run side by side, and one of them works at a time: what is
 * compared is measured within seconds in each round. Each round has services of its own, as no two starts of a process
 * are equally fast.
 *
 * @type {import('./parts.mjs').Part}
 */
export async function measureMatrix({ options, keep, progress, start }) {
  const chosen = cases.filter((each) => options.operations.test(nameOf(each)));
  if (chosen.length === 0) throw new Error('--operations matches none of the cases');
  /** @type {import('./results.mjs').Result[]} */
  const results = keep([]);
  /** By case and service. @type {Figures[][][]} */
  const rounds = chosen.map(() => options.workers.map(() => []));
  // minutes lie between two rounds of a case: a machine can be slow for one
  for (let round = 1; round <= options.rounds; round++) {
    progress(`${round}/${options.rounds} services that have seen every operation`);
    /** @type {import('./service-under-test.mjs').ServiceUnderTest[]} */
    const services = [];
    for (const workers of options.workers) services.push(await seasoned(await start(workers), chosen, options));
    for (const [index, each] of chosen.entries()) {
      for (const [which, service] of services.entries()) {
        const figures = await figuresOf(service, each, options);
        const ofCase = rounds[index]?.[which] ?? [];
        ofCase.push(figures);
        const { workers } = service;
        results[index * services.length + which] = resultOf(each, { workers, clients: options.clients }, ofCase);
        progress(
          `${round}/${options.rounds} ${String(index + 1).padStart(2)}/${chosen.length}  ${nameOf(each).padEnd(58)} ` +
            `${workers} worker(s) ${figures.requestsPerSecond.toFixed(0).padStart(6)} requests/s ` +
            `${figures.cpu.toFixed(0).padStart(6)} us CPU`,
        );
      }
    }
    for (const service of services) await service.stop();
  }
}

/**
 * A service as one is that has run for a while: what V8 makes of code that all operations share depends on them all.
 *
 * @param {import('./service-under-test.mjs').ServiceUnderTest} service
 * @param {readonly import('./cases.mjs').Case[]} operations
 * @param {import('./options.mjs').Options} options
 */
async function seasoned(service, operations, { clients, firstRequests, warmUpSeconds }) {
  const [first] = operations;
  if (first) await service.warmUp((await service.requestsOf(first)).requests, firstRequests);
  for (const each of operations) {
    await service.load((await service.requestsOf(each)).requests, { clients, seconds: warmUpSeconds });
  }
  return service;
}

/**
 * First the service under load, then, while it is idle, the direct calls.
 *
 * @param {import('./service-under-test.mjs').ServiceUnderTest} service
 * @param {import('./cases.mjs').Case} each
 * @param {import('./options.mjs').Options} options
 * @returns {Promise<Figures>}
 */
async function figuresOf(service, each, { clients, seconds, warmUpSeconds }) {
  const { keyId, isRight, requests } = await service.requestsOf(each);
  const { samples, ...saturated } = await service.saturate(requests, { seconds, warmUpSeconds });
  const load = await service.load(requests, { clients, seconds: seconds / 2, warmUpSeconds: warmUpSeconds / 2 });
  for (const { body, index } of [...samples, ...load.samples]) {
    if (!(await isRight(JSON.parse(body), index))) throw new Error(`${nameOf(each)}: a wrong answer`);
  }
  const directly = async (/** @type {number} */ inFlight) => {
    const call = /** @type {import('./direct-calls.mjs').DirectCall} */ (each.direct);
    const reports = await service.callDirectly({ keyId, call, inFlight, warmUpSeconds: warmUpSeconds / 2, seconds });
    return {
      perSecond: sum(reports.map((report) => report.calls / report.seconds)),
      cpu: sum(reports.map(({ cpu }) => cpu)) / sum(reports.map(({ calls }) => calls)),
    };
  };
  return {
    ...saturated,
    wakingCpu: sum(load.cpu) / load.answers,
    p50: load.p50,
    p99: load.p99,
    ...(each.direct && { direct: await directly(each.direct.elsewhere ? sessionsElsewhere(service.workers) : 1) }),
    ...(each.direct?.elsewhere && { directSynchronous: await directly(1) }),
  };
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
