import type { Settings } from '../config/settings.js';
import { softHsmModule } from '../token/softhsm.js';
import type { TokenSettings } from '../token/token.js';
import { type DataDirectory, readSecretFile } from './data-directory.js';

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
  return {
    module: settings.pkcs11Module ?? softHsmModule(),
    moduleParameters: settings.pkcs11Parameters,
    label: settings.tokenLabel,
    pin: readSecretFile(pinFile),
    limits: {
      sessions: settings.tokenSessions,
      waiting: settings.tokenSessions * 64,
      waitMilliseconds: settings.tokenWaitMilliseconds,
    },
  };
}
