import { existsSync } from 'node:fs';
import type { Kysely } from 'kysely';
import { environmentName, type Settings } from '../../config/settings.js';
import { mostEncryptions, warnFrom } from '../../keys/encryption-budget.js';
import { type Page, type Row, RowWriter } from '../../store/rows.js';
import type { Schema } from '../../store/schema.js';
import type { Store } from '../../store/store.js';
import { audited } from '../audit/command-audit.js';
import { dataDirectory } from '../data-directory.js';
import { writeSoftHsmConfiguration } from '../initialise.js';
import { checkSeals, type SealedParts } from '../sealed-store.js';
import { storeOfSettings } from '../store-of-settings.js';
import { usesOwnSoftHsm } from '../token-settings.js';
import type { Header } from './archive.js';
import { withOwnToken } from './back-up.js';
import { atRest, expectEmptyDatabase, keepCredentialsFile } from './empty-place.js';
import { type ArchiveFacts, expectSealOf, readArchive } from './read-archive.js';
import { revisionStep } from './revision-step.js';

/** The age of an archive is not known exactly where clocks differ. */
const leastMargin = 2 ** 22;

export interface RestoreOptions {
  /** How often one key may have encrypted in a second since the archive was made. */
  readonly encryptionsPerSecond: number;
}

/** What was restored. */
export interface Restored {
  readonly header: Header;
  /** By so much the counted encryptions of each key material were raised. */
  readonly margin: number;
  /** Ids of keys whose current material has not much left of 2^32 encryptions. */
  readonly toRotate: readonly string[];
  /** Ids of keys whose waiting period ends before the service can be asked to cancel their deletion. */
  readonly dueDeletions: readonly string[];
  /** Names of records that somebody else than the service had changed when the archive was made. */
  readonly doubtful: readonly string[];
}

/**
 * Fills the empty database that the settings name from an archive that their token has sealed: whole or not at all.
 *
 * @throws Error in one sentence that says what to do; then nothing was restored
 */
export async function restore(
  settings: Settings,
  path: string,
  { encryptionsPerSecond }: RestoreOptions,
  warn: (what: string) => void,
): Promise<Restored> {
  const facts = await readArchive(path);
  const { header } = facts;
  if (header.accountId !== settings.accountId) {
    throw new Error(
      `The archive ${path} is of the account ${header.accountId}, and the settings name ${settings.accountId}: set ${environmentName('accountId')}=${header.accountId}.`,
    );
  }
  expectToken(settings);
  const event = {
    source: 'hsm-kms',
    name: 'RestoreBackup',
    parameters: { file: path, encryptionsPerSecond },
    outcome: ({ margin, doubtful }: Restored) => ({ responseElements: { madeAt: header.madeAt, margin, doubtful } }),
  } as const;
  return atRest(settings, () =>
    audited(settings, event, () => restoreInto(settings, path, facts, encryptionsPerSecond, warn)),
  );
}

async function restoreInto(
  settings: Settings,
  path: string,
  facts: ArchiveFacts,
  encryptionsPerSecond: number,
  warn: (what: string) => void,
): Promise<Restored> {
  const { header } = facts;
  await expectEmptyDatabase(settings);
  if (usesOwnSoftHsm(settings)) writeSoftHsmConfiguration(dataDirectory(settings));
  return withOwnToken(settings, warn, async (token, sealer) => {
    await expectSealOf({ token, sealer }, path, facts);
    const age = Math.max(0, Date.now() - Date.parse(header.madeAt)) / 1000;
    const margin = leastMargin + Math.ceil(age * encryptionsPerSecond);
    keepCredentialsFile(settings);
    const store = storeOfSettings(settings);
    try {
      return await store.exclusively('init', async () => {
        await expectEmptyDatabase(settings);
        await fill(store, path, facts, margin);
        const doubtful = await sealOrExamine({ token, store });
        return { header, margin, doubtful, ...(await keysToSee(store.db)) };
      });
    } finally {
      await store.close();
    }
  });
}

/** Whole or not at all. @throws Error in one sentence */
function fill(store: Store, path: string, { header, digest }: ArchiveFacts, margin: number): Promise<void> {
  return store.fill(
    header.migrations.at(-1) ?? '',
    async (transaction) => {
      const writer = new RowWriter(transaction);
      const read = await readArchive(path, (page) => writer.write(withMargin(page, margin)));
      if (!read.digest.equals(digest)) throw new Error(`The archive ${path} changes while it is read.`);
    },
    async (transaction) => {
      await transaction
        .updateTable('store_revision')
        .set((row) => ({ revision: row('revision', '+', revisionStep) }))
        .execute();
    },
  );
}

/**
 * Seals the records of an archive from before there were seals: the archive's own vouches for them.
 *
 * @returns names of records that had been changed by somebody else when the archive was made
 */
async function sealOrExamine({ token, store }: SealedParts): Promise<readonly string[]> {
  const sealing = checkSeals({ token, store });
  if (await store.isSealed()) {
    const { broken, isWhole } = await store.examineSeals();
    return [...broken.map(({ record }) => record), ...(isWhole ? [] : ['the store as a whole'])];
  }
  if (!sealing.isReady()) await sealing.prepare();
  await store.sealAll(async () => true);
  return [];
}

/** @throws Error that says what to put where */
function expectToken(settings: Settings): void {
  const { softHsm } = dataDirectory(settings);
  if (!usesOwnSoftHsm(settings)) return;
  for (const needed of [softHsm.tokens, softHsm.userPin]) {
    if (existsSync(needed)) continue;
    throw new Error(
      `There is no ${needed}: first put the token back from its back-up, that is, the directory tokens and the files token-user-pin and token-so-pin.`,
    );
  }
}

/** Encryptions that were made after the archive are not in it; the same IV twice would give a key away. */
function withMargin(page: Page, margin: number): Page {
  if (page.table !== 'key_materials') return page;
  const raised = (row: Row): Row => ({
    ...row,
    encryptions_reserved: Math.min(mostEncryptions, Number(row.encryptions_reserved) + margin),
  });
  return { table: page.table, rows: page.rows.map(raised) };
}

async function keysToSee(db: Kysely<Schema>): Promise<Pick<Restored, 'toRotate' | 'dueDeletions'>> {
  const toRotate = await db
    .selectFrom('keys')
    .innerJoin('key_materials', 'key_materials.id', 'keys.current_material_id')
    .select('keys.id as id')
    .where('keys.spec', '=', 'SYMMETRIC_DEFAULT')
    .where('encryptions_reserved', '>=', warnFrom)
    .orderBy('keys.id')
    .execute();
  const due = await db.selectFrom('keys').select('id').where('deletion_at', '<=', Date.now()).orderBy('id').execute();
  const ids = (rows: readonly { id: string }[]) => rows.map(({ id }) => id);
  return { toRotate: ids(toRotate), dueDeletions: ids(due) };
}
