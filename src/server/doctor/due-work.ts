import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import { pino } from 'pino';
import { Leases } from '../../store/leases.js';
import { auditedKeys } from '../audit/command-audit.js';
import { composeKms } from '../compose-kms.js';
import { leaseMilliseconds } from '../schedule.js';
import { type DueTask, scheduledTasks } from '../scheduled-tasks.js';
import { type Check, type Finding, orWell, warning } from './finding.js';
import type { Patient } from './patient.js';

/** A service has several tries at what is due before that is overdue; at least so long, in milliseconds. */
const leastPatience = 5 * 60_000;
const rounds = 3;

interface Overdue {
  readonly task: DueTask;
  readonly what: string;
  /** Table and condition of what is due since before an instant, in milliseconds since the epoch. */
  readonly rows: (since: number) => RawBuilder<unknown>;
  /** False for what makes new keys: that is the service's. */
  readonly isRepaired: boolean;
}

const overdueWork: readonly Overdue[] = [
  {
    task: 'key deletion',
    what: 'keys whose waiting period is over are not deleted',
    rows: (since) => sql`keys where deletion_at <= ${since}`,
    isRepaired: true,
  },
  {
    task: 'expiry of imported key material',
    what: 'imported key materials that have expired are not deleted',
    rows: (since) => sql`key_materials where expires_at <= ${since} and present = 1`,
    isRepaired: true,
  },
  {
    task: 'destruction of import wrapping keys',
    what: 'wrapping keys of imports that are used up or have expired are not destroyed',
    rows: (since) => sql`import_wrapping_keys where expires_at <= ${since}`,
    isRepaired: true,
  },
  {
    task: 'key rotation',
    what: 'keys whose rotation is due are not rotated',
    rows: (since) => sql`keys where next_rotation_at <= ${since} and state = 'Enabled'`,
    isRepaired: false,
  },
];

export const dueWork: Check = {
  name: 'due work',
  async examine(patient) {
    const { db } = await patient.store();
    const { now, settings } = patient;
    const patience = Math.max(leastPatience, settings.scheduleMilliseconds * rounds);
    const findings: Finding[] = [];
    for (const { task, what, rows, isRepaired } of overdueWork) {
      const due = rows(now.getTime() - patience);
      const counted = await sql<{ count: number | string }>`select count(*) as count from ${due}`.execute(db);
      const overdue = Number(counted.rows[0]?.count);
      if (overdue === 0) continue;
      findings.push(
        warning(
          `${overdue} ${what}.`,
          isRepaired ? undefined : 'hsm-kms serve does it, and its log says why it does not',
          isRepaired ? () => carryOut(patient, task) : undefined,
        ),
      );
    }
    return orWell(findings, 'Nothing is overdue.');
  },
};

/** Does what the service does by itself, as it does it: under its lease. */
async function carryOut(patient: Patient, name: DueTask): Promise<readonly string[]> {
  const [doubt] = patient.doubts;
  if (doubt) throw new Error(`first this must be put right: ${doubt}`);
  const { token, store, sealer } = await patient.tokenAndStore();
  const own = { token, capabilities: await patient.capabilities() };
  const log = pino({ level: 'silent' });
  const { kms } = composeKms(patient.settings, { own, store, sealer, log });
  const leases = new Leases(store, `doctor-${process.pid}-${randomUUID()}`);
  if (!(await leases.take(name, leaseMilliseconds))) throw new Error('a worker is doing it at the moment');
  try {
    const done = await auditedKeys(
      patient.settings,
      { name: 'RepairService', parameters: { task: name } },
      async (tell) =>
        scheduledTasks(kms, tell)
          .find((task) => task.name === name)
          ?.run(),
    );
    return (done ?? []).map((each) => `${name}: ${each}`);
  } finally {
    await leases.release(name);
  }
}
