import type { Command } from 'commander';
import { stringify } from 'yaml';
import { pinVariable } from '../config/pin-variable.js';
import { settingNames, shownValue } from '../config/settings.js';
import { environmentPin } from '../server/environment-pin.js';
import { addSettingsOptions, settingsOf } from './settings-options.js';

export function addConfigCommand(program: Command): void {
  const command = program.command('config').description('print the settings and where each came from');
  addSettingsOptions(command).action((options) => {
    const { settings, sources } = settingsOf(options);
    for (const name of settingNames) {
      const value = shownValue(name, settings[name]);
      const line = value === undefined ? `# ${name}: not set` : stringify({ [name]: value }).trimEnd();
      console.log(`${line.padEnd(40)} # ${sources[name]}`);
    }
    if (environmentPin() !== undefined) console.log(`# the PIN is in the environment variable ${pinVariable}`);
  });
}
