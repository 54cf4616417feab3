import { type Command, InvalidArgumentError } from 'commander';
import { SettingsError } from '../config/load-settings.js';
import type { Examined } from '../server/doctor/examine.js';
import type { Severity } from '../server/doctor/finding.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

/** As plugins of Nagios have them; 3 means that the doctor could not look. */
const exitCodes: Readonly<Record<Severity, number>> = { ok: 0, warning: 1, error: 2 };
const unknown = 3;
/** More than crashes leave, as a rule. */
const usualOrphans = 100;

export function addDoctorCommand(program: Command): void {
  const command = program
    .command('doctor')
    .description(
      'look whether all is well, beside the service or without it, and say what to type: exit code 0 when all is well, 1 for warnings, 2 for errors, 3 when it could not look',
    )
    .option('--repair', 'do what is safe to do about it')
    .option('--json', 'as JSON, for programs')
    .option('--quiet', 'print only what is wrong, and what was done: nothing when all is well')
    .option('--stopped', 'the service is meant to be stopped: that none runs is well')
    .option('--settle <seconds>', 'watch an object without a row so long, as it may be being made', wholeNumber)
    .option(
      '--most-orphans <keys>',
      'destroy objects without a row of so many keys at the most: more may mean that the database is old',
      wholeNumber,
      usualOrphans,
    )
    // wrong flags would look like warnings
    .exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : unknown));
  addSettingsOptions(command).action(async (options) => {
    try {
      process.exitCode = await look(options);
    } catch (error) {
      throw Object.assign(error as Error, { exitCode: unknown });
    }
  });
}

interface DoctorFlags {
  readonly repair?: boolean;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly stopped?: boolean;
  readonly settle?: number;
  readonly mostOrphans: number;
}

async function look(options: DoctorFlags & Readonly<Record<string, unknown>>): Promise<number> {
  const examined = await examinedWith(options);
  const { verdict } = await import('../server/doctor/examine.js');
  const severity = verdict(examined);
  if (options.json) {
    console.log(JSON.stringify({ verdict: severity, exitCode: exitCodes[severity], findings: examined }, undefined, 2));
  } else {
    const shown = options.quiet ? examined.filter(({ severity, done }) => severity !== 'ok' || done) : examined;
    if (!options.quiet) console.log(summary(examined));
    for (const each of shown) console.log(linesOf(each));
  }
  return exitCodes[severity];
}

async function examinedWith(options: DoctorFlags & Readonly<Record<string, unknown>>): Promise<Examined[]> {
  // loaded here: other commands start faster without PKCS#11 and the database
  const [{ Patient }, { examine }] = await Promise.all([
    import('../server/doctor/patient.js'),
    import('../server/doctor/examine.js'),
  ]);
  let settings: ReturnType<typeof settingsOf>['settings'];
  try {
    ({ settings } = settingsOf(options));
  } catch (error) {
    if (!(error instanceof SettingsError)) throw error;
    const toDo = 'hsm-kms serve --help shows what settings may be';
    return [{ check: 'configuration', severity: 'error', what: error.message, toDo }];
  }
  const patient = new Patient(settings, {
    repair: options.repair ?? false,
    stopped: options.stopped ?? false,
    settleMilliseconds: options.settle === undefined ? undefined : options.settle * 1_000,
    mostOrphans: options.mostOrphans,
  });
  try {
    return await examine(patient);
  } finally {
    await patient.close();
  }
}

/** The first line, which a monitor shows. */
function summary(examined: readonly Examined[]): string {
  const count = (severity: Severity) => examined.filter((each) => !each.done && each.severity === severity).length;
  const repaired = examined.filter(({ done }) => done).length;
  const parts = [
    ['errors', count('error')],
    ['warnings', count('warning')],
    ['repaired', repaired],
    ['well', count('ok')],
  ] as const;
  return `hsm-kms ${parts.map(([what, number]) => `${what}: ${number}`).join(', ')}`;
}

const column = 10;

function linesOf({ check, severity, what, toDo, done }: Examined): string {
  const indent = `\n${' '.repeat(column)}`;
  const lines = [`${(done ? 'repaired' : severity).padEnd(column)}${check}: ${what.replaceAll('\n', indent)}`];
  if (done) lines.push(...done);
  else if (toDo !== undefined) lines.push(`-> ${toDo}`);
  return lines.join(indent);
}

function wholeNumber(text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new InvalidArgumentError('It must be a whole number.');
  return Number(text);
}
