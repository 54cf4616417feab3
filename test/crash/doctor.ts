import type { ServiceProcess } from './service-process.js';

/** What `hsm-kms doctor` says of one thing. */
export interface Finding {
  readonly check: string;
  readonly severity: 'ok' | 'warning' | 'error';
  readonly what: string;
  /** What --repair has done about it, a line each. */
  readonly done?: readonly string[];
}

/** What of its findings tells of crashes: not the machine's clock, disk and files. */
const checks = ['keys and objects', 'database', 'token'];

/** Has the doctor look at the data of a service that is stopped. @throws Error when it cannot look */
export async function doctor(service: ServiceProcess, ...flags: string[]): Promise<Finding[]> {
  const { code, output } = await service.run('doctor', '--json', '--stopped', '--settle', '1', ...flags);
  const json = output.slice(output.indexOf('{'));
  try {
    const { findings } = JSON.parse(json) as { findings: Finding[] };
    return findings.filter(({ check }) => checks.includes(check));
  } catch (error) {
    throw new Error(`hsm-kms doctor could not look (${code}): ${output}`, { cause: error });
  }
}
