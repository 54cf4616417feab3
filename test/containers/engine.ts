import { execFile, execFileSync } from 'node:child_process';
import { promisify } from 'node:util';

/** What an engine is given to answer, in milliseconds. */
const answerMilliseconds = 60_000;
/** A build prints much. */
const maxBuffer = 64 * 1024 * 1024;

/** The client: another than the first on the PATH, where that one cannot build images (CI_DOCKER). */
export const dockerCommand = process.env.CI_DOCKER || 'docker';

const run = promisify(execFile);

let reason: string | undefined | null = null;

/**
 * Why no container can be run on this machine; undefined when one can. Said on stderr as well, once in each test file,
 * as a suite that is skipped is not one that passed.
 *
 * @example
 * const describeWithEngine = whyNoEngine() ? describe.skip : describe;
 */
export function whyNoEngine(): string | undefined {
  if (reason !== null) return reason;
  reason = findReason();
  if (reason) console.warn(`skipped, tests with containers: ${reason}`);
  return reason;
}

function findReason(): string | undefined {
  try {
    execFileSync(dockerCommand, ['version', '--format', '{{.Server.Version}}'], {
      stdio: ['ignore', 'pipe', 'pipe'],
      timeout: answerMilliseconds,
    });
    return undefined;
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: Buffer };
    if (code === 'ENOENT') return 'there is no docker command';
    return `no container engine answers: ${stderr?.toString().trim().split('\n').at(-1) || (error as Error).message}`;
  }
}

export interface Printed {
  /** 0 where all went well. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs the docker command to its end, however that ends. */
export async function tryDocker(...parameters: string[]): Promise<Printed> {
  try {
    return { code: 0, ...(await run(dockerCommand, parameters, { maxBuffer })) };
  } catch (error) {
    const { code, stdout = '', stderr = '' } = error as { code?: unknown; stdout?: string; stderr?: string };
    if (typeof code !== 'number') throw error;
    return { code, stdout, stderr };
  }
}

/** Runs the docker command. @returns what it printed on stdout, trimmed @throws Error with all that it printed */
export async function docker(...parameters: string[]): Promise<string> {
  const { code, stdout, stderr } = await tryDocker(...parameters);
  if (code !== 0) throw new Error(`docker ${parameters.join(' ')} ended with ${code}:\n${stdout}${stderr}`);
  return stdout.trim();
}
