import { execFile } from 'node:child_process';
import { statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Store } from '../../store/store.js';
import { type Check, error, type Finding, orWell, some, warning } from './finding.js';
import type { Patient } from './patient.js';

/** SigV4 takes requests that are five minutes off; so much of a clock's error is nobody's fault, in milliseconds. */
const tolerance = 60_000;
/** How long timedatectl is waited for, in milliseconds. */
const askMilliseconds = 3_000;

export const clock: Check = {
  name: 'clock',
  async examine(patient) {
    const store = await patient.store().catch(() => undefined);
    const findings: Finding[] = [];
    const future = [...futureFiles(patient), ...(store ? await futureRows(store, patient.now) : [])];
    if (future.length > 0) {
      patient.doubts.push('the clock is behind');
      findings.push(
        error(
          `It is ${patient.now.toISOString()} by the clock, which is before ${some(future)}: clients are refused whose clocks are five minutes off.`,
          'timedatectl set-ntp true, and wait until timedatectl says that the clock is synchronized',
        ),
      );
    }
    if ((await isSynchronised()) === false) {
      findings.push(
        warning(
          "The machine's clock is not synchronised: clients are refused when it is five minutes off.",
          'timedatectl set-ntp true',
        ),
      );
    }
    if (store) findings.push(...(await otherClock(store)));
    return orWell(findings, `It is ${patient.now.toISOString()}, after all that was written before.`);
  },
};

/** What was written by a clock that was ahead of this one: files, and the program itself. */
function futureFiles({ directory, now }: Patient): string[] {
  const { database, credentials, softHsm } = directory;
  const files = [database, `${database}-wal`, credentials, softHsm.tokens, fileURLToPath(import.meta.url)];
  return files.flatMap((file) => {
    const written = statSync(file, { throwIfNoEntry: false })?.mtimeMs;
    return written !== undefined && written > now.getTime() + tolerance
      ? [`${file} was written (${new Date(written).toISOString()})`]
      : [];
  });
}

async function futureRows({ db }: Store, now: Date): Promise<string[]> {
  const newest = async (what: string, query: Promise<{ at: number | string | null } | undefined>) => {
    const at = Number((await query)?.at ?? 0);
    return at > now.getTime() + tolerance ? [`${what} (${new Date(at).toISOString()})`] : [];
  };
  const latest = (table: 'keys' | 'key_materials' | 'access_keys') =>
    db
      .selectFrom(table)
      .select((row) => row.fn.max('created_at').as('at'))
      .executeTakeFirst();
  return [
    ...(await newest('a key was made', latest('keys'))),
    ...(await newest('key material was made', latest('key_materials'))),
    ...(await newest('an access key was made', latest('access_keys'))),
  ];
}

/** The database's clock, by which leases go: in PostgreSQL, another machine's. */
async function otherClock(store: Store): Promise<Finding[]> {
  const difference = (await store.time()) - Date.now();
  if (Math.abs(difference) < tolerance) return [];
  const seconds = Math.round(Math.abs(difference) / 1_000);
  return [
    warning(
      `The clock of the database's machine is ${seconds} seconds ${difference > 0 ? 'ahead of' : 'behind'} this one's.`,
      'timedatectl set-ntp true, on both machines',
    ),
  ];
}

/** What the kernel knows of NTP (adjtimex); undefined where nobody says, as in a container. */
async function isSynchronised(): Promise<boolean | undefined> {
  try {
    const { stdout } = await promisify(execFile)('timedatectl', ['show', '--property=NTPSynchronized', '--value'], {
      timeout: askMilliseconds,
    });
    const [answer] = stdout.trim().split('\n');
    return answer === 'yes' ? true : answer === 'no' ? false : undefined;
  } catch {
    return undefined;
  }
}
