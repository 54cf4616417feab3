import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { servesTls } from '../config/listener.js';
import type { Settings } from '../config/settings.js';
import { PinRefusedError } from '../token/pin-refused-error.js';
import { dataDirectory } from './data-directory.js';
import { claimDataDirectory } from './data-directory-use.js';
import { givePin, pinAnnouncement } from './environment-pin.js';
import { serviceManager } from './service-manager.js';
import { type FromWorker, settingsVariable, type ToWorker } from './worker-messages.js';

/** Waits before a worker that ended is replaced, in milliseconds: longer when workers keep ending. */
const restartDelays = [100, 500, 2_000, 10_000] as const;
/** A worker that lived that long is not one that keeps ending, in milliseconds. */
const stableMilliseconds = 60_000;
/** A wrong PIN is not tried often: tokens lock themselves after some times, in milliseconds. */
const refusedPinDelay = 600_000;
const answering = 'answering requests';
/** Threads of libuv that are not for the token: files, names. */
const otherThreads = 4;

/**
 * Runs the workers and replaces those that end; loads no PKCS#11 module itself, so that a module that crashes takes a
 * worker with it and not the service.
 *
 * @param ready is called when all workers listen
 * @returns when SIGTERM or SIGINT has stopped everything
 * @throws Error that says what to do, when a worker cannot start the first time or another service is at work
 */
export async function supervise(
  settings: Settings,
  ready: (address: { host: string; port: number }) => void,
): Promise<void> {
  const claim = claimDataDirectory(dataDirectory(settings));
  try {
    if (settings.requestQuotas.length > 0) (await import('./request-counters.js')).countForWorkers();
    await superviseWorkers(settings, ready);
  } finally {
    claim?.release();
  }
}

function superviseWorkers(settings: Settings, ready: (address: { host: string; port: number }) => void): Promise<void> {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  cluster.setupPrimary({ exec: fileURLToPath(new URL('./worker-main.js', import.meta.url)) });
  cluster.schedulingPolicy = cluster.SCHED_RR;

  return new Promise((resolve, reject) => {
    const listening = new Set<Worker>();
    let announced = false;
    // port 0 takes a free one; who replaces a worker takes the same
    let { port } = settings;
    let stopping = false;
    let failure: string | undefined;
    let failureCode: number | undefined;
    let restarts = 0;
    const manager = serviceManager(log);
    const replacements = new Set<NodeJS.Timeout>();

    const launch = () => {
      const worker = cluster.fork({
        UV_THREADPOOL_SIZE: String(settings.tokenSessions + otherThreads),
        [settingsVariable]: JSON.stringify({ ...settings, port }),
        ...pinAnnouncement(),
      });
      givePin(worker);
      const launchedAt = Date.now();
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'failed') {
          failure = message.message;
          return;
        }
        // workers ask it to count requests, too
        if (message.kind !== 'listening') return;
        if (announced) failure = undefined;
        // what is sent before a worker listens to its parent is lost
        if (stopping) worker.send({ kind: 'stop' } satisfies ToWorker);
        listening.add(worker);
        port = message.port;
        if (!announced && listening.size === settings.workers) {
          announced = true;
          ready(message);
          manager.ready(answering);
        }
      });
      worker.on('error', (error) => {
        // what was written to a worker that has just ended is lost; its exit follows
        if (worker.process.pid === undefined) throw error;
      });
      worker.on('exit', (code, signal) => {
        listening.delete(worker);
        if (stopping) return endWhenAllHave();
        if (!announced) return giveUp(failure ?? `a worker ended at its start (${signal ?? code})`, code);
        if (Date.now() - launchedAt > stableMilliseconds) restarts = 0;
        const usualDelay = restartDelays[Math.min(restarts, restartDelays.length - 1)];
        const delay = code === PinRefusedError.exitCode ? refusedPinDelay : usualDelay;
        restarts += 1;
        log.error({ worker: worker.process.pid, code, signal, failure, delay }, 'a worker ended and is replaced');
        const replacement = setTimeout(() => {
          replacements.delete(replacement);
          launch();
        }, delay);
        replacements.add(replacement);
      });
    };

    const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const endWhenAllHave = () => {
      if (workers().every((worker) => worker.isDead()))
        failure === undefined ? resolve() : reject(Object.assign(new Error(failure), { exitCode: failureCode }));
    };
    const stop = () => {
      if (stopping) return;
      stopping = true;
      manager.stopping();
      for (const replacement of replacements) clearTimeout(replacement);
      for (const worker of workers()) worker.send({ kind: 'stop' } satisfies ToWorker);
      endWhenAllHave();
      const hanging = setTimeout(() => {
        for (const worker of workers()) worker.process.kill('SIGKILL');
      }, settings.drainMilliseconds + 2_000);
      hanging.unref();
    };
    const giveUp = (message: string, code: number | null) => {
      if (!stopping) [failure, failureCode] = [message, code ?? 1];
      stopping = true;
      for (const worker of workers()) worker.process.kill('SIGKILL');
      endWhenAllHave();
    };

    const renew = () => {
      if (!announced) return;
      manager.reloading();
      for (const worker of workers()) {
        if (worker.isConnected()) worker.send({ kind: 'renew TLS' } satisfies ToWorker);
      }
      manager.ready(answering);
    };

    // without TLS there is nothing to read again: a terminal is gone. systemctl reload is no stop all the same
    process.on('SIGHUP', servesTls(settings) || process.env.NOTIFY_SOCKET ? renew : stop);
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    for (let each = 0; each < settings.workers; each++) launch();
  });
}
