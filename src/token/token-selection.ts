import type pkcs11 from 'pkcs11js';
import type { TokenAttributes } from '../config/pkcs11-uri.js';

/** How a token is chosen among those that a module shows: all that is named must be so. */
export type TokenSelector = TokenAttributes;

/** CK_TOKEN_INFO, without its padding. */
export interface TokenIdentity {
  readonly label: string;
  readonly manufacturer: string;
  readonly model: string;
  readonly serialNumber: string;
  readonly firmwareVersion: string;
}

/** The module shows no token that is as the selector says, or several: not a failure of the login. */
export class TokenNotFoundError extends Error {
  override readonly name = 'TokenNotFoundError';
}

/** CK_TOKEN_INFO flag (PKCS#11 v3.0, 3.2): C_InitToken, or what stands for it, has been done. */
const CKF_TOKEN_INITIALIZED = 0x400;

/** A slot with a token in it, as the module shows it. */
export interface ShownToken {
  readonly slot: pkcs11.Handle;
  readonly slotId: number;
  /** Undefined where the token does not answer: it must not hide the others. */
  readonly info: pkcs11.TokenInfo | undefined;
  readonly identity: TokenIdentity | undefined;
  readonly initialised: boolean;
}

export function identityFrom(info: pkcs11.TokenInfo): TokenIdentity {
  return {
    label: info.label.trimEnd(),
    manufacturer: info.manufacturerID.trimEnd(),
    model: info.model.trimEnd(),
    serialNumber: info.serialNumber.trimEnd(),
    firmwareVersion: versionText(info.firmwareVersion),
  };
}

/** 3.1 for CK_VERSION {3, 1}. */
export function versionText({ major, minor }: pkcs11.Version): string {
  return `${major}.${minor}`;
}

/** C_GetSlotList, C_GetTokenInfo: once each, as who searches does it all again. @throws the token's error */
export function shownTokens(cryptoki: pkcs11.PKCS11): ShownToken[] {
  return cryptoki.C_GetSlotList(true).map((slot) => {
    const info = unlessItFails(() => cryptoki.C_GetTokenInfo(slot));
    return {
      slot,
      slotId: slotIdOf(slot),
      info,
      identity: info && identityFrom(info),
      initialised: info !== undefined && (info.flags & CKF_TOKEN_INITIALIZED) !== 0,
    };
  });
}

/** CK_SLOT_ID. */
function slotIdOf(slot: pkcs11.Handle): number {
  return Number(slot.readBigUInt64LE(0));
}

function unlessItFails<T>(call: () => T): T | undefined {
  try {
    return call();
  } catch {
    return undefined;
  }
}

/** Each thing that a selector can name: how it is called, and what a token has of it. */
const criteria: { readonly [N in keyof Required<TokenSelector>]: readonly [name: string, of: Criterion] } = {
  label: ['label', ({ token }) => token.identity?.label],
  serialNumber: ['serial number', ({ token }) => token.identity?.serialNumber],
  manufacturer: ['manufacturer', ({ token }) => token.identity?.manufacturer],
  model: ['model', ({ token }) => token.identity?.model],
  slotId: ['slot', ({ token }) => token.slotId],
  slotDescription: ['slot description', ({ slot }) => slot()?.slotDescription.trimEnd()],
  slotManufacturer: ['slot manufacturer', ({ slot }) => slot()?.manufacturerID.trimEnd()],
  libraryDescription: ['library description', ({ library }) => library()?.libraryDescription.trimEnd()],
  libraryManufacturer: ['library manufacturer', ({ library }) => library()?.manufacturerID.trimEnd()],
  libraryVersion: [
    'library version',
    ({ library }) => {
      const info = library();
      return info && versionText(info.libraryVersion);
    },
  ],
};

interface Shown {
  readonly token: ShownToken;
  readonly slot: () => pkcs11.SlotInfo | undefined;
  readonly library: () => pkcs11.ModuleInfo | undefined;
}
type Criterion = (shown: Shown) => string | number | undefined;

/**
 * The slot of the one token that the selector names.
 *
 * @throws TokenNotFoundError when none or several tokens are so, with a sentence that lists what there is
 */
export function selectSlot(cryptoki: pkcs11.PKCS11, selector: TokenSelector): pkcs11.Handle {
  const tokens = shownTokens(cryptoki);
  const so = tokens.filter((token) => matches(cryptoki, token, selector));
  // a free slot shows a token as well, of the same manufacturer and model
  const initialised = so.filter((token) => token.initialised);
  const matching = initialised.length > 0 ? initialised : so;
  const [token] = matching;
  if (token !== undefined && matching.length === 1) return token.slot;
  const asked = describeSelector(selector);
  if (token === undefined) {
    throw new TokenNotFoundError(`No token has ${asked}; the module shows ${listOf(tokens) || 'none'}.`);
  }
  throw new TokenNotFoundError(
    `More than one token has ${asked}: ${listOf(matching)}. Choose one by its serial number (HSM_KMS_TOKEN_SERIAL), or by a URI with its slot-id (HSM_KMS_TOKEN_URI).`,
  );
}

function matches(cryptoki: pkcs11.PKCS11, token: ShownToken, selector: TokenSelector): boolean {
  const shown: Shown = {
    token,
    slot: () => unlessItFails(() => cryptoki.C_GetSlotInfo(token.slot)),
    library: () => unlessItFails(() => cryptoki.C_GetInfo()),
  };
  return Object.entries(selector).every(([name, wanted]) => {
    if (wanted === undefined || !isCriterion(name)) return true;
    const actual = criteria[name][1](shown);
    return actual === (name === 'libraryVersion' ? completeVersion(String(wanted)) : wanted);
  });
}

function isCriterion(name: string): name is keyof typeof criteria {
  return Object.hasOwn(criteria, name);
}

/** library-version=3 is 3.0 (RFC 7512, 2.3). */
function completeVersion(version: string): string {
  const [major, minor = 0] = version.split('.').map(Number);
  return `${major}.${minor}`;
}

/** What a selector asks for, for people: the label "hsm-kms" and the serial number "1234". */
export function describeSelector(selector: TokenSelector): string {
  const parts = Object.entries(selector).flatMap(([name, wanted]) =>
    wanted === undefined || !isCriterion(name) ? [] : [`the ${criteria[name][0]} ${JSON.stringify(wanted)}`],
  );
  return parts.length === 0 ? 'what is asked for' : parts.join(' and ');
}

/** What tells tokens apart, for people. */
function listOf(tokens: readonly ShownToken[]): string {
  return tokens
    .map(({ identity, slotId, initialised }) => {
      if (identity === undefined) return `(no answer, slot ${slotId})`;
      if (!initialised && identity.label === '') return `(not initialised, slot ${slotId})`;
      return `${JSON.stringify(identity.label)} (serial number ${identity.serialNumber || 'none'}, slot ${slotId})`;
    })
    .join(', ');
}
