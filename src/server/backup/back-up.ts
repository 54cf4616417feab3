import type { Settings } from '../../config/settings.js';
import { version } from '../../config/version.js';
import { knownMigrations } from '../../store/database-identity.js';
import { countRows, readRows } from '../../store/rows.js';
import { Sealer } from '../../token/sealing.js';
import type { Token } from '../../token/token.js';
import { audited } from '../audit/command-audit.js';
import { dataDirectory, expectInitialised } from '../data-directory.js';
import { openOwnToken } from '../own-token.js';
import { storeOfSettings } from '../store-of-settings.js';
import { expectTokenOfData } from '../token-of-data.js';
import { type Header, newHeader, sealed } from './archive.js';
import { type ArchiveFacts, expectSealOf, readArchive } from './read-archive.js';
import { writeArchive } from './write-archive.js';

/**
 * Writes an archive of the store as it is at one moment, beside a service that may run.
 *
 * @param path of a file that does not exist
 * @throws Error in one sentence that says what to do
 */
export async function backUp(settings: Settings, path: string, warn: (what: string) => void): Promise<Header> {
  expectInitialised(settings);
  const event = {
    source: 'hsm-kms',
    name: 'CreateBackup',
    parameters: { file: path },
    outcome: ({ madeAt, tables }: Header) => ({ responseElements: { madeAt, tables } }),
  } as const;
  return audited(settings, event, () => writeBackup(settings, path, warn));
}

function writeBackup(settings: Settings, path: string, warn: (what: string) => void): Promise<Header> {
  return withOwnToken(settings, warn, async (token, sealer) => {
    const store = storeOfSettings(settings);
    try {
      const { isEmpty, pending } = await store.inspect();
      if (isEmpty) throw new Error('The database is empty. Type: hsm-kms init');
      if (pending.length > 0) {
        throw new Error(
          'The database is older than this program: back it up by the version that serves from it, or type hsm-kms migrate first.',
        );
      }
      await expectTokenOfData(settings, { token, sealer, store });
      const now = await store.time();
      const { label, serialNumber } = token.identity;
      return await store.read(async (transaction) => {
        const header = newHeader({
          program: version,
          madeAt: new Date(now).toISOString(),
          accountId: settings.accountId,
          region: settings.region,
          token: { label, serialNumber },
          database: store.kind,
          migrations: [...knownMigrations],
          tables: await countRows(transaction),
        });
        await writeArchive(path, header, readRows(transaction), (digest) => sealed(sealer, digest));
        return header;
      });
    } finally {
      await store.close();
    }
  });
}

/**
 * Looks whether an archive is whole, and whether this token has sealed it.
 *
 * @param settings undefined to look without a token: then nobody says who made it
 * @throws Error in one sentence
 */
export async function verifyArchive(
  settings: Settings | undefined,
  path: string,
  warn: (what: string) => void,
): Promise<ArchiveFacts> {
  const facts = await readArchive(path);
  if (settings) {
    await withOwnToken(settings, warn, (token, sealer) => expectSealOf({ token, sealer }, path, facts));
  }
  return facts;
}

/** @throws Error that says what to do */
export async function withOwnToken<T>(
  settings: Settings,
  warn: (what: string) => void,
  work: (token: Token, sealer: Sealer) => Promise<T>,
): Promise<T> {
  const token = openOwnToken(settings, dataDirectory(settings), warn);
  try {
    return await work(token, new Sealer(token));
  } finally {
    await token.close();
  }
}
