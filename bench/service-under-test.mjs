import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { CreateKeyCommand, KMSClient } from '@aws-sdk/client-kms';
import { ChildProcess } from './child-process.mjs';
import { cpuMicroseconds } from './process-cpu.mjs';
import { startService } from './service.mjs';
import { requestSigner } from './signed-requests.mjs';

/** Sessions that a worker of the service uses at once for signatures with RSA over SoftHSM2. @param {number} workers */
export const sessionsElsewhere = (workers) => Math.max(2, Math.ceil(availableParallelism() / workers));
/** Threads of libuv that the service leaves for other things. */
const otherThreads = 4;
const clientsThatFill = 4;
const clientsThatWarmUp = 16;
const quietSeconds = 0.2;
/** Clients that leave a worker no moment without requests, although they look for answers now and then only. */
const saturating = { clientsPerWorker: 64, lookMilliseconds: 2 };

/** @typedef {import('./load-generator.mjs').LoadOrder} LoadOrder */
/** @typedef {import('./load-generator.mjs').LoadReport} LoadReport */
/** @typedef {import('./direct.mjs').DirectOrder} DirectOrder */
/** @typedef {import('./direct.mjs').DirectReport} DirectReport */

/** A running service, what loads it, and what calls its token without it: as many processes as it has workers. */
export class ServiceUnderTest {
  /** @param {number} workers @param {NodeJS.ProcessEnv} [environment] more settings */
  static async start(workers, environment) {
    return new ServiceUnderTest(await startService(workers, environment));
  }

  /** @param {import('./service.mjs').Service} service */
  constructor(service) {
    this.service = service;
    this.workers = service.workers;
    this.kms = new KMSClient({ endpoint: service.endpoint, credentials: service.credentials, region: 'us-east-1' });
    /** A signature is good for five minutes. */
    this.sign = requestSigner(service);
    /** @type {Map<string, Promise<string>>} */
    this.keys = new Map();
    this.generator = this.newGenerator();
    /** @type {ChildProcess<DirectOrder, DirectReport>[]} */
    this.direct = [];
    /** @type {Promise<void> | undefined} */
    this.stopped = undefined;
  }

  /** @returns {ChildProcess<LoadOrder, LoadReport>} a load generator more, for loads at the same time */
  newGenerator() {
    return new ChildProcess('./load-generator.mjs');
  }

  /**
   * Keeps the service busy.
   *
   * @param {Buffer[]} requests
   * @param {Pick<LoadOrder, 'clients'> & Partial<LoadOrder>} order
   * @param {ChildProcess<LoadOrder, LoadReport>} [generator]
   */
  load(requests, order, generator = this.generator) {
    const { hostname, port } = new URL(this.service.endpoint);
    const { pids } = this.service;
    return generator.ask({
      host: hostname,
      port: Number(port),
      requests,
      warmUpSeconds: 0,
      seconds: 1,
      pids,
      ...order,
    });
  }

  /**
   * Gives the service as much as it can do, by clients that it does not have to wake: what it costs then is its own.
   *
   * @param {Buffer[]} requests
   * @param {Pick<LoadOrder, 'seconds' | 'warmUpSeconds'>} order
   * @returns CPU in microseconds per request
   */
  async saturate(requests, { seconds, warmUpSeconds }) {
    const { clientsPerWorker, lookMilliseconds } = saturating;
    const clients = clientsPerWorker * this.workers;
    const load = await this.load(requests, { clients, lookMilliseconds, seconds, warmUpSeconds });
    const { answers, cpu, ownCpu, samples } = load;
    return {
      requestsPerSecond: answers / load.seconds,
      cpu: cpu.reduce((total, each) => total + each, 0) / answers,
      supervisorCpu: (cpu[0] ?? 0) / answers,
      generatorCpu: ownCpu / answers,
      samples,
    };
  }

  /**
   * Most of the service's code is common to all operations, and V8 takes tens of thousands of requests to compile it.
   *
   * @param {Buffer[]} requests
   * @param {number} perWorker how many
   */
  async warmUp(requests, perWorker) {
    await this.load(requests, { clients: clientsThatWarmUp, answers: perWorker * this.workers });
  }

  /** The key of that description, made once for all that ask for it. @param {import('@aws-sdk/client-kms').CreateKeyCommandInput} key */
  keyOf(key) {
    const name = JSON.stringify(key);
    const keyId =
      this.keys.get(name) ??
      this.kms.send(new CreateKeyCommand(key)).then(({ KeyMetadata }) => KeyMetadata?.KeyId ?? '');
    this.keys.set(name, keyId);
    return keyId;
  }

  /** @param {string} operation @param {readonly object[]} inputs */
  async signAll(operation, inputs) {
    return Promise.all(inputs.map((input) => this.sign(operation, input)));
  }

  /**
   * A case's requests, signed now.
   *
   * @param {import('./cases.mjs').Case} each
   */
  async requestsOf(each) {
    const keyId = each.key ? await this.keyOf(each.key) : '';
    const { inputs, isRight } = await each.prepare({ kms: this.kms, keyId });
    return { keyId, isRight, requests: await this.signAll(each.operation, inputs) };
  }

  /**
   * Makes keys through the service.
   *
   * @param {import('@aws-sdk/client-kms').CreateKeyCommandInput} key
   * @param {number} count
   * @returns {Promise<string[]>} their ids
   */
  async createKeys(key, count) {
    if (count === 0) return [];
    const requests = await this.signAll('CreateKey', [key]);
    const clients = Math.min(clientsThatFill, count);
    const { samples } = await this.load(requests, { clients, answers: count, samples: count });
    return samples.map(({ body }) => JSON.parse(body).KeyMetadata.KeyId);
  }

  /**
   * Calls of the token without the service, by as many processes as it has workers.
   *
   * @param {Omit<DirectOrder, 'dataDirectory'>} order
   * @returns {Promise<DirectReport[]>}
   */
  async callDirectly(order) {
    const { dataDirectory } = this.service;
    const environment = {
      SOFTHSM2_CONF: join(dataDirectory, 'softhsm2.conf'),
      UV_THREADPOOL_SIZE: String(sessionsElsewhere(this.workers) + otherThreads),
    };
    while (this.direct.length < this.workers) {
      const process = new ChildProcess('./direct.mjs', environment);
      this.direct.push(process);
      // SoftHSM2 can overlook its token while another process logs in, so they do it one after the other
      await process.ask({ ...order, dataDirectory, warmUpSeconds: 0, seconds: 0 });
    }
    return Promise.all(this.direct.map((process) => process.ask({ ...order, dataDirectory })));
  }

  /**
   * What all requests until now were and took in the token, by the service's own metrics.
   *
   * @returns {Promise<{ requests: number, tokenMicroseconds: number }>}
   */
  async counted() {
    const text = await (await fetch(`${this.service.endpoint}/metrics`)).text();
    const sumOf = (/** @type {string} */ name) =>
      [...text.matchAll(new RegExp(`^${name}\\{.*\\} (.+)$`, 'gm'))].reduce((sum, [, value]) => sum + Number(value), 0);
    return {
      requests: sumOf('hsm_kms_requests_total'),
      tokenMicroseconds: sumOf('hsm_kms_token_call_duration_seconds_sum') * 1_000_000,
    };
  }

  /** Returns when the service has nothing to do any more: what was asked for before the connection closed goes on. */
  async untilIdle() {
    const used = () => this.service.pids.map(cpuMicroseconds).reduce((total, each) => total + each, 0);
    for (let before = used(); ; ) {
      await sleep(quietSeconds * 1000);
      const now = used();
      if (now - before < quietSeconds * 1_000_000 * 0.1) return;
      before = now;
    }
  }

  stop() {
    this.stopped ??= this.end();
    return this.stopped;
  }

  /** @private */
  async end() {
    for (const process of [this.generator, ...this.direct]) process.end();
    this.kms.destroy();
    await this.service.stop();
  }
}
