import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';
import { mainModule } from './built-service.js';
import { serviceEnvironment, serviceNode } from './service.js';

export interface DoctorFinding {
  readonly check: string;
  readonly severity: 'ok' | 'warning' | 'error';
  readonly what: string;
  readonly toDo?: string;
  readonly done?: readonly string[];
}

export interface Diagnosis {
  readonly code: number | null;
  readonly verdict: string;
  readonly findings: readonly DoctorFinding[];
  /** Those that are not well. */
  readonly bad: readonly DoctorFinding[];
}

/** `hsm-kms doctor --json` over a data directory. */
export async function doctor(
  dataDir: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<Diagnosis> {
  const child = spawn(serviceNode(), [mainModule, 'doctor', '--json', '--data-dir', dataDir, ...flags], {
    env: { ...serviceEnvironment(dataDir), ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  const [output, errors] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = await closed;
  if (errors !== '') throw new Error(`the doctor printed errors (${code}): ${errors}`);
  const { verdict, exitCode, findings } = JSON.parse(output);
  if (exitCode !== code) throw new Error(`the doctor ended with ${code} and says ${exitCode}`);
  const bad = (findings as DoctorFinding[]).filter(({ severity }) => severity !== 'ok');
  return { code, verdict, findings, bad };
}
