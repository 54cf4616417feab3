import { type Command, Option } from 'commander';
import { type LoadedSettings, loadSettings } from '../config/load-settings.js';
import { environmentName, flagName, type SettingName, settingNames, settingTable } from '../config/settings.js';

/** Settings whose flag alone says true. */
const bareFlags: readonly SettingName[] = ['insecureNoAuth', 'allowPlainHttp'];

/** Adds --config and a flag for each setting. @param shown those that the command's help shows */
export function addSettingsOptions(command: Command, shown: readonly SettingName[] = settingNames): Command {
  command.option('--config <file>', 'YAML file with settings (environment: HSM_KMS_CONFIG)');
  for (const name of settingNames) {
    const value = bareFlags.includes(name) ? '' : ' <value>';
    const flags = `${flagName(name)}${value}`;
    const option = new Option(flags, `${settingTable[name].meaning} (environment: ${environmentName(name)})`);
    command.addOption(option.hideHelp(!shown.includes(name)));
  }
  return command;
}

/** The settings of a command's flags, the environment and the file. @throws SettingsError */
export function settingsOf(options: Readonly<Record<string, unknown>>): LoadedSettings {
  const flags = Object.fromEntries(settingNames.map((name) => [name, options[name]])) as Record<SettingName, unknown>;
  const file = (options.config as string | undefined) ?? process.env.HSM_KMS_CONFIG;
  return loadSettings({ flags, environment: process.env, file: file || undefined });
}

/** The flags that a command was given, for another command that takes the same settings. */
export function settingsFlags(options: Readonly<Record<string, unknown>>): string[] {
  const flags = [['--config', options.config], ...settingNames.map((name) => [flagName(name), options[name]])];
  return flags
    .filter(([, value]) => value !== undefined)
    .map(([flag, value]) => (value === true ? `${flag}` : `${flag}=${value}`));
}
