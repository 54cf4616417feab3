import cluster from 'node:cluster';
import type { Socket } from 'node:net';
import type { Settings } from '../config/settings.js';
import { deferBackgroundThreads } from './background-threads.js';
import { takePin } from './environment-pin.js';
import { MetricsQuestion } from './metrics-question.js';
import { startWorker, type Worker } from './worker.js';
import { assignmentVariable, type FromWorker, heartbeatMilliseconds, type ToWorker } from './worker-messages.js';

/** What a worker is started for. */
export interface WorkerAssignment {
  readonly settings: Settings;
  /** True when the service has been running already: then what is missing, a token above all, is waited for. */
  readonly replaces: boolean;
}

/** How long requests under way and connections without any may last when the supervisor is gone, in milliseconds. */
const idleWithoutSupervisor = 100;

function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    if (process.connected) process.send?.(message, undefined, undefined, () => resolve());
    else resolve();
  });
}

/** The entry point of a worker process. */
export async function runWorker(): Promise<void> {
  // else node:cluster ends the process when its supervisor is gone, whatever it has under way
  if (cluster.worker) cluster.worker.exitedAfterDisconnect = true;
  const { settings, replaces } = JSON.parse(process.env[assignmentVariable] ?? '') as WorkerAssignment;
  let worker: Worker | undefined;
  const question = new MetricsQuestion(tell);
  const tellHead = async (id: number) => tell({ kind: 'audit head', id, head: await worker?.auditHead() });
  const sign = async ({ id, checkpoint }: Extract<ToWorker, { kind: 'sign checkpoint' }>) => {
    try {
      const line = await worker?.sign(checkpoint);
      await tell({ kind: 'checkpoint', id, ...(line !== undefined && { line }) });
    } catch (error) {
      await tell({ kind: 'checkpoint', id, failure: (error as Error).message });
    }
  };
  const count = async (inventory: boolean) => {
    if (worker) await tell({ kind: 'counted', ...(await worker.counted(inventory)) });
  };
  let leave: () => void = () => {};
  const toldToLeave = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const stop = async (idleMilliseconds: number, signs = false) => {
    await worker?.stop(idleMilliseconds, async (head) => {
      if (head) await tell({ kind: 'audit head', id: 0, head });
      if (!signs) return;
      await tell({ kind: 'drained' });
      await toldToLeave;
    });
    // what nobody has asked for yet would be lost
    await count(false);
    process.exit(0);
  };
  process.on('message', (message: ToWorker, socket: Socket | undefined) => {
    if (message.kind === 'connection') {
      // undefined when its client has gone away meanwhile
      if (socket) worker?.take(socket);
      void tell({ kind: 'took', id: message.id });
    } else if (message.kind === 'count') void count(message.inventory);
    else if (message.kind === 'metrics') question.answer(message.id, message.text);
    else if (message.kind === 'stop') void stop(message.idleMilliseconds, message.signs);
    else if (message.kind === 'leave') leave();
    else if (message.kind === 'audit head') void tellHead(message.id);
    else if (message.kind === 'sign checkpoint') void sign(message);
    else if (message.kind === 'renew TLS') worker?.renewTls();
    else if (message.kind === 'spare connections') worker?.spare(message.count);
  });
  // the supervisor is gone: nobody would replace or stop this worker
  process.on('disconnect', () => {
    leave();
    void stop(idleWithoutSupervisor);
  });
  // a terminal sends its signals to the whole group; the supervisor decides what they mean
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  const tellAlive = () =>
    tell({ kind: 'alive', connections: worker?.connections ?? 0, residentBytes: process.memoryUsage.rss() });
  setInterval(() => void tellAlive(), heartbeatMilliseconds).unref();
  try {
    await deferBackgroundThreads(Number(process.env.UV_THREADPOOL_SIZE));
    await takePin();
    worker = startWorker(settings, {
      replaces,
      waiting: () => void tell({ kind: 'waiting' }),
      stuck: () => void tell({ kind: 'replace me' }),
      streamBegan: (stream) => void tell({ kind: 'audit stream', stream }),
      metricsText: () => question.ask(),
    });
    await worker.ready;
    await tell({ kind: 'ready' });
  } catch (error) {
    await tell({ kind: 'failed', message: (error as Error).message });
    process.exit((error as { exitCode?: number }).exitCode ?? 1);
  }
}
