import { join } from 'node:path';
import type { Settings } from '../../config/settings.js';
import { EvidenceKey } from '../../keys/evidence-key.js';
import type { Store } from '../../store/store.js';
import { Sealer } from '../../token/sealing.js';
import type { Token } from '../../token/token.js';
import { type DataDirectory, dataDirectory } from '../data-directory.js';
import { takeExclusiveLock } from '../exclusive-lock.js';
import { openOwnToken } from '../own-token.js';
import { openStore } from '../store-of-settings.js';
import { expectTokenOfData } from '../token-of-data.js';

/** What evidence is made from: opened beside a service that may run. */
export interface Opened {
  readonly settings: Settings;
  readonly directory: DataDirectory;
  readonly token: Token;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly evidenceKey: EvidenceKey;
}

/** How long another process that makes evidence is waited for, in milliseconds. */
const waitMilliseconds = 5_000;

/**
 * Opens token and store that belong together, for as long as the work takes.
 *
 * @param warn is told what had to be repaired
 * @throws Error that says what to do; what `work` throws
 */
export async function withEvidenceKey<T>(
  settings: Settings,
  warn: (what: string) => void,
  work: (opened: Opened) => Promise<T>,
): Promise<T> {
  const directory = dataDirectory(settings);
  const store = await openStore(settings);
  try {
    const token = openOwnToken(settings, directory, warn);
    try {
      const sealer = new Sealer(token);
      await expectTokenOfData(settings, { token, sealer, store });
      return await work({
        settings,
        directory,
        token,
        store,
        sealer,
        evidenceKey: await evidenceKeyOf(token, directory),
      });
    } finally {
      await token.close();
    }
  } finally {
    await store.close();
  }
}

/** Two processes that look for the key at the same time would make two. */
async function evidenceKeyOf(token: Token, { path }: DataDirectory): Promise<EvidenceKey> {
  const lock = takeExclusiveLock(join(path, 'evidence.lock'), waitMilliseconds);
  if (lock === undefined) throw new Error('Another process is making the evidence key. Try again.');
  try {
    const key = new EvidenceKey(token);
    if (!key.isReady()) await key.prepare();
    return key;
  } finally {
    lock.release();
  }
}
