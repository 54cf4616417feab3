import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { isLoopback, loadSettings, SettingsError } from '../../src/config/load-settings.js';
import { environmentName, flagName, settingNames } from '../../src/config/settings.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-settings-'));
});
afterAll(() => rmSync(directory, { recursive: true }));
function settingsFile(text: string): string {
  const file = join(directory, 'settings.yaml');
  writeFileSync(file, text);
  return file;
}

describe('sources', () => {
  test('the defaults are those that the design names', () => {
    const { settings, sources } = loadSettings({});
    expect(settings).toMatchObject({ host: '127.0.0.1', port: 8080, region: 'us-east-1', accountId: '000000000000' });
    expect(new Set(Object.values(sources))).toEqual(new Set(['default']));
  });

  test('flags are stronger than the environment, that than the file, that than the default', () => {
    const file = settingsFile('port: 1\nregion: eu-west-1\nhost: localhost\n');
    const environment = { HSM_KMS_PORT: '2', HSM_KMS_REGION: 'eu-west-2' };
    const { settings, sources } = loadSettings({ flags: { port: '3' }, environment, file });
    expect(settings).toMatchObject({ port: 3, region: 'eu-west-2', host: 'localhost' });
    expect(sources).toMatchObject({ port: 'flag', region: 'environment', host: 'file', workers: 'default' });
  });

  test('an empty variable is as good as none', () => {
    expect(loadSettings({ environment: { HSM_KMS_PORT: '' } }).settings.port).toBe(8080);
  });

  test('names follow from one another', () => {
    expect(environmentName('dataDir')).toBe('HSM_KMS_DATA_DIR');
    expect(flagName('insecureNoAuth')).toBe('--insecure-no-auth');
    expect(new Set(settingNames.map(environmentName)).size).toBe(settingNames.length);
  });

  test('false and 0 are no truth', () => {
    for (const text of ['false', '0']) {
      expect(loadSettings({ environment: { HSM_KMS_INSECURE_NO_AUTH: text } }).settings.insecureNoAuth).toBe(false);
    }
  });
});

describe("a service manager's credentials", () => {
  const credentials = (files: Readonly<Record<string, string>>) => {
    const given = mkdtempSync(join(directory, 'credentials-'));
    for (const [name, content] of Object.entries(files)) writeFileSync(join(given, name), content);
    return { CREDENTIALS_DIRECTORY: given };
  };

  test('stand in for settings that name files', () => {
    const environment = credentials({ 'token-pin': '1234\n', 'tls-key': 'key', other: 'other' });
    const { settings, sources } = loadSettings({ environment });
    expect(settings.tokenPinFile).toBe(join(environment.CREDENTIALS_DIRECTORY, 'token-pin'));
    expect(settings.tlsKeyFile).toBe(join(environment.CREDENTIALS_DIRECTORY, 'tls-key'));
    expect(settings.tlsCertificateFile).toBeUndefined();
    expect(sources).toMatchObject({ tokenPinFile: 'credential', tlsKeyFile: 'credential', dataDir: 'default' });
  });

  test('are weaker than everything that a person wrote', () => {
    const environment = credentials({ 'token-pin': '1234' });
    const { settings } = loadSettings({ environment, file: settingsFile('tokenPinFile: /etc/pin\n') });
    expect(settings.tokenPinFile).toBe('/etc/pin');
  });

  test.each(['', '\n'])('that hold nothing are none: %j', (content) => {
    expect(loadSettings({ environment: credentials({ 'token-pin': content }) }).settings.tokenPinFile).toBeUndefined();
  });
});

describe('faults', () => {
  const message = (inputs: Parameters<typeof loadSettings>[0]): string => {
    try {
      loadSettings(inputs);
    } catch (error) {
      expect(error).toBeInstanceOf(SettingsError);
      return (error as Error).message;
    }
    throw new Error('the settings were taken');
  };

  test('are told all at once, as they are spelled where they came from', () => {
    const file = settingsFile('accountId: "12"\n');
    const text = message({ flags: { port: 'x' }, environment: { HSM_KMS_REGION: 'nowhere' }, file });
    expect(text).toMatch(/^ {2}--port: /m);
    expect(text).toMatch(/^ {2}HSM_KMS_REGION: is not the name of an AWS Region/m);
    expect(text).toMatch(/^ {2}accountId in .+settings\.yaml: is not an AWS account id/m);
  });

  test.each(['65536', '-1', '1.5', 'http'])('port %s', (port) => {
    expect(message({ flags: { port } })).toMatch(/--port: /);
  });

  test('a setting that nobody knows is named', () => {
    expect(message({ file: settingsFile('prot: 1\n') })).toMatch(/unknown settings: prot\./);
  });

  test.each(['- a', 'text', '{', '1'])('a file that holds %j is refused', (text) => {
    expect(message({ file: settingsFile(text) })).toMatch(/^The settings file .+ (must hold|cannot be read)/);
  });

  test('a file that is not there is named', () => {
    expect(message({ file: join(directory, 'none.yaml') })).toMatch(/none\.yaml cannot be read/);
  });

  test.each(['0.0.0.0', '::', '10.0.0.1', 'example.com', '127.1', '127.0.0.1.example.com', '::ffff:10.0.0.1'])(
    'no authentication on %s',
    (host) => {
      expect(message({ flags: { insecureNoAuth: true, host } })).toMatch(/takes a loopback address only/);
    },
  );
});

test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('%s is loopback', (host) => {
  expect(isLoopback(host)).toBe(true);
  expect(loadSettings({ flags: { insecureNoAuth: true, host } }).settings.host).toBe(host);
});
