import { statSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { pinVariable } from '../config/pin-variable.js';
import type { Settings } from '../config/settings.js';
import { type TokenDeclaration, tokenChoice, usualTokenLabel } from '../config/token-choice.js';
import type { DeclaredProfile } from '../config/token-profile.js';
import { modulePathOf } from '../token/module-search.js';
import { fixedPin, type PinSource, type TokenSettings } from '../token/token-settings.js';
import type { DataDirectory } from './data-directory.js';
import { environmentPin } from './environment-pin.js';
import { readPinFile } from './pin-file.js';

/** How to open a token, but for the PIN. */
export type DeclaredToken = Omit<TokenSettings, 'pin'>;

const ownChoice = (settings: Settings) => tokenChoice(settings, usualTokenLabel);

/** True when the service uses the SoftHSM2 token in its data directory. */
export function usesOwnSoftHsm(settings: Settings): boolean {
  const { modulePath, moduleName } = ownChoice(settings);
  return modulePath === undefined && moduleName === undefined;
}

/** The label of the SoftHSM2 token that the service makes for itself. */
export function ownTokenLabel(settings: Settings): string {
  return ownChoice(settings).selector.label ?? usualTokenLabel;
}

/** How to open the configured token; names its SoftHSM2 configuration to the module. @throws Error that says what to do */
export function tokenSettings(settings: Settings, directory: DataDirectory): TokenSettings {
  const pin = pinSource(settings, directory);
  // what is wrong with it is said before the token is looked for
  pin.read();
  return { ...tokenWithoutPin(settings, directory), pin };
}

/** How to look at the configured token's module; names its SoftHSM2 configuration to the module. @throws Error */
export function tokenWithoutPin(settings: Settings, directory: DataDirectory): DeclaredToken {
  if (usesOwnSoftHsm(settings)) process.env.SOFTHSM2_CONF = directory.softHsm.configuration;
  return declaredToken(settings, settings, usualTokenLabel);
}

/** The tokens of the setting keyStores by CloudHsmClusterId; each throws only when it is asked for. */
export function keyStoreTokenSettings(settings: Settings): ReadonlyMap<string, () => DeclaredToken> {
  return new Map(settings.keyStores.map((each) => [each.clusterId, () => declaredToken(settings, each)]));
}

type TokenOfSettings = TokenDeclaration & {
  readonly pkcs11Parameters?: string | undefined;
  readonly tokenProfile?: DeclaredProfile | undefined;
};

function declaredToken(settings: Settings, token: TokenOfSettings, usualLabel?: string): DeclaredToken {
  const { selector, ...module } = tokenChoice(token, usualLabel);
  return {
    module: modulePathOf(module),
    moduleParameters: token.pkcs11Parameters,
    selector,
    profile: token.tokenProfile,
    hasProcessor: settings.workers >= availableParallelism(),
    limits: {
      sessions: settings.tokenSessions,
      computing: Math.max(2, Math.ceil(availableParallelism() / settings.workers)),
      waiting: settings.tokenSessions * 64,
      waitMilliseconds: settings.tokenWaitMilliseconds,
      callMilliseconds: settings.hangMilliseconds,
    },
  };
}

/** Where the PIN of the service's own token is read, at each login. @throws Error when there is none, or two places */
function pinSource(settings: Settings, directory: DataDirectory): PinSource {
  const { pinFile: fileOfUri } = ownChoice(settings);
  const fromEnvironment = environmentPin();
  const told = (
    [
      ['HSM_KMS_TOKEN_PIN_FILE', settings.tokenPinFile],
      ['the pin-source of HSM_KMS_TOKEN_URI', fileOfUri],
      [pinVariable, fromEnvironment],
    ] as const
  ).filter(([, value]) => value !== undefined);
  if (told.length > 1) {
    const [one, other] = told.map(([name]) => name);
    throw new Error(`The token's PIN comes from two places, ${one} and ${other}: leave out one of them.`);
  }
  if (fromEnvironment !== undefined) return fixedPin(fromEnvironment);
  const file = settings.tokenPinFile ?? fileOfUri ?? (usesOwnSoftHsm(settings) ? directory.softHsm.userPin : undefined);
  if (file === undefined) {
    throw new Error("The token's PIN is missing: set HSM_KMS_TOKEN_PIN_FILE to a file that holds it.");
  }
  return {
    read: () => readPinFile(file),
    stamp() {
      const facts = statSync(file, { throwIfNoEntry: false, bigint: true });
      return facts ? `${facts.ino}/${facts.mtimeNs}/${facts.ctimeNs}` : '';
    },
  };
}
