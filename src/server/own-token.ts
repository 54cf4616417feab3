import type { Settings } from '../config/settings.js';
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
  const token = Token.open(tokenSettings(settings, directory));
  keepTokenFiles(tokens);
  return token;
}
