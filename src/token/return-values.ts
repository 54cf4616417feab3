/**
 * What this service does about a CK_RV:
 * - `input`: the data that a client sent does not fit (a wrong ciphertext or signature); not the token's fault. Believed
 *   only of a function that judges such data (`judging`)
 * - `ambiguous`: some tokens say this of wrong data, others when they are broken: the call is made again, and where the
 *   token works otherwise, it is the data
 * - `handle`: the object handle is stale: the object is found again
 * - `session`: the session is spoilt: it is closed, and the call made again in a new one
 * - `module`: the token or its connection is gone: where it does not answer any more, it is looked for, the module is
 *   initialised anew, and logged in to
 * - `busy`: the token has no room for it now: throttled
 * - `refused`: the token will not do this for this key
 * - `give-up`: nothing that this service could do would help
 */
export type Reaction = 'input' | 'ambiguous' | 'handle' | 'session' | 'module' | 'busy' | 'refused' | 'give-up';

/** CK_RV (PKCS#11 v3.1, pkcs11t.h) -> name and reaction. What is not listed, a vendor's own, is given up. */
const returnValues: Record<number, readonly [name: string, reaction: Reaction]> = {
  1: ['CKR_CANCEL', 'session'],
  2: ['CKR_HOST_MEMORY', 'give-up'],
  3: ['CKR_SLOT_ID_INVALID', 'module'],
  5: ['CKR_GENERAL_ERROR', 'ambiguous'],
  6: ['CKR_FUNCTION_FAILED', 'ambiguous'],
  7: ['CKR_ARGUMENTS_BAD', 'refused'],
  8: ['CKR_NO_EVENT', 'give-up'],
  9: ['CKR_NEED_TO_CREATE_THREADS', 'give-up'],
  10: ['CKR_CANT_LOCK', 'give-up'],
  16: ['CKR_ATTRIBUTE_READ_ONLY', 'refused'],
  17: ['CKR_ATTRIBUTE_SENSITIVE', 'refused'],
  18: ['CKR_ATTRIBUTE_TYPE_INVALID', 'refused'],
  19: ['CKR_ATTRIBUTE_VALUE_INVALID', 'refused'],
  27: ['CKR_ACTION_PROHIBITED', 'refused'],
  32: ['CKR_DATA_INVALID', 'input'],
  33: ['CKR_DATA_LEN_RANGE', 'input'],
  48: ['CKR_DEVICE_ERROR', 'module'],
  49: ['CKR_DEVICE_MEMORY', 'give-up'],
  50: ['CKR_DEVICE_REMOVED', 'module'],
  64: ['CKR_ENCRYPTED_DATA_INVALID', 'input'],
  65: ['CKR_ENCRYPTED_DATA_LEN_RANGE', 'input'],
  66: ['CKR_AEAD_DECRYPT_FAILED', 'input'],
  80: ['CKR_FUNCTION_CANCELED', 'session'],
  81: ['CKR_FUNCTION_NOT_PARALLEL', 'give-up'],
  84: ['CKR_FUNCTION_NOT_SUPPORTED', 'refused'],
  96: ['CKR_KEY_HANDLE_INVALID', 'handle'],
  98: ['CKR_KEY_SIZE_RANGE', 'refused'],
  99: ['CKR_KEY_TYPE_INCONSISTENT', 'refused'],
  100: ['CKR_KEY_NOT_NEEDED', 'give-up'],
  101: ['CKR_KEY_CHANGED', 'give-up'],
  102: ['CKR_KEY_NEEDED', 'give-up'],
  103: ['CKR_KEY_INDIGESTIBLE', 'refused'],
  104: ['CKR_KEY_FUNCTION_NOT_PERMITTED', 'refused'],
  105: ['CKR_KEY_NOT_WRAPPABLE', 'refused'],
  106: ['CKR_KEY_UNEXTRACTABLE', 'refused'],
  112: ['CKR_MECHANISM_INVALID', 'refused'],
  113: ['CKR_MECHANISM_PARAM_INVALID', 'refused'],
  130: ['CKR_OBJECT_HANDLE_INVALID', 'handle'],
  144: ['CKR_OPERATION_ACTIVE', 'session'],
  145: ['CKR_OPERATION_NOT_INITIALIZED', 'session'],
  160: ['CKR_PIN_INCORRECT', 'give-up'],
  161: ['CKR_PIN_INVALID', 'give-up'],
  162: ['CKR_PIN_LEN_RANGE', 'give-up'],
  163: ['CKR_PIN_EXPIRED', 'give-up'],
  164: ['CKR_PIN_LOCKED', 'give-up'],
  176: ['CKR_SESSION_CLOSED', 'session'],
  177: ['CKR_SESSION_COUNT', 'busy'],
  179: ['CKR_SESSION_HANDLE_INVALID', 'session'],
  180: ['CKR_SESSION_PARALLEL_NOT_SUPPORTED', 'give-up'],
  181: ['CKR_SESSION_READ_ONLY', 'refused'],
  182: ['CKR_SESSION_EXISTS', 'give-up'],
  183: ['CKR_SESSION_READ_ONLY_EXISTS', 'give-up'],
  184: ['CKR_SESSION_READ_WRITE_SO_EXISTS', 'give-up'],
  192: ['CKR_SIGNATURE_INVALID', 'input'],
  193: ['CKR_SIGNATURE_LEN_RANGE', 'input'],
  208: ['CKR_TEMPLATE_INCOMPLETE', 'refused'],
  209: ['CKR_TEMPLATE_INCONSISTENT', 'refused'],
  224: ['CKR_TOKEN_NOT_PRESENT', 'module'],
  225: ['CKR_TOKEN_NOT_RECOGNIZED', 'module'],
  226: ['CKR_TOKEN_WRITE_PROTECTED', 'refused'],
  240: ['CKR_UNWRAPPING_KEY_HANDLE_INVALID', 'handle'],
  241: ['CKR_UNWRAPPING_KEY_SIZE_RANGE', 'refused'],
  242: ['CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT', 'refused'],
  256: ['CKR_USER_ALREADY_LOGGED_IN', 'refused'],
  257: ['CKR_USER_NOT_LOGGED_IN', 'module'],
  258: ['CKR_USER_PIN_NOT_INITIALIZED', 'give-up'],
  259: ['CKR_USER_TYPE_INVALID', 'give-up'],
  260: ['CKR_USER_ANOTHER_ALREADY_LOGGED_IN', 'give-up'],
  261: ['CKR_USER_TOO_MANY_TYPES', 'give-up'],
  272: ['CKR_WRAPPED_KEY_INVALID', 'input'],
  274: ['CKR_WRAPPED_KEY_LEN_RANGE', 'input'],
  275: ['CKR_WRAPPING_KEY_HANDLE_INVALID', 'handle'],
  276: ['CKR_WRAPPING_KEY_SIZE_RANGE', 'refused'],
  277: ['CKR_WRAPPING_KEY_TYPE_INCONSISTENT', 'refused'],
  288: ['CKR_RANDOM_SEED_NOT_SUPPORTED', 'refused'],
  289: ['CKR_RANDOM_NO_RNG', 'refused'],
  304: ['CKR_DOMAIN_PARAMS_INVALID', 'refused'],
  320: ['CKR_CURVE_NOT_SUPPORTED', 'refused'],
  336: ['CKR_BUFFER_TOO_SMALL', 'give-up'],
  352: ['CKR_SAVED_STATE_INVALID', 'give-up'],
  368: ['CKR_INFORMATION_SENSITIVE', 'refused'],
  384: ['CKR_STATE_UNSAVEABLE', 'give-up'],
  400: ['CKR_CRYPTOKI_NOT_INITIALIZED', 'module'],
  401: ['CKR_CRYPTOKI_ALREADY_INITIALIZED', 'refused'],
  416: ['CKR_MUTEX_BAD', 'module'],
  417: ['CKR_MUTEX_NOT_LOCKED', 'module'],
  432: ['CKR_NEW_PIN_MODE', 'give-up'],
  433: ['CKR_NEXT_OTP', 'give-up'],
  437: ['CKR_EXCEEDED_MAX_ITERATIONS', 'give-up'],
  438: ['CKR_FIPS_SELF_TEST_FAILED', 'module'],
  439: ['CKR_LIBRARY_LOAD_FAILED', 'give-up'],
  440: ['CKR_PIN_TOO_WEAK', 'give-up'],
  441: ['CKR_PUBLIC_KEY_INVALID', 'input'],
  512: ['CKR_FUNCTION_REJECTED', 'refused'],
  513: ['CKR_TOKEN_RESOURCE_EXCEEDED', 'busy'],
  514: ['CKR_OPERATION_CANCEL_FAILED', 'session'],
  515: ['CKR_KEY_EXHAUSTED', 'refused'],
};

/** An error of the token. Its text is for the service's log; no client sees it. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reaction: Reaction;
  /** CKR_DEVICE_ERROR; CKR_VENDOR_DEFINED for what PKCS#11 does not name. */
  readonly returnValue: string;
  /** The function, when it had a client's data to judge. */
  judging: 'C_Decrypt' | 'C_Verify' | undefined;

  /** @param ckr the CK_RV, or undefined where pkcs11js gave none */
  constructor(
    readonly ckr: number | undefined,
    cause: unknown,
  ) {
    const known = ckr === undefined ? undefined : returnValues[ckr];
    const [name, reaction] = known ?? ['an error without a known CKR code', 'give-up'];
    super(ckr === undefined ? String(cause) : `${name} (${ckr})`, { cause });
    this.reaction = reaction;
    this.returnValue = known?.[0] ?? 'CKR_VENDOR_DEFINED';
  }
}

/** The token does not show an object that the database knows. Not NotFoundException: the token may be gone. */
export class ObjectMissingError extends Error {
  override readonly name = 'ObjectMissingError';
}

/** All sessions stayed busy for too long. */
export class TokenBusyError extends Error {
  override readonly name = 'TokenBusyError';
}

/** The token is gone, or does not answer; it is being looked for. */
export class TokenUnavailableError extends Error {
  override readonly name = 'TokenUnavailableError';
}

/** A call took too long, and was given up; what came of it is not known. */
export class TokenTimeoutError extends Error {
  override readonly name = 'TokenTimeoutError';
}

/** The service has let go of this token: its custom key store was disconnected. */
export class TokenClosedError extends Error {
  override readonly name = 'TokenClosedError';
}

/** pkcs11js's own classes, and plain errors whose message holds a code. */
function isFromPkcs11js(error: Error): boolean {
  return error.name === 'Pkcs11Error' || error.name === 'NativeError' || codeInMessage.test(error.message);
}

const codeInMessage = /\bCKR_\w+:(\d+)/;

/**
 * Whatever pkcs11js threw, as a TokenError. The number decides: pkcs11js's text names codes that it does not know
 * CKR_VENDOR_DEFINED, and some of its functions give the number in the message only ("CKR_X:16").
 */
export function tokenError(thrown: unknown): Error {
  if (thrown instanceof TokenError || thrown instanceof ObjectMissingError || thrown instanceof TokenBusyError) {
    return thrown;
  }
  if (!(thrown instanceof Error)) return new TokenError(undefined, thrown);
  if (!isFromPkcs11js(thrown)) return thrown;
  const { code } = thrown as { code?: unknown };
  if (typeof code === 'number' && code > 0) return new TokenError(code, thrown);
  const inMessage = codeInMessage.exec(thrown.message)?.[1];
  return inMessage === undefined ? new TokenError(undefined, thrown) : new TokenError(Number(inMessage), thrown);
}
