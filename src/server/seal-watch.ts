import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import type { Families } from '../metrics/metrics.js';
import { BrokenSealError } from '../store/seal/broken-seal-error.js';
import { recordSetName } from '../store/seal/record-set.js';
import type { Token } from '../token/token.js';
import { checkSeals } from './sealed-store.js';
import { storeOfSettings } from './store-of-settings.js';

/** How often a worker looks at all records, in milliseconds. */
const interval = 60 * 60_000;
/** How long after its start it does so for the first time at the latest, in milliseconds; workers start together. */
const firstWithin = 10 * 60_000;

interface Watchers {
  readonly token: Token;
  readonly log: Logger;
  readonly families: Pick<Families, 'brokenSeals'>;
}

/** Who is told of a record that somebody else has written. */
export function sealAlarm({ log, families }: Omit<Watchers, 'token'>): (error: BrokenSealError) => void {
  return (err) => {
    families.brokenSeals.at(err.record.split('/', 1)[0] ?? '').value += 1;
    log.error({ err }, 'somebody else than this service has written into the database');
  };
}

/**
 * Looks at all records now and then: what nobody asks for, what was taken away, and what was put back as it had been is
 * not seen when records are loaded.
 *
 * @returns a function that stops it
 */
export function watchSeals(settings: Settings, watchers: Watchers): () => void {
  const { token, log } = watchers;
  const alarm = sealAlarm(watchers);
  let timer: NodeJS.Timeout;
  const look = async () => {
    // a connection of its own: requests would wait for it
    const store = storeOfSettings(settings);
    try {
      checkSeals({ token, store }, alarm);
      const { records, isWhole } = await store.examineSeals();
      if (!isWhole) alarm(new BrokenSealError(recordSetName, 'incomplete'));
      log.debug({ records }, 'the seals of all records were looked at');
    } catch (err) {
      log.warn({ err }, 'the seals of all records cannot be looked at');
    } finally {
      await store.close();
    }
  };
  const next = (milliseconds: number) => {
    timer = setTimeout(() => look().finally(() => next(interval)), milliseconds);
    timer.unref();
  };
  next(Math.random() * firstWithin);
  return () => clearTimeout(timer);
}
