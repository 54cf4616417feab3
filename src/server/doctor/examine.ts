import { audited, type CommandEvent } from '../audit/command-audit.js';
import { checks } from './checks.js';
import { type Finding, NotExaminedError, type Severity } from './finding.js';
import type { Patient } from './patient.js';

/** A finding, and what came of it. */
export interface Examined {
  readonly check: string;
  readonly severity: Severity;
  readonly what: string;
  readonly toDo?: string;
  /** What was done about it; then it is no trouble any more. */
  readonly done?: readonly string[];
}

/** Looks at everything, one thing after another, and repairs what is to be repaired before the next. */
export async function examine(patient: Patient): Promise<Examined[]> {
  const examined: Examined[] = [];
  for (const { name, examine: look } of checks) {
    for (const finding of await findingsOf(() => look(patient))) {
      examined.push({ check: name, ...(await treated(patient, name, finding)) });
    }
  }
  return examined;
}

async function findingsOf(look: () => Promise<Finding[]> | Finding[]): Promise<Finding[]> {
  try {
    return await look();
  } catch (thrown) {
    const { message } = thrown as Error;
    if (thrown instanceof NotExaminedError) return [{ severity: 'warning', what: `Not looked at: ${message}.` }];
    return [{ severity: 'error', what: message }];
  }
}

async function treated(
  patient: Patient,
  check: string,
  { repair, ...finding }: Finding,
): Promise<Omit<Examined, 'check'>> {
  if (!repair) return finding;
  if (!patient.options.repair) {
    return { ...finding, toDo: finding.toDo ?? 'hsm-kms doctor --repair, with the same settings' };
  }
  try {
    return { ...finding, done: await audited(patient.settings, repairOf(check, finding.what), repair) };
  } catch (thrown) {
    return { ...finding, what: `${finding.what} It cannot be repaired: ${(thrown as Error).message}` };
  }
}

const repairOf = (check: string, finding: string): CommandEvent<readonly string[]> => ({
  source: 'hsm-kms',
  name: 'RepairService',
  parameters: { check, finding },
  outcome: (done) => ({ responseElements: { done } }),
});

const grades: readonly Severity[] = ['ok', 'warning', 'error'];

/** The worst of what is left. */
export function verdict(examined: readonly Examined[]): Severity {
  const left = examined.filter(({ done }) => done === undefined).map(({ severity }) => grades.indexOf(severity));
  return grades[Math.max(0, ...left)] ?? 'ok';
}
