import type { Logger } from 'pino';
import type { Families } from '../metrics/metrics.js';
import type { Leases } from '../store/leases.js';

/** Work that is to be done now and then, by one worker only. */
export interface ScheduledTask {
  readonly name: string;
  /** Asked first, as it only reads: a lease is written to the store. */
  readonly isDue: () => Promise<boolean>;
  /** Does what is due. @returns what was done, for the log */
  readonly run: () => Promise<readonly string[]>;
}

/** Longer than a task takes; a worker that died loses its leases after it, in milliseconds. */
export const leaseMilliseconds = 60_000;

/**
 * Runs the tasks again and again, each under its lease.
 *
 * @param interval between two rounds, in milliseconds
 * @returns a function that stops it and waits for the round that is under way
 */
export function schedule(
  tasks: readonly ScheduledTask[],
  leases: Leases,
  interval: number,
  log: Logger,
  { taskRuns, taskItems }: Pick<Families, 'taskRuns' | 'taskItems'>,
): () => Promise<void> {
  // made now: a counter that appears with its first increment hides that from rate()
  for (const { name } of tasks) for (const result of ['done', 'failed', 'leased']) taskRuns.at(name, result);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;
  let round: Promise<void> = Promise.resolve();

  const runAll = async () => {
    for (const task of tasks) {
      if (stopped) return;
      try {
        await runOne(task);
      } catch (error) {
        taskRuns.at(task.name, 'failed').value += 1;
        log.error({ task: task.name, err: error }, 'a scheduled task failed; it is tried again');
      }
    }
  };
  const runOne = async ({ name, isDue, run }: ScheduledTask) => {
    if (!(await isDue())) return;
    if (!(await leases.take(name, leaseMilliseconds))) {
      taskRuns.at(name, 'leased').value += 1;
      return;
    }
    const done = await run();
    taskRuns.at(name, 'done').value += 1;
    taskItems.at(name).value += done.length;
    if (done.length > 0) log.info({ task: name, done }, 'a scheduled task has done what was due');
  };
  const next = () => {
    timer = setTimeout(() => {
      round = runAll().finally(() => stopped || next());
    }, interval);
  };
  next();
  return async () => {
    stopped = true;
    clearTimeout(timer);
    await round;
  };
}
