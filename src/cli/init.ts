import type { Command } from 'commander';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addInitCommand(program: Command): void {
  const command = program
    .command('init')
    .description('make the data directory, its token and the first administrator; keeps what exists');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    // loaded here: other commands start faster without PKCS#11 and the database
    const { initialise } = await import('../server/initialise.js');
    await initialise(settings, (what) => console.log(`made ${what}`));
  });
}
