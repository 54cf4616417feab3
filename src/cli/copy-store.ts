import type { Command } from 'commander';
import { databaseUrlSetting, hasPassword } from '../config/database-url.js';
import type { Settings } from '../config/settings.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

interface CopyOptions {
  readonly to?: string;
  readonly toPasswordFile?: string;
  readonly toSqlite?: boolean;
}

export function addCopyStoreCommand(program: Command): void {
  const command = program
    .command('copy-store')
    .description('copy the database into an empty one, with the service stopped: from SQLite to PostgreSQL, or back')
    .option('--to <url>', 'an empty PostgreSQL database: postgres://USER@HOST:5432/DATABASE')
    .option('--to-password-file <file>', 'file that holds the password for --to')
    .option('--to-sqlite', 'the SQLite database of the data directory, which must not exist');
  addSettingsOptions(command, ['dataDir', 'databaseUrl', 'databasePasswordFile']).action(async (options) => {
    const { settings } = settingsOf(options);
    const target = targetOf(settings, options);
    // loaded here: other commands start faster without the database
    const { copyStore } = await import('../server/backup/copy-store.js');
    const copied = await copyStore(settings, target);
    console.log(`copied ${copied.rows} rows, and read them again: they are the same (${copied})`);
    console.log(
      target.databaseUrl === undefined
        ? 'Now unset DATABASE_URL, type hsm-kms doctor --stopped, and start the service. The database in PostgreSQL is left as it is: drop it when all is well.'
        : `Now set DATABASE_URL=${target.databaseUrl}${target.databasePasswordFile === undefined ? '' : ` and HSM_KMS_DATABASE_PASSWORD_FILE=${target.databasePasswordFile}`}, type hsm-kms doctor --stopped, and start the service. The database in the data directory is left as it is: remove it when all is well.`,
    );
  });
}

/** @throws Error in one sentence that says what to type */
function targetOf(settings: Settings, { to, toPasswordFile, toSqlite }: CopyOptions): Settings {
  if ((to === undefined) === (toSqlite === undefined)) {
    throw new Error('Say where to: --to postgres://USER@HOST:5432/DATABASE, or --to-sqlite.');
  }
  if (to === undefined) {
    if (settings.databaseUrl !== undefined) {
      return { ...settings, databaseUrl: undefined, databasePasswordFile: undefined };
    }
    throw new Error('The database is in SQLite already: set DATABASE_URL to the one that is to be copied.');
  }
  if (hasPassword(to)) {
    throw new Error(
      '--to has a password in it, and every user of this machine can read command lines: leave it out, and name a file that holds it, with --to-password-file.',
    );
  }
  const { error } = databaseUrlSetting.safeParse(to);
  if (error) throw new Error(`--to ${error.issues[0]?.message.replace(/;.*/, '')}.`);
  return { ...settings, databaseUrl: to, databasePasswordFile: toPasswordFile };
}
