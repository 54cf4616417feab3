import type { Settings } from '../config/settings.js';
import { loadModule } from '../token/module.js';
import { type ModuleFacts, moduleFacts } from '../token/token-facts.js';
import { shownTokens, type TokenIdentity } from '../token/token-selection.js';
import type { DataDirectory } from './data-directory.js';
import { tokenWithoutPin } from './token-settings.js';

/** The tokens of a module, as it shows them to everybody. */
export interface TokenListing {
  readonly module: ModuleFacts & { readonly file: string };
  readonly tokens: readonly (TokenIdentity & {
    readonly slotId: number;
    readonly initialised: boolean;
    /** False for a token that does not answer: nothing more is known of it. */
    readonly answers: boolean;
  })[];
}

const nothingKnown: TokenIdentity = { label: '', manufacturer: '', model: '', serialNumber: '', firmwareVersion: '' };

/** Lists the tokens of the configured module; nobody logs in. @throws Error that says what to do */
export function listTokens(settings: Settings, directory: DataDirectory): TokenListing {
  const { module, moduleParameters } = tokenWithoutPin(settings, directory);
  const cryptoki = loadModule(module, moduleParameters);
  return {
    module: { file: module, ...moduleFacts(cryptoki) },
    tokens: shownTokens(cryptoki).map(({ slotId, initialised, identity }) => ({
      slotId,
      ...(identity ?? nothingKnown),
      initialised,
      answers: identity !== undefined,
    })),
  };
}
