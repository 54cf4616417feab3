import { join } from 'node:path';
import { ChildProcess } from './child-process.mjs';

/** Sessions that a worker of the service uses for signatures with RSA (the setting tokenSessions). */
const sessionsElsewhere = 8;
/** Threads of libuv that the service leaves for other things. */
const otherThreads = 4;

/**
 * @typedef {object} DirectFigures
 * @property {number} perSecond
 * @property {number} cpu microseconds per call
 */

/**
 * One measurement of a case. Times of CPU in microseconds, latencies in milliseconds.
 *
 * @typedef {object} Figures
 * @property {number} requestsPerSecond
 * @property {number} cpu of the service per request
 * @property {number} supervisorCpu its part in that
 * @property {number} generatorCpu of the load generator per request
 * @property {number} p50
 * @property {number} p99
 * @property {DirectFigures} [direct] called as the service calls: RSA signatures and key generation in other threads
 * @property {DirectFigures} [directSynchronous] called on the spot, where the service does not
 */

/** The processes that measure, around a running service. */
export class Measurement {
  /**
   * @param {import('./service.mjs').Service} service
   * @param {import('./options.mjs').Options} options
   */
  constructor(service, options) {
    this.service = service;
    this.options = options;
    /** @type {ChildProcess<import('./load-generator.mjs').LoadOrder, import('./load-generator.mjs').LoadReport>} */
    this.generator = new ChildProcess('./load-generator.mjs');
    /** @type {ChildProcess<import('./direct.mjs').DirectOrder, import('./direct.mjs').DirectReport>[]} */
    this.direct = Array.from(
      { length: options.workers },
      () =>
        new ChildProcess('./direct.mjs', {
          SOFTHSM2_CONF: join(service.dataDirectory, 'softhsm2.conf'),
          UV_THREADPOOL_SIZE: String(sessionsElsewhere + otherThreads),
        }),
    );
  }

  /**
   * First the service under load, then, while it is idle, the direct calls.
   *
   * @param {import('./cases.mjs').Case} each
   * @param {string} keyId
   * @param {Buffer[]} requests
   * @returns {Promise<{ figures: Figures, samples: import('./load-generator.mjs').LoadReport['samples'] }>}
   */
  async of(each, keyId, requests) {
    const load = await this.load(requests, this.options.seconds);
    /** @type {Figures} */
    const figures = {
      requestsPerSecond: load.answers / load.seconds,
      cpu: sum(load.cpu) / load.answers,
      supervisorCpu: (load.cpu[0] ?? 0) / load.answers,
      generatorCpu: load.ownCpu / load.answers,
      p50: load.p50,
      p99: load.p99,
    };
    if (each.direct?.elsewhere) {
      figures.direct = await this.directly(each.direct, keyId, sessionsElsewhere);
      figures.directSynchronous = await this.directly(each.direct, keyId, 1);
    } else if (each.direct) {
      figures.direct = await this.directly(each.direct, keyId, 1);
    }
    return { figures, samples: load.samples };
  }

  /**
   * Keeps the service busy.
   *
   * @param {Buffer[]} requests
   * @param {number} seconds
   */
  load(requests, seconds) {
    const { hostname, port } = new URL(this.service.endpoint);
    const { clients, warmUpSeconds } = this.options;
    const { pids } = this.service;
    return this.generator.ask({ host: hostname, port: Number(port), requests, clients, warmUpSeconds, seconds, pids });
  }

  /**
   * @param {import('./direct-calls.mjs').DirectCall} call
   * @param {string} keyId
   * @param {number} inFlight
   * @returns {Promise<DirectFigures>}
   */
  async directly(call, keyId, inFlight) {
    const { warmUpSeconds, seconds } = this.options;
    const { dataDirectory } = this.service;
    const reports = await Promise.all(
      this.direct.map((process) =>
        process.ask({ dataDirectory, keyId, call, inFlight, warmUpSeconds: warmUpSeconds / 2, seconds }),
      ),
    );
    return {
      perSecond: sum(reports.map(({ calls, seconds: elapsed }) => calls / elapsed)),
      cpu: sum(reports.map(({ cpu }) => cpu)) / sum(reports.map(({ calls }) => calls)),
    };
  }

  end() {
    for (const process of [this.generator, ...this.direct]) process.end();
  }
}

/** @param {readonly number[]} values */
function sum(values) {
  return values.reduce((total, value) => total + value, 0);
}
