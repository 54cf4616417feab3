import type pkcs11 from 'pkcs11js';
import { mechanismNameOf } from './mechanism-names.js';
import { versionText } from './token-selection.js';

/** C_GetInfo. */
export interface ModuleFacts {
  readonly libraryDescription: string;
  readonly libraryManufacturer: string;
  readonly libraryVersion: string;
  readonly cryptokiVersion: string;
}

/** C_GetTokenInfo and C_GetSlotInfo, without padding. What the token does not tell is undefined. */
export interface TokenFacts {
  readonly slotId: number;
  readonly slotDescription: string;
  readonly slotManufacturer: string;
  readonly hardwareVersion: string;
  /** CKF_ names. */
  readonly flags: readonly string[];
  /** In bytes. */
  readonly freePublicMemory: number | undefined;
  readonly freePrivateMemory: number | undefined;
  /** Per application; undefined where there is no limit, or none is told. */
  readonly mostSessions: number | undefined;
  readonly mostReadWriteSessions: number | undefined;
  /** In characters. */
  readonly pinLength: { readonly least: number; readonly most: number };
  readonly mechanisms: readonly MechanismFacts[];
}

/** C_GetMechanismInfo. */
export interface MechanismFacts {
  /** CKM_ name where one is known, else the number. */
  readonly name: string;
  readonly type: number;
  /** In bits or bytes, as the mechanism has it; undefined where the mechanism has no key sizes. */
  readonly keySize: { readonly least: number; readonly most: number } | undefined;
  /** CKF_ names without CKF_: HW, ENCRYPT ... */
  readonly flags: readonly string[];
}

/** PKCS#11 v3.0, 3.2, table 5. */
const tokenFlags: Readonly<Record<number, string>> = {
  1: 'CKF_RNG',
  2: 'CKF_WRITE_PROTECTED',
  4: 'CKF_LOGIN_REQUIRED',
  8: 'CKF_USER_PIN_INITIALIZED',
  32: 'CKF_RESTORE_KEY_NOT_NEEDED',
  64: 'CKF_CLOCK_ON_TOKEN',
  256: 'CKF_PROTECTED_AUTHENTICATION_PATH',
  512: 'CKF_DUAL_CRYPTO_OPERATIONS',
  1024: 'CKF_TOKEN_INITIALIZED',
  2048: 'CKF_SECONDARY_AUTHENTICATION',
  65536: 'CKF_USER_PIN_COUNT_LOW',
  131072: 'CKF_USER_PIN_FINAL_TRY',
  262144: 'CKF_USER_PIN_LOCKED',
  524288: 'CKF_USER_PIN_TO_BE_CHANGED',
  1048576: 'CKF_SO_PIN_COUNT_LOW',
  2097152: 'CKF_SO_PIN_FINAL_TRY',
  4194304: 'CKF_SO_PIN_LOCKED',
  8388608: 'CKF_SO_PIN_TO_BE_CHANGED',
};

/** PKCS#11 v3.0, 3.3, table 7. */
const mechanismFlags: Readonly<Record<number, string>> = {
  1: 'HW',
  256: 'ENCRYPT',
  512: 'DECRYPT',
  1024: 'DIGEST',
  2048: 'SIGN',
  4096: 'SIGN_RECOVER',
  8192: 'VERIFY',
  16384: 'VERIFY_RECOVER',
  32768: 'GENERATE',
  65536: 'GENERATE_KEY_PAIR',
  131072: 'WRAP',
  262144: 'UNWRAP',
  524288: 'DERIVE',
};

const flagNames = (table: Readonly<Record<number, string>>, flags: number) =>
  Object.entries(table).flatMap(([flag, name]) => ((flags & Number(flag)) !== 0 ? [name] : []));

/** C_GetInfo. @throws the token's error */
export function moduleFacts(cryptoki: pkcs11.PKCS11): ModuleFacts {
  const info = cryptoki.C_GetInfo();
  return {
    libraryDescription: info.libraryDescription.trimEnd(),
    libraryManufacturer: info.manufacturerID.trimEnd(),
    libraryVersion: versionText(info.libraryVersion),
    cryptokiVersion: versionText(info.cryptokiVersion),
  };
}

/** C_GetTokenInfo, C_GetSlotInfo, C_GetMechanismList, C_GetMechanismInfo. @throws the token's error */
export function tokenFacts(cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle): TokenFacts {
  const info = cryptoki.C_GetTokenInfo(slot);
  const { slotDescription, manufacturerID } = cryptoki.C_GetSlotInfo(slot);
  return {
    slotId: Number(slot.readBigUInt64LE(0)),
    slotDescription: slotDescription.trimEnd(),
    slotManufacturer: manufacturerID.trimEnd(),
    hardwareVersion: versionText(info.hardwareVersion),
    flags: flagNames(tokenFlags, info.flags),
    freePublicMemory: told(info.freePublicMemory),
    freePrivateMemory: told(info.freePrivateMemory),
    mostSessions: toldLimit(info.maxSessionCount),
    mostReadWriteSessions: toldLimit(info.maxRwSessionCount),
    pinLength: { least: Number(info.minPinLen), most: Number(info.maxPinLen) },
    mechanisms: cryptoki.C_GetMechanismList(slot).map((type) => mechanismFacts(cryptoki, slot, type)),
  };
}

/** Undefined for CK_UNAVAILABLE_INFORMATION: all bits of a CK_ULONG set, or of one of 32 bits, which some modules mean. */
function told(value: Ulong): number | undefined {
  const number = Number(value);
  return number < 0 || number === 0xff_ff_ff_ff || number >= 2 ** 63 ? undefined : number;
}

/** A CK_ULONG as pkcs11js gives it: a bigint, against its types, when it is large. */
type Ulong = number | bigint;

/** A limit that a token tells; undefined when there is none (CK_EFFECTIVELY_INFINITE is 0), or none is told. */
export function toldLimit(value: Ulong): number | undefined {
  return Number(value) === 0 ? undefined : told(value);
}

function mechanismFacts(cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle, type: number): MechanismFacts {
  const name = mechanismNameOf(type);
  try {
    const { minKeySize, maxKeySize, flags } = cryptoki.C_GetMechanismInfo(slot, type);
    const most = toldLimit(maxKeySize);
    const keySize = most === undefined ? undefined : { least: Number(minKeySize), most };
    return { name, type, keySize, flags: flagNames(mechanismFlags, flags) };
  } catch {
    // some modules list what they then know nothing of
    return { name, type, keySize: undefined, flags: [] };
  }
}
