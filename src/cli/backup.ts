import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addBackupCommand(program: Command): void {
  const backup = program
    .command('backup')
    .description(
      "write an archive of the database, beside a service that may run; the token's keys are not in it: docs/backup.md",
    )
    .argument('<file>', 'the archive; must not exist');
  addSettingsOptions(backup, ['dataDir', 'databaseUrl']).action(async (file: string, options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11 and the database
    const { backUp } = await import('../server/backup/back-up.js');
    const { madeAt, tables } = await backUp(settings, file, console.error);
    console.log(`wrote ${file}: ${contentOf(tables)}, as of ${madeAt}`);
    console.log('Now back up the token, which holds the keys: docs/backup.md');
  });

  const verify = backup
    .command('verify')
    .description('look whether an archive is whole, and sealed by this token')
    .argument('<file>', 'an archive')
    .option('--without-token', 'look only whether it is whole, on a machine that does not have the token');
  addSettingsOptions(verify, ['dataDir']).action(async (file: string, _options, command: Command) => {
    // flags that both commands have are the parent's
    const options = command.optsWithGlobals();
    const settings = options.withoutToken ? undefined : settingsOf(options).settings;
    const { verifyArchive } = await import('../server/backup/back-up.js');
    const { header } = await verifyArchive(settings, file, console.error);
    const { program, madeAt, token, accountId, tables } = header;
    console.log(`${file} is whole: ${contentOf(tables)}, as of ${madeAt}, by hsm-kms ${program}`);
    const name = `${JSON.stringify(token.label)} (serial number ${token.serialNumber})`;
    console.log(
      settings
        ? `It was sealed by the token ${name}, for the account ${accountId}.`
        : `It says that it was sealed by the token ${name}, which was not asked.`,
    );
  });
}

/** For people. */
export function contentOf(tables: readonly { readonly table: string; readonly rows: number }[]): string {
  const shown = { keys: 'keys', aliases: 'aliases', grants: 'grants', principals: 'users and roles' };
  const count = (table: string) => tables.find((each) => each.table === table)?.rows ?? 0;
  return Object.entries(shown)
    .map(([table, name]) => `${count(table)} ${name}`)
    .join(', ');
}
