import type { Settings } from '../config/settings.js';
import { takePin } from './environment-pin.js';
import { startWorker, type Worker } from './worker.js';
import { type FromWorker, settingsVariable, type ToWorker } from './worker-messages.js';

function tell(message: FromWorker): Promise<void> {
  return new Promise((resolve) => {
    process.send?.(message, undefined, undefined, () => resolve());
  });
}

/** The entry point of a worker process. */
export async function runWorker(): Promise<void> {
  let worker: Worker | undefined;
  const stop = async () => {
    await worker?.stop();
    process.exit(0);
  };
  process.on('message', ({ kind }: ToWorker) => {
    if (kind === 'stop') void stop();
    if (kind === 'renew TLS') worker?.renewTls();
  });
  // the supervisor is gone: nobody would replace or stop this worker
  process.on('disconnect', () => void stop());
  // a terminal sends its signals to the whole group; the supervisor decides what they mean
  process.on('SIGINT', () => {});
  process.on('SIGTERM', () => {});
  process.on('SIGHUP', () => {});
  try {
    await takePin();
    worker = await startWorker(JSON.parse(process.env[settingsVariable] ?? '') as Settings);
    await tell({ kind: 'listening', ...worker.address });
  } catch (error) {
    await tell({ kind: 'failed', message: (error as Error).message });
    process.exit((error as { exitCode?: number }).exitCode ?? 1);
  }
}
