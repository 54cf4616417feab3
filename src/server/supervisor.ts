import cluster, { type Worker } from 'node:cluster';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { servesTls } from '../config/listener.js';
import type { Settings } from '../config/settings.js';
import { dataDirectory } from './data-directory.js';
import { claimDataDirectory } from './data-directory-use.js';
import { type FromWorker, settingsVariable, type ToWorker } from './worker-messages.js';

/** Waits before a worker that ended is replaced, in milliseconds: longer when workers keep ending. */
const restartDelays = [100, 500, 2_000, 10_000] as const;
/** A worker that lived that long is not one that keeps ending, in milliseconds. */
const stableMilliseconds = 60_000;
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
    let restarts = 0;

    const launch = () => {
      const worker = cluster.fork({
        UV_THREADPOOL_SIZE: String(settings.tokenSessions + otherThreads),
        [settingsVariable]: JSON.stringify({ ...settings, port }),
      });
      const launchedAt = Date.now();
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'failed') {
          failure = message.message;
          return;
        }
        listening.add(worker);
        port = message.port;
        if (!announced && listening.size === settings.workers) {
          announced = true;
          ready(message);
        }
      });
      worker.on('exit', (code, signal) => {
        listening.delete(worker);
        if (stopping) return endWhenAllHave();
        if (!announced) return giveUp(failure ?? `a worker ended at its start (${signal ?? code})`);
        if (Date.now() - launchedAt > stableMilliseconds) restarts = 0;
        const delay = restartDelays[Math.min(restarts, restartDelays.length - 1)];
        restarts += 1;
        log.error({ worker: worker.process.pid, code, signal, failure, delay }, 'a worker ended and is replaced');
        setTimeout(() => stopping || launch(), delay);
      });
    };

    const workers = () => Object.values(cluster.workers ?? {}).filter((worker) => worker !== undefined);
    const endWhenAllHave = () => {
      if (workers().every((worker) => worker.isDead())) failure === undefined ? resolve() : reject(new Error(failure));
    };
    const stop = () => {
      if (stopping) return;
      stopping = true;
      for (const worker of workers()) worker.send({ kind: 'stop' } satisfies ToWorker);
      endWhenAllHave();
      const hanging = setTimeout(() => {
        for (const worker of workers()) worker.process.kill('SIGKILL');
      }, settings.drainMilliseconds + 2_000);
      hanging.unref();
    };
    const giveUp = (message: string) => {
      failure = message;
      stopping = true;
      for (const worker of workers()) worker.process.kill('SIGKILL');
      endWhenAllHave();
    };

    const renew = () => {
      for (const worker of workers()) {
        if (worker.isConnected()) worker.send({ kind: 'renew TLS' } satisfies ToWorker);
      }
    };

    // without TLS there is nothing to read again, and the terminal is gone
    process.on('SIGHUP', servesTls(settings) ? renew : stop);
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    for (let each = 0; each < settings.workers; each++) launch();
  });
}
