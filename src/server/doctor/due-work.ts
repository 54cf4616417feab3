import { randomUUID } from 'node:crypto';
import { pino } from 'pino';
import { Leases } from '../../store/leases.js';
import type { Store } from '../../store/store.js';
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
  /** How many are due since before an instant. */
  readonly count: (store: Store, since: number) => Promise<number>;
  /** False for what makes new keys: that is the service's. */
  readonly isRepaired: boolean;
}

const counted = async (query: Promise<{ count: number | string | bigint }>) => Number((await query).count);

const overdueWork: readonly Overdue[] = [
  {
    task: 'key deletion',
    what: 'keys whose waiting period is over are not deleted',
    count: ({ db }, since) =>
      counted(
        db
          .selectFrom('keys')
          .select((row) => row.fn.countAll<number>().as('count'))
          .where('deletion_at', '<=', since)
          .executeTakeFirstOrThrow(),
      ),
    isRepaired: true,
  },
  {
    task: 'expiry of imported key material',
    what: 'imported key materials that have expired are not deleted',
    count: ({ db }, since) =>
      counted(
        db
          .selectFrom('key_materials')
          .select((row) => row.fn.countAll<number>().as('count'))
          .where('expires_at', '<=', since)
          .where('present', '=', 1)
          .executeTakeFirstOrThrow(),
      ),
    isRepaired: true,
  },
  {
    task: 'destruction of import wrapping keys',
    what: 'wrapping keys of imports that are used up or have expired are not destroyed',
    count: ({ db }, since) =>
      counted(
        db
          .selectFrom('import_wrapping_keys')
          .select((row) => row.fn.countAll<number>().as('count'))
          .where('expires_at', '<=', since)
          .executeTakeFirstOrThrow(),
      ),
    isRepaired: true,
  },
  {
    task: 'key rotation',
    what: 'keys whose rotation is due are not rotated',
    count: ({ db }, since) =>
      counted(
        db
          .selectFrom('keys')
          .select((row) => row.fn.countAll<number>().as('count'))
          .where('next_rotation_at', '<=', since)
          .where('state', '=', 'Enabled')
          .executeTakeFirstOrThrow(),
      ),
    isRepaired: false,
  },
];

export const dueWork: Check = {
  name: 'due work',
  async examine(patient) {
    const store = await patient.store();
    const { now, settings } = patient;
    const patience = Math.max(leastPatience, settings.scheduleMilliseconds * rounds);
    const findings: Finding[] = [];
    for (const { task, what, count, isRepaired } of overdueWork) {
      const overdue = await count(store, now.getTime() - patience);
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
    const done = await scheduledTasks(kms)
      .find((task) => task.name === name)
      ?.run();
    return (done ?? []).map((each) => `${name}: ${each}`);
  } finally {
    await leases.release(name);
  }
}
