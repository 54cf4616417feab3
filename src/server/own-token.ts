import type { Settings } from '../config/settings.js';
import { saidDuringLoginOfAnother } from '../token/module.js';
import { TokenError } from '../token/return-values.js';
import { sleep } from '../token/sleep.js';
import { keepTokenFiles, restoreTokenFiles } from '../token/softhsm-token-file.js';
import { Token } from '../token/token.js';
import type { DataDirectory } from './data-directory.js';
import { checkDataDirectory } from './data-directory-use.js';
import { tokenSettings, usesOwnSoftHsm } from './token-settings.js';

/**
 * Opens the service's own token.
 *
 * @param warn is told what had to be repaired
 * @throws Error that says what to do
 */
export function openOwnToken(settings: Settings, directory: DataDirectory, warn: (what: string) => void): Token {
  checkDataDirectory(directory);
  if (!usesOwnSoftHsm(settings)) return Token.open(tokenSettings(settings, directory));
  const { tokens } = directory.softHsm;
  for (const repaired of restoreTokenFiles(tokens))
    warn(`${repaired}: a login that was killed had emptied token.object`);
  const token = openPatiently(settings, directory);
  keepTokenFiles(tokens);
  return token;
}

/** How often a SoftHSM2 token that other workers log in to is opened, and how long after another, in milliseconds. */
const opening = { attempts: 5, milliseconds: 200 } as const;

/** On a machine with more to do than it can, the login of another worker can take longer than Token.open waits for it. */
function openPatiently(settings: Settings, directory: DataDirectory): Token {
  for (let attempt = 1; ; attempt++) {
    try {
      return Token.open(tokenSettings(settings, directory));
    } catch (error) {
      if (attempt === opening.attempts || !mayBeLoginOfAnother(error)) throw error;
    }
    sleep(opening.milliseconds);
  }
}

function mayBeLoginOfAnother(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof TokenError && saidDuringLoginOfAnother.includes(cause.ckr);
}

/** That a data directory was made with another token: its keys, and what is sealed in its database, are not in this. */
export function otherTokenError({ tokenLabel }: Settings, { path }: DataDirectory, { identity }: Token): Error {
  return new Error(
    `The token ${JSON.stringify(tokenLabel)} (serial number ${identity.serialNumber}) is not the one that ${path} was made with: it has no sealing key. Set HSM_KMS_PKCS11_MODULE and HSM_KMS_TOKEN_LABEL as they were, or HSM_KMS_DATA_DIR to a new directory.`,
  );
}
