import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { givePin, pinAnnouncement } from '../server/environment-pin.js';
import { settingsFlags } from './settings-options.js';

/**
 * Runs `hsm-kms init` with the same settings to its end, in a process of its own: this process will supervise, and a
 * supervisor loads no PKCS#11 module.
 *
 * @param options of the command that is being run
 * @returns false when it failed and has said why, or was stopped; the process' exit code is set
 */
export async function initialiseFirst(options: Readonly<Record<string, unknown>>): Promise<boolean> {
  const main = fileURLToPath(new URL('../cli/main.js', import.meta.url));
  const child = spawn(process.execPath, [main, 'init', ...settingsFlags(options)], {
    env: { ...process.env, ...pinAnnouncement() },
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  givePin(child);
  let stopped = false;
  const stop = () => {
    stopped = true;
    child.kill();
  };
  process.on('SIGTERM', stop).on('SIGINT', stop);
  const [code] = (await once(child, 'exit')) as [number | null];
  process.removeListener('SIGTERM', stop).removeListener('SIGINT', stop);
  if (stopped) return false;
  if (code !== 0) process.exitCode = code ?? 1;
  return code === 0;
}
