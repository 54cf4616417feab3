import type { Settings } from '../config/settings.js';
import { AliasRepository } from '../keys/alias-repository.js';
import type { Home } from '../keys/key-reference.js';
import { KeyRepository } from '../keys/key-repository.js';
import type { Store } from '../store/store.js';
import { openStore } from './store-of-settings.js';

/** The store as commands use it that need no token. */
export interface KeyMetadataStore {
  readonly store: Store;
  readonly home: Home;
  readonly keys: KeyRepository;
  readonly aliases: AliasRepository;
}

/**
 * Opens the store of a data directory beside a service that may run, for as long as the work takes.
 *
 * @throws Error that says what to do; what `work` throws
 */
export async function withKeyMetadata<T>(
  settings: Settings,
  work: (opened: KeyMetadataStore) => Promise<T>,
): Promise<T> {
  const store = await openStore(settings);
  try {
    const home = { region: settings.region, accountId: settings.accountId };
    return await work({
      store,
      home,
      keys: new KeyRepository(store, home, settings.keysPerAccount),
      aliases: new AliasRepository(store, home, settings.aliasesPerKey),
    });
  } finally {
    await store.close();
  }
}
