import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addMigrateCommand(program: Command): void {
  const command = program
    .command('migrate')
    .description("bring the database's schema up to date; for PostgreSQL, before nodes of this version are started");
  addSettingsOptions(command, ['dataDir', 'databaseUrl', 'databasePasswordFile']).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without the database
    const { migrateStore } = await import('../server/store-of-settings.js');
    const made = await migrateStore(settings);
    console.log(made.length === 0 ? 'the database is up to date' : `migrated: ${made.join(', ')}`);
  });
}
