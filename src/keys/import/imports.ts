import type { Store } from '../../store/store.js';
import type { Sealer } from '../../token/sealing.js';
import type { Token } from '../../token/token.js';
import type { ProbePolicy } from '../capabilities.js';
import type { KeyRepository } from '../key-repository.js';
import { ImportCapabilities } from './import-capabilities.js';
import { ImportTokens } from './import-tokens.js';
import { ImportTurns } from './import-turns.js';
import { MaterialIds } from './material-ids.js';
import { MaterialExpiry } from './material-presence.js';
import { WrappingKeys } from './wrapping-keys.js';

/** What importing key material takes. All of it is of the service's own token: custom key stores import nothing. */
export interface Imports {
  readonly capabilities: ImportCapabilities;
  readonly wrappingKeys: WrappingKeys;
  readonly tokens: ImportTokens;
  readonly turns: ImportTurns;
  readonly materialIds: MaterialIds;
  readonly expiry: MaterialExpiry;
}

export function importsInto(
  token: Token,
  store: Store,
  keys: KeyRepository,
  sealer: Sealer,
  policy: ProbePolicy,
): Imports {
  return {
    capabilities: new ImportCapabilities(token, policy),
    wrappingKeys: new WrappingKeys(store, token),
    tokens: new ImportTokens(sealer),
    turns: new ImportTurns(store),
    materialIds: new MaterialIds(token),
    expiry: new MaterialExpiry(store, keys, token),
  };
}
