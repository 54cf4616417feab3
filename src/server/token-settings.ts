import type { DeclaredKeyStore } from '../config/key-stores.js';
import type { Settings } from '../config/settings.js';
import { softHsmModule } from '../token/softhsm.js';
import type { TokenSettings } from '../token/token.js';
import { type DataDirectory, readPinFile } from './data-directory.js';

/** How to open a token, but for the PIN. */
export type DeclaredToken = Omit<TokenSettings, 'pin'>;

/** True when the service uses the SoftHSM2 token in its data directory. */
export function usesOwnSoftHsm(settings: Settings): boolean {
  return settings.pkcs11Module === undefined;
}

/** How to open the configured token; names its SoftHSM2 configuration to the module. @throws Error that says what to do */
export function tokenSettings(settings: Settings, directory: DataDirectory): TokenSettings {
  if (usesOwnSoftHsm(settings)) process.env.SOFTHSM2_CONF = directory.softHsm.configuration;
  const pinFile = settings.tokenPinFile ?? (usesOwnSoftHsm(settings) ? directory.softHsm.userPin : undefined);
  if (pinFile === undefined) {
    throw new Error("The token's PIN is missing: set HSM_KMS_TOKEN_PIN_FILE to a file that holds it.");
  }
  return { ...declaredToken(settings, settings), pin: readPinFile(pinFile) };
}

/** The tokens of the setting keyStores by CloudHsmClusterId; each throws only when it is asked for. */
export function keyStoreTokenSettings(settings: Settings): ReadonlyMap<string, () => DeclaredToken> {
  return new Map(settings.keyStores.map((each) => [each.clusterId, () => declaredToken(settings, each)]));
}

function declaredToken(settings: Settings, token: Omit<DeclaredKeyStore, 'clusterId'>): DeclaredToken {
  return {
    module: token.pkcs11Module ?? softHsmModule(),
    moduleParameters: token.pkcs11Parameters,
    label: token.tokenLabel,
    limits: {
      sessions: settings.tokenSessions,
      waiting: settings.tokenSessions * 64,
      waitMilliseconds: settings.tokenWaitMilliseconds,
    },
  };
}
