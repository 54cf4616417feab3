import type { Patient } from './patient.js';

export type Severity = 'ok' | 'warning' | 'error';

/** What a check has found. */
export interface Finding {
  readonly severity: Severity;
  /** One sentence. */
  readonly what: string;
  /** What to type, or to do, in one line. */
  readonly toDo?: string;
  /** Does about it what is safe to do, twice as well as once. @returns what was done, a line each. @throws Error */
  readonly repair?: () => Promise<readonly string[]>;
}

/** One thing that the doctor looks at. */
export interface Check {
  readonly name: string;
  /** Changes nothing. @throws NotExaminedError for what needs something else first; Error that says why it cannot look */
  readonly examine: (patient: Patient) => Promise<Finding[]> | Finding[];
}

/** What a check needs is not there, which another check has said. */
export class NotExaminedError extends Error {
  override readonly name = 'NotExaminedError';
}

type Repair = NonNullable<Finding['repair']>;

const problem =
  (severity: Severity) =>
  (what: string, toDo?: string, repair?: Repair): Finding => ({
    severity,
    what,
    ...(toDo !== undefined && { toDo }),
    ...(repair && { repair }),
  });

export const ok = (what: string): Finding => ({ severity: 'ok', what });
export const warning = problem('warning');
export const error = problem('error');

/** What is found, or that all is well. */
export function orWell(findings: readonly Finding[], well: string): Finding[] {
  return findings.length > 0 ? [...findings] : [ok(well)];
}

/** A few of many, for people. */
export function some(names: readonly string[], most = 3): string {
  const shown = names.slice(0, most).join(', ');
  return names.length > most ? `${shown} and ${names.length - most} more` : shown;
}
