import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addResealCommand(program: Command): void {
  const command = program
    .command('reseal [record...]')
    .description(
      'take records of the database for true that somebody else than hsm-kms has written: names as of doctor',
    )
    .option('--all', 'all records, and that there are no others');
  addSettingsOptions(command).action(async (names: readonly string[], options) => {
    if (names.length === 0 && !options.all) {
      throw new Error('Say which records: as hsm-kms doctor names them (keys/1234abcd-...), or --all.');
    }
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without the database
    const { recordNameOf, reseal } = await import('../server/reseal.js');
    const warn = (what: string) => console.error(`hsm-kms: ${what}`);
    const sealed = await reseal(settings, options.all ? undefined : names.map(recordNameOf), warn);
    console.log(`sealed: ${sealed} records`);
  });
}
