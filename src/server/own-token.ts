import type { Settings } from '../config/settings.js';
import { restartModule, saidDuringLoginOfAnother } from '../token/module.js';
import { TokenError } from '../token/return-values.js';
import { sleep } from '../token/sleep.js';
import { keepTokenFiles, restoreTokenFiles } from '../token/softhsm-token-file.js';
import { Token, type TokenSettings } from '../token/token.js';
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
  if (!usesOwnSoftHsm(settings)) return openPatiently(tokenSettings(settings, directory));
  const { tokens } = directory.softHsm;
  for (const repaired of restoreTokenFiles(tokens))
    warn(`${repaired}: a login that was killed had emptied token.object`);
  const token = openPatiently(tokenSettings(settings, directory));
  keepTokenFiles(tokens);
  return token;
}

/** How often a token is opened that other processes log in to, and how long after another, in milliseconds. */
const opening = { attempts: 5, milliseconds: 100 } as const;

/**
 * A process that reads a SoftHSM2 token's file while another's login writes it keeps what it has read, and refuses every
 * login (seen as CKR_USER_PIN_NOT_INITIALIZED, on a machine with more to do than it can): the module must start anew.
 */
function openPatiently(settings: TokenSettings): Token {
  for (let attempt = 1; ; attempt++) {
    try {
      return Token.open(settings);
    } catch (error) {
      if (attempt === opening.attempts || !mayBeLoginOfAnother(error)) throw error;
    }
    sleep(opening.milliseconds);
    restartModule(settings.module, settings.moduleParameters);
  }
}

function mayBeLoginOfAnother(error: unknown): boolean {
  const { cause } = error as Error;
  return cause instanceof TokenError && saidDuringLoginOfAnother.includes(cause.ckr);
}
