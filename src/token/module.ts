import { accessSync, constants, realpathSync } from 'node:fs';
import pkcs11 from 'pkcs11js';
import { whyNotForThisProcess } from './module-file.js';
import { TokenError, tokenError } from './return-values.js';
import { sleep } from './sleep.js';
import {
  identityFrom,
  selectSlot,
  type TokenIdentity,
  TokenNotFoundError,
  type TokenSelector,
} from './token-selection.js';

/** CKF_OS_LOCKING_OK: without it the calls that pkcs11js makes in other threads corrupt memory. */
const CKF_OS_LOCKING_OK = 2;

/** By the library's real path: two instances of one library would share its state without knowing. */
const loaded = new Map<string, pkcs11.PKCS11>();

/**
 * Loads a PKCS#11 module and initialises it, once per process and in the main thread; several tokens of one module
 * share it.
 *
 * @param path of the shared library
 * @param parameters text for the library: CK_C_INITIALIZE_ARGS.pReserved, as NSS takes it
 * @throws Error that names the path and what to do, when the library is missing or refuses
 */
export function loadModule(path: string, parameters?: string): pkcs11.PKCS11 {
  let library: string;
  try {
    library = realpathSync(path);
    accessSync(library, constants.R_OK);
  } catch (error) {
    throw new Error(`The PKCS#11 module ${path} cannot be read. Set HSM_KMS_PKCS11_MODULE to your token's library.`, {
      cause: error,
    });
  }
  const known = loaded.get(library);
  if (known) return known;
  const objection = whyNotForThisProcess(library);
  if (objection !== undefined) {
    throw new Error(
      `The PKCS#11 module ${path} ${objection}: set HSM_KMS_PKCS11_MODULE to your token's library for it.`,
    );
  }
  const cryptoki = new pkcs11.PKCS11();
  try {
    cryptoki.load(path);
    initialise(cryptoki, parameters);
  } catch (error) {
    throw new Error(
      `The PKCS#11 module ${path} does not start (${tokenError(error).message}): HSM_KMS_PKCS11_MODULE names your token's library, and its maker says what it needs beside it.`,
      { cause: error },
    );
  }
  loaded.set(library, cryptoki);
  return cryptoki;
}

function initialise(cryptoki: pkcs11.PKCS11, parameters: string | undefined): void {
  // pkcs11js drops the last character of the parameters
  cryptoki.C_Initialize({
    flags: CKF_OS_LOCKING_OK,
    ...(parameters !== undefined && { libraryParameters: `${parameters} ` }),
  });
}

/** How many tokens of a module this process is connected to. While there is one, the module must not start anew. */
const users = new WeakMap<pkcs11.PKCS11, number>();

const isInUse = (cryptoki: pkcs11.PKCS11): boolean => (users.get(cryptoki) ?? 0) > 0;

export function addUser(cryptoki: pkcs11.PKCS11): void {
  users.set(cryptoki, (users.get(cryptoki) ?? 0) + 1);
}

export function removeUser(cryptoki: pkcs11.PKCS11): void {
  users.set(cryptoki, (users.get(cryptoki) ?? 1) - 1);
}

/**
 * C_Finalize, C_Initialize: what a module needs that has lost its device, or is to look at its tokens anew. No call may
 * be under way. Nothing is done where a token of the module is in use.
 *
 * @returns whether it was done
 * @throws Error as loadModule; TokenError
 */
export function restartModule(path: string, parameters?: string): boolean {
  const cryptoki = loadModule(path, parameters);
  if (isInUse(cryptoki)) return false;
  try {
    cryptoki.C_Finalize();
  } catch {
    // it may be that far already
  }
  try {
    initialise(cryptoki, parameters);
  } catch (thrown) {
    throw tokenError(thrown);
  }
  return true;
}

/** How often a module is asked for a token that it does not show, and how long after another, in milliseconds. */
const search = { attempts: 10, milliseconds: 20 } as const;

/**
 * The slot of the one token that the selector names, for as long as the process lives. SoftHSM2 writes a token's file
 * anew at each login, and not at one stroke: a module that looks at it while another process logs in sees a token
 * without a label, and one that is initialised in that moment overlooks the token until it is initialised again.
 *
 * @throws TokenNotFoundError when none or several tokens are as the selector says; TokenError
 */
export function useSlot(
  cryptoki: pkcs11.PKCS11,
  selector: TokenSelector,
  parameters: string | undefined,
): pkcs11.Handle {
  const { attempts, milliseconds } = isInUse(cryptoki) ? loginOfAnother : search;
  for (let attempt = 1; ; attempt++) {
    try {
      return selectSlot(cryptoki, selector);
    } catch (error) {
      if (!(error instanceof TokenNotFoundError) || attempt === attempts) throw error;
    }
    sleep(milliseconds);
    if (isInUse(cryptoki)) continue;
    cryptoki.C_Finalize();
    initialise(cryptoki, parameters);
  }
}

/** How often a call is made that fails while another process logs in, and how long after another, in milliseconds. */
const loginOfAnother = { attempts: 60, milliseconds: 3 } as const;
/** What SoftHSM2 says meanwhile: CKR_GENERAL_ERROR, CKR_FUNCTION_FAILED, CKR_USER_PIN_NOT_INITIALIZED. */
export const saidDuringLoginOfAnother: readonly (number | undefined)[] = [5, 6, 258];

/**
 * Does what reads or writes a token's own file: C_GetTokenInfo, C_Login. While another process logs in, SoftHSM2 has
 * that file cut to nothing for a moment (milliseconds on a busy machine), and fails.
 *
 * @throws TokenError
 */
export function outlastLoginOfAnother<T>(call: () => T): T {
  for (let attempt = 1; ; attempt++) {
    try {
      return call();
    } catch (thrown) {
      const error = tokenError(thrown);
      const mayPass = error instanceof TokenError && saidDuringLoginOfAnother.includes(error.ckr);
      if (!mayPass || attempt === loginOfAnother.attempts) throw error;
    }
    sleep(loginOfAnother.milliseconds);
  }
}

/** C_GetTokenInfo. @throws TokenError */
export function tokenInfo(cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle): pkcs11.TokenInfo {
  return outlastLoginOfAnother(() => cryptoki.C_GetTokenInfo(slot));
}

/** @throws TokenError */
export function tokenIdentity(cryptoki: pkcs11.PKCS11, slot: pkcs11.Handle): TokenIdentity {
  return identityFrom(tokenInfo(cryptoki, slot));
}
