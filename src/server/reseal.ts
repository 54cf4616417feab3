import type { Settings } from '../config/settings.js';
import { type SealedTable, sealedTableNames } from '../store/seal/sealed-tables.js';
import { Sealer } from '../token/sealing.js';
import { audited } from './audit/command-audit.js';
import { revisionStep } from './backup/revision-step.js';
import { dataDirectory, expectInitialised } from './data-directory.js';
import { openOwnToken } from './own-token.js';
import { checkSeals } from './sealed-store.js';
import { openStore } from './store-of-settings.js';
import { expectTokenOfData } from './token-of-data.js';

/** A record by its name, as errors and the doctor write it. */
export interface RecordName {
  readonly table: SealedTable;
  readonly id: string;
}

/** @param text keys/1234abcd-..., aliases/alias/x. @throws Error that says what a name is */
export function recordNameOf(text: string): RecordName {
  const slash = text.indexOf('/');
  const table = sealedTableNames.find((name) => name === text.slice(0, slash));
  const id = text.slice(slash + 1);
  if (table && id !== '') return { table, id };
  throw new Error(`${text} names no record: write it as hsm-kms doctor does, such as keys/1234abcd-...`);
}

/**
 * Takes what is in the database for true: who owns database and token says so.
 *
 * @param names of the records; undefined for all, also those that are there without the service's doing
 * @returns how many were sealed
 * @throws Error that says what to do
 */
export async function reseal(
  settings: Settings,
  names: readonly RecordName[] | undefined,
  warn: (what: string) => void,
): Promise<number> {
  expectInitialised(settings);
  const event = {
    source: 'hsm-kms',
    name: 'ResealRecords',
    parameters: { records: names?.map(({ table, id }) => `${table}/${id}`) ?? 'all' },
    outcome: (sealed: number) => ({ responseElements: { sealed } }),
  } as const;
  return audited(settings, event, () => sealAgain(settings, names, warn));
}

async function sealAgain(
  settings: Settings,
  names: readonly RecordName[] | undefined,
  warn: (what: string) => void,
): Promise<number> {
  const store = await openStore(settings);
  try {
    const token = openOwnToken(settings, dataDirectory(settings), warn);
    try {
      await expectTokenOfData(settings, { token, sealer: new Sealer(token), store });
      const sealing = checkSeals({ token, store });
      if (!sealing.isReady()) await sealing.prepare();
      if (names === undefined) return await store.sealAll(async () => true, revisionStep);
      return await store.change(async (change) => {
        for (const { table, id } of names) {
          const record = await change.open(table, id, 'whatever');
          if (record === undefined) throw new Error(`There is no ${table}/${id}: nothing was sealed.`);
          record.touch();
        }
        return names.length;
      });
    } finally {
      await token.close();
    }
  } finally {
    await store.close();
  }
}
