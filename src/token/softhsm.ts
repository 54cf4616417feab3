import { existsSync } from 'node:fs';
import type pkcs11 from 'pkcs11js';
import { loadModule, outlastLoginOfAnother, tokenIdentity, tokenInfo } from './module.js';
import { tokenError } from './return-values.js';
import { readWriteSession } from './session-pool.js';

/** Where distributions put SoftHSM2's module. */
const modulePaths = [
  '/usr/lib/softhsm/libsofthsm2.so',
  '/usr/lib/x86_64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib/aarch64-linux-gnu/softhsm/libsofthsm2.so',
  '/usr/lib64/pkcs11/libsofthsm2.so',
  '/usr/local/lib/softhsm/libsofthsm2.so',
  '/opt/homebrew/lib/softhsm/libsofthsm2.so',
];

/** SoftHSM2's module on this system. @throws Error that says how to install it */
export function softHsmModule(): string {
  const path = modulePaths.find((each) => existsSync(each));
  if (path === undefined) {
    throw new Error(
      'SoftHSM2 is not installed. Install the package softhsm2, or set HSM_KMS_PKCS11_MODULE to the library of your token.',
    );
  }
  return path;
}

/** Text of softhsm2.conf. @param tokens directory of the token's files */
export function softHsmConfiguration(tokens: string): string {
  return [
    `directories.tokendir = ${tokens}`,
    'objectstore.backend = file',
    'log.level = ERROR',
    'slots.removable = false',
    'slots.mechanisms = ALL',
    'library.reset_on_fork = false',
    '',
  ].join('\n');
}

/** CK_TOKEN_INFO flags (PKCS#11 v3.0, 3.2). */
const CKF_USER_PIN_INITIALIZED = 0x8;
const CKF_TOKEN_INITIALIZED = 0x400;
const CKU_SO = 0;

/**
 * Makes a token in SoftHSM2's first free slot. The environment's SOFTHSM2_CONF must name the configuration. What
 * exists is kept; what a run that was interrupted left out is done.
 *
 * @returns true when there was something to do
 * @throws Error, TokenError
 */
export function initialiseSoftHsmToken(label: string, pins: { securityOfficer: string; user: string }): boolean {
  const cryptoki = loadModule(softHsmModule());
  try {
    const slot = slotOf(cryptoki, label) ?? initialiseFreeSlot(cryptoki, label, pins.securityOfficer);
    if (hasFlag(cryptoki, slot, CKF_USER_PIN_INITIALIZED)) return false;
    const session = cryptoki.C_OpenSession(slot, readWriteSession);
    outlastLoginOfAnother(() => cryptoki.C_Login(session, CKU_SO, pins.securityOfficer));
    cryptoki.C_InitPIN(session, pins.user);
    cryptoki.C_Logout(session);
    cryptoki.C_CloseSession(session);
    return true;
  } catch (thrown) {
    throw tokenError(thrown);
  }
}

function hasFlag(cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle, flag: number): boolean {
  return (tokenInfo(cryptoki, slot).flags & flag) !== 0;
}

function slotOf(cryptoki: pkcs11.PKCS11, label: string): pkcs11.Handle | undefined {
  return cryptoki.C_GetSlotList(true).find((slot) => tokenIdentity(cryptoki, slot).label === label);
}

function initialiseFreeSlot(cryptoki: pkcs11.PKCS11, label: string, securityOfficerPin: string): pkcs11.Handle {
  const free = cryptoki.C_GetSlotList(true).find((slot) => !hasFlag(cryptoki, slot, CKF_TOKEN_INITIALIZED));
  if (free === undefined) throw new Error('SoftHSM2 shows no free slot for a token.');
  // C_InitToken reads 32 bytes of label, whatever it is given
  cryptoki.C_InitToken(free, securityOfficerPin, label.padEnd(32));
  const made = slotOf(cryptoki, label);
  if (made === undefined) throw new Error('SoftHSM2 does not show the token that it made.');
  return made;
}
