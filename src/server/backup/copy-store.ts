import { withoutPassword } from '../../config/database-url.js';
import type { Settings } from '../../config/settings.js';
import { knownMigrations } from '../../store/database-identity.js';
import { RowDigest } from '../../store/row-digest.js';
import { type Page, RowWriter, readRows } from '../../store/rows.js';
import type { Store } from '../../store/store.js';
import { audited } from '../audit/command-audit.js';
import { expectInitialised } from '../data-directory.js';
import { storeOfSettings } from '../store-of-settings.js';
import { atRest, expectEmptyDatabase, keepCredentialsFile } from './empty-place.js';

/**
 * Copies the store that the settings name into the empty database that others name, while nobody serves from it: whole
 * or not at all. What arrived is read again and compared.
 *
 * @param target the same settings, but for the database
 * @returns how many rows were copied, and what tells them from others
 * @throws Error in one sentence that says what to do; then nothing was copied
 */
export async function copyStore(settings: Settings, target: Settings): Promise<RowDigest> {
  expectInitialised(settings);
  const event = {
    source: 'hsm-kms',
    name: 'CopyStore',
    parameters: { to: target.databaseUrl === undefined ? 'SQLite' : withoutPassword(target.databaseUrl) },
    outcome: (copied: RowDigest) => ({ responseElements: { rows: copied.rows, digest: copied.toString() } }),
  } as const;
  return atRest(settings, () => audited(settings, event, () => copyInto(settings, target)));
}

async function copyInto(settings: Settings, target: Settings): Promise<RowDigest> {
  await expectEmptyDatabase(target);
  const from = storeOfSettings(settings);
  try {
    await expectReady(from);
    if (target.databaseUrl === undefined) keepCredentialsFile(target);
    const to = storeOfSettings(target);
    try {
      return await to.exclusively('init', () => copyRows(from, to));
    } finally {
      await to.close();
    }
  } finally {
    await from.close();
  }
}

/** @throws Error in one sentence that says what to do */
async function expectReady(from: Store): Promise<void> {
  const { isEmpty, pending } = await from.inspect();
  if (isEmpty) throw new Error('The database that is to be copied is empty. Type: hsm-kms init');
  if (pending.length > 0) {
    throw new Error('The database that is to be copied is older than this program. Type: hsm-kms migrate');
  }
  const others = await from.otherConnections();
  if (others > 0) {
    throw new Error(
      `Processes of hsm-kms have ${others} connections to the database that is to be copied: stop the service on all nodes.`,
    );
  }
}

async function copyRows(from: Store, to: Store): Promise<RowDigest> {
  const sent = new RowDigest();
  await to.fill(
    knownMigrations.at(-1) ?? '',
    async (transaction) => {
      const writer = new RowWriter(transaction);
      await from.read(async (source) => {
        for await (const page of readRows(source)) {
          add(sent, page);
          await writer.write(page);
        }
      });
    },
    async (transaction) => {
      const arrived = new RowDigest();
      for await (const page of readRows(transaction)) add(arrived, page);
      if (arrived.rows !== sent.rows || arrived.toString() !== sent.toString()) {
        throw new Error(
          `What arrived is not what was sent (${arrived.rows} rows of ${sent.rows}): nothing was copied. Report this.`,
        );
      }
    },
  );
  return sent;
}

function add(digest: RowDigest, { table, rows }: Page): void {
  for (const row of rows) digest.add(table, row);
}
