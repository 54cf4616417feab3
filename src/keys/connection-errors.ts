import type { ConnectionErrorCodeType } from '@aws-sdk/client-kms';
import { TokenError } from '../token/return-values.js';
import { TokenNotFoundError } from '../token/token-selection.js';

/** CK_RV -> ConnectionErrorCode, in the words that KMS has for a CloudHSM cluster and its crypto user. */
const codes: { readonly [ckr: number]: ConnectionErrorCodeType } = {
  // the token or its connection: CKR_DEVICE_ERROR, CKR_DEVICE_REMOVED, CKR_TOKEN_NOT_PRESENT, CKR_TOKEN_NOT_RECOGNIZED
  48: 'NETWORK_ERRORS',
  50: 'INSUFFICIENT_CLOUDHSM_HSMS',
  224: 'INSUFFICIENT_CLOUDHSM_HSMS',
  225: 'INSUFFICIENT_CLOUDHSM_HSMS',
  // the PIN: CKR_PIN_INCORRECT, _INVALID, _LEN_RANGE, _EXPIRED, _LOCKED
  160: 'INVALID_CREDENTIALS',
  161: 'INVALID_CREDENTIALS',
  162: 'INVALID_CREDENTIALS',
  163: 'INVALID_CREDENTIALS',
  164: 'USER_LOCKED_OUT',
  // the user: CKR_USER_ALREADY_LOGGED_IN, _PIN_NOT_INITIALIZED, _TYPE_INVALID, _ANOTHER_ALREADY_LOGGED_IN
  256: 'USER_LOGGED_IN',
  258: 'USER_NOT_FOUND',
  259: 'USER_NOT_FOUND',
  260: 'USER_LOGGED_IN',
};

/** Why a token cannot be opened, in KMS's words. */
export function connectionErrorOf(error: unknown): ConnectionErrorCodeType {
  for (let each = error; each instanceof Error; each = each.cause) {
    if (each instanceof TokenNotFoundError) return 'CLUSTER_NOT_FOUND';
    if (each instanceof TokenError) return codes[each.ckr ?? 0] ?? 'INTERNAL_ERROR';
  }
  return 'INTERNAL_ERROR';
}

/** Tokens lock a user whose PIN was wrong a few times: such a login is not tried again before somebody has seen to it. */
export function isRefusedLogin(code: ConnectionErrorCodeType): boolean {
  return code === 'INVALID_CREDENTIALS' || code === 'USER_LOCKED_OUT' || code === 'USER_NOT_FOUND';
}
