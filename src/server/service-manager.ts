import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { Logger } from 'pino';

const run = promisify(execFile);
/** A service manager that takes no message may be busy, but not for that long, in milliseconds. */
const patience = 5_000;

/** Tells the service manager that started the supervisor how the service is; nobody, where there is none. */
export interface ServiceManager {
  ready(status: string): void;
  reloading(): void;
  stopping(): void;
}

/**
 * systemd, where it waits to be told (Type=notify, NOTIFY_SOCKET). Node has no sockets of its kind, so that
 * systemd-notify speaks: the unit needs NotifyAccess=all.
 *
 * @see sd_notify(3), systemd-notify(1)
 */
export function serviceManager(log: Logger): ServiceManager {
  if (!process.env.NOTIFY_SOCKET) return { ready() {}, reloading() {}, stopping() {} };
  let told: Promise<unknown> = Promise.resolve();
  let failed = false;
  // one after another: RELOADING must not overtake READY
  const tell = (...states: string[]) => {
    told = told
      .then(() => run('systemd-notify', states, { timeout: patience }))
      .catch((error) => {
        if (!failed) log.warn({ err: error }, 'systemd-notify does not work: systemd is not told how the service is');
        failed = true;
      });
  };
  return {
    ready: (status) => tell('READY=1', `STATUS=${status}`),
    reloading: () => tell('RELOADING=1'),
    stopping: () => tell('STOPPING=1', 'STATUS=finishing what is under way'),
  };
}
