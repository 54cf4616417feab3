import { statSync } from 'node:fs';
import { join } from 'node:path';
import type { SettingName } from './settings.js';

/** Settings that name a file -> the credential that stands in for it: LoadCredential=token-pin:FILE in a systemd unit. */
const credentials: { readonly [N in SettingName]?: string } = {
  tokenPinFile: 'token-pin',
  tlsCertificateFile: 'tls-certificate',
  tlsKeyFile: 'tls-key',
  tlsClientCaFile: 'tls-client-ca',
};

/**
 * The file of a credential that the service manager gave. Its directory is read from the environment, as a unit of
 * systemd before 250 cannot name it; one byte or none is what a unit gives where it has nothing.
 *
 * @see systemd.exec(5), CREDENTIALS
 */
export function credentialFile(name: SettingName, environment: NodeJS.ProcessEnv): string | undefined {
  const credential = credentials[name];
  const directory = environment.CREDENTIALS_DIRECTORY;
  if (credential === undefined || !directory) return undefined;
  const file = join(directory, credential);
  const state = statSync(file, { throwIfNoEntry: false });
  return state !== undefined && state.size > 1 ? file : undefined;
}
