import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { parse } from 'yaml';
import { credentialFile } from './credentials.js';
import { hasPassword } from './database-url.js';
import { environmentName, flagName, type SettingName, type Settings, settingNames, settingTable } from './settings.js';
import { whyUnclear } from './token-choice.js';

/** Where a setting's value came from. */
export type SettingSource = 'flag' | 'environment' | 'file' | 'credential' | 'default';

export interface LoadedSettings {
  readonly settings: Settings;
  readonly sources: Readonly<Record<SettingName, SettingSource>>;
}

/** A configuration that cannot be used; its message tells the person at the terminal what to change. */
export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** What a person wrote, before it is checked. */
export interface SettingInputs {
  readonly flags?: Partial<Record<SettingName, unknown>>;
  readonly environment?: NodeJS.ProcessEnv;
  /** Path of a YAML file whose keys are setting names. */
  readonly file?: string | undefined;
}

/**
 * The settings, each from its strongest source.
 *
 * @throws SettingsError that names each setting that does not fit, and how it is spelled where it came from
 */
export function loadSettings({ flags = {}, environment = {}, file }: SettingInputs): LoadedSettings {
  const fromFile = file === undefined ? {} : readSettingsFile(file);
  const faults: string[] = [];
  const settings: Record<string, unknown> = {};
  const sources: Record<string, SettingSource> = {};
  for (const name of settingNames) {
    const candidates = [
      { source: 'flag', spelling: flagName(name), value: flags[name] },
      {
        source: 'environment',
        spelling: environmentName(name),
        value: environment[environmentName(name)] || undefined,
      },
      { source: 'file', spelling: `${name} in ${file}`, value: fromFile[name] ?? undefined },
      { source: 'credential', spelling: name, value: credentialFile(name, environment) },
      { source: 'default', spelling: name, value: undefined },
    ] as const;
    const chosen = candidates.find(({ source, value }) => value !== undefined || source === 'default') ?? candidates[4];
    const checked = settingTable[name].type.safeParse(chosen.value);
    if (checked.success) settings[name] = checked.data;
    else faults.push(`${chosen.spelling}: ${checked.error.issues.map((issue) => issue.message).join(', ')}`);
    sources[name] = chosen.source;
  }
  if (typeof flags.databaseUrl === 'string' && hasPassword(flags.databaseUrl)) {
    faults.push(
      `${flagName('databaseUrl')}: all users of the machine can read a command line: put the password into DATABASE_URL, or into a file for ${flagName('databasePasswordFile')}`,
    );
  }
  if (faults.length > 0)
    throw new SettingsError(`The settings do not fit.\n${faults.map((fault) => `  ${fault}`).join('\n')}`);
  const complete = settings as Settings;
  const fault = whyUnclear(complete, environmentName);
  if (fault !== undefined) throw new SettingsError(fault);
  if (complete.insecureNoAuth && !isLoopback(complete.host)) {
    throw new SettingsError(
      `${flagName('insecureNoAuth')} takes a loopback address only: set ${flagName('host')} 127.0.0.1, not ${complete.host}.`,
    );
  }
  return { settings: complete, sources: sources as Record<SettingName, SettingSource> };
}

/** True for addresses that only this machine reaches. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'));
}

function readSettingsFile(file: string): Partial<Record<string, unknown>> {
  let content: unknown;
  try {
    content = parse(readFileSync(file, 'utf8')) ?? {};
  } catch (error) {
    throw new SettingsError(`The settings file ${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new SettingsError(`The settings file ${file} must hold names and values, as in "port: 8080".`);
  }
  const unknown = Object.keys(content).filter((name) => !(settingNames as string[]).includes(name));
  if (unknown.length > 0) {
    throw new SettingsError(`The settings file ${file} has unknown settings: ${unknown.join(', ')}.`);
  }
  return content as Partial<Record<string, unknown>>;
}
