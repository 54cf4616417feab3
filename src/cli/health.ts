import type { Command } from 'commander';
import { askReadiness } from '../server/readiness.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addHealthCommand(program: Command): void {
  const command = program
    .command('health')
    .description('ask the service on this machine whether it is ready: exit code 0 when it is, else 1');
  addSettingsOptions(command).action(async (options) => {
    const { settings } = settingsOf(options);
    console.log(await askReadiness(settings));
  });
}
