/** Long commands, run so that a person sees what is done and for how long; what they print goes to a log file. */
import { spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, statSync, writeSync } from 'node:fs';

const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
/** In the clone; git ignores it. */
export const logFile = 'set-up.log';
const linesShownOfFailure = 15;
/** Where nobody watches a terminal, a line each so many seconds tells that work goes on. */
const secondsBetweenLines = 20;

/**
 * @param what begins with a verb, as in "Installing npm packages"
 * @throws Error that shows the end of what the command printed
 */
export async function runWithProgress(what, command, args, { environment = {} } = {}) {
  const log = openSync(logFile, 'a');
  const logStart = statSync(logFile).size;
  writeSync(log, `\n== ${what}: ${[command, ...args].join(' ')}\n`);
  const progress = showProgress(what);
  const child = spawn(command, args, {
    stdio: ['ignore', log, log],
    env: { ...process.env, ...environment },
    // a group of its own: an interrupt must end what the command started as well, or it would go on writing
    detached: true,
  });
  const endGroup = (signal) => {
    try {
      process.kill(-child.pid, signal);
    } catch {
      // it has just ended
    }
  };
  const interrupt = () => {
    // npm takes its time to clear away; who is impatient asks twice
    for (const signal of signals) process.removeListener(signal, interrupt).on(signal, () => endGroup('SIGKILL'));
    progress.end('interrupted');
    endGroup('SIGTERM');
    child.once('close', () => {
      console.error('Run the same command again to go on.');
      process.exit(143);
    });
  };
  for (const signal of signals) process.on(signal, interrupt);
  const failure = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : `it ended with ${signal ?? code}`));
  });
  for (const signal of signals) process.removeListener(signal, interrupt);
  closeSync(log);
  if (failure === undefined) return progress.end('done');
  progress.end('failed');
  const lines = readFileSync(logFile).subarray(logStart).toString().trimEnd().split('\n');
  throw new Error(
    `${lines.slice(-linesShownOfFailure).join('\n')}\n\n${what} failed: ${failure}. All it printed is in ${logFile}; run the same command again to go on.`,
  );
}

/** One line that counts seconds on a terminal; elsewhere a line now and then. */
function showProgress(what) {
  const start = Date.now();
  const seconds = () => `${Math.round((Date.now() - start) / 1000)} s`;
  const onTerminal = process.stdout.isTTY;
  const write = onTerminal
    ? (state) => process.stdout.write(`\r${what} ... ${state}\u001b[K`)
    : (state) => console.log(`${what} ... ${state}`.trimEnd());
  write('');
  const timer = setInterval(() => write(seconds()), onTerminal ? 1000 : secondsBetweenLines * 1000);
  return {
    end(how) {
      clearInterval(timer);
      write(`${how}, ${seconds()}${onTerminal ? '\n' : ''}`);
    },
  };
}
