import type { Logger } from 'pino';
import { Identities } from '../authorization/identities.js';
import { StoredPolicies } from '../authorization/stored-policies.js';
import type { Settings } from '../config/settings.js';
import type { Tracing } from '../http/tracing.js';
import { AliasRepository } from '../keys/alias-repository.js';
import { EncryptionBudget } from '../keys/encryption-budget.js';
import { GrantRepository } from '../keys/grant-repository.js';
import { GrantTokens } from '../keys/grant-tokens.js';
import { importsInto } from '../keys/import/imports.js';
import { KeyRepository } from '../keys/key-repository.js';
import { KeyStoreRepository } from '../keys/key-store-repository.js';
import type { KeyToken } from '../keys/key-tokens.js';
import { KeyUses } from '../keys/key-uses.js';
import type { Metrics } from '../metrics/metrics.js';
import type { Kms } from '../operations/kms.js';
import type { RequestQuotas } from '../operations/request-quotas.js';
import type { Store } from '../store/store.js';
import type { Sealer } from '../token/sealing.js';
import { keyTokensOf, OpenedKeyStores } from './opened-key-stores.js';
import { tokenMeter } from './token-meters.js';
import { keyStoreTokenSettings } from './token-settings.js';

/** What is open already. */
interface Parts {
  readonly own: KeyToken;
  readonly store: Store;
  readonly sealer: Sealer;
  readonly log: Logger;
  readonly requestQuotas?: RequestQuotas | undefined;
  /** Only a new process may reach a token again. */
  readonly stuck?: () => void;
  /** Where somebody asks for what is counted. */
  readonly metrics?: Metrics;
  /** Where somebody collects traces. */
  readonly tracing?: Tracing | undefined;
}

/** What operations work with, over a token and a store that are open: in a worker, and where keys are seeded. */
export function composeKms(
  settings: Settings,
  { own, store, sealer, log, requestQuotas, stuck = () => {}, metrics, tracing }: Parts,
): { kms: Kms; identities: Identities; keyStoreTokens: OpenedKeyStores } {
  const policy = { allowSplit: settings.splitOaep };
  const home = { region: settings.region, accountId: settings.accountId };
  const keyStores = new KeyStoreRepository(store, sealer, settings.customKeyStoreQuota);
  const keyStoreTokens = new OpenedKeyStores(keyStoreTokenSettings(settings), keyStores, {
    ...{ policy, log, stuck },
    meterOf: metrics && ((clusterId) => tokenMeter(metrics, clusterId, tracing?.record)),
  });
  const keys = new KeyRepository(store, home, settings.keysPerAccount);
  const policies = new StoredPolicies((broken) =>
    log.error(broken, 'a policy in the store is not understood: it denies everything'),
  );
  const identities = new Identities(store, sealer, settings.accountId, policies);
  const kms: Kms = {
    home,
    keys,
    aliases: new AliasRepository(store, home, settings.aliasesPerKey),
    grants: new GrantRepository(store, settings.grantsPerKey),
    grantTokens: new GrantTokens(sealer),
    identities,
    policies,
    keyStores,
    tokens: keyTokensOf(own, keyStoreTokens),
    imports: importsInto(own.token, store, keys, sealer, policy),
    uses: new KeyUses(store),
    encryptions: new EncryptionBudget(store, (material, reserved) =>
      log.warn({ material, reserved }, 'key material has encrypted very often: rotate its key'),
    ),
    requestQuotas,
    step: tracing?.step,
    now: () => new Date(),
  };
  return { kms, identities, keyStoreTokens };
}
