/**
 * What this service does about a CK_RV:
 * - `input`: the data that a client sent does not fit (a wrong ciphertext or signature); not the token's fault
 * - `ambiguous`: some tokens say this of wrong data, others when they are broken: look at the token's health to tell
 * - `handle`: the object handle is stale: find the object again, once
 * - `session`: the session is spoilt: close it, try again in a new one, once
 * - `module`: the token or its connection is gone: the module must be initialised anew
 * - `refused`: the token will not do this for this key
 */
export type Reaction = 'input' | 'ambiguous' | 'handle' | 'session' | 'module' | 'refused' | 'give-up';

/** CK_RV (PKCS#11 v3.0, appendix B) -> name and reaction. What is not listed is given up. */
const returnValues: Record<number, readonly [name: string, reaction: Reaction]> = {
  2: ['CKR_HOST_MEMORY', 'give-up'],
  3: ['CKR_SLOT_ID_INVALID', 'module'],
  5: ['CKR_GENERAL_ERROR', 'ambiguous'],
  6: ['CKR_FUNCTION_FAILED', 'ambiguous'],
  7: ['CKR_ARGUMENTS_BAD', 'refused'],
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
  84: ['CKR_FUNCTION_NOT_SUPPORTED', 'refused'],
  96: ['CKR_KEY_HANDLE_INVALID', 'handle'],
  98: ['CKR_KEY_SIZE_RANGE', 'refused'],
  99: ['CKR_KEY_TYPE_INCONSISTENT', 'refused'],
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
  177: ['CKR_SESSION_COUNT', 'give-up'],
  179: ['CKR_SESSION_HANDLE_INVALID', 'session'],
  192: ['CKR_SIGNATURE_INVALID', 'input'],
  193: ['CKR_SIGNATURE_LEN_RANGE', 'input'],
  208: ['CKR_TEMPLATE_INCOMPLETE', 'refused'],
  209: ['CKR_TEMPLATE_INCONSISTENT', 'refused'],
  224: ['CKR_TOKEN_NOT_PRESENT', 'module'],
  225: ['CKR_TOKEN_NOT_RECOGNIZED', 'module'],
  240: ['CKR_UNWRAPPING_KEY_HANDLE_INVALID', 'handle'],
  241: ['CKR_UNWRAPPING_KEY_SIZE_RANGE', 'refused'],
  242: ['CKR_UNWRAPPING_KEY_TYPE_INCONSISTENT', 'refused'],
  256: ['CKR_USER_ALREADY_LOGGED_IN', 'refused'],
  257: ['CKR_USER_NOT_LOGGED_IN', 'module'],
  258: ['CKR_USER_PIN_NOT_INITIALIZED', 'give-up'],
  259: ['CKR_USER_TYPE_INVALID', 'give-up'],
  260: ['CKR_USER_ANOTHER_ALREADY_LOGGED_IN', 'give-up'],
  272: ['CKR_WRAPPED_KEY_INVALID', 'input'],
  274: ['CKR_WRAPPED_KEY_LEN_RANGE', 'input'],
  304: ['CKR_DOMAIN_PARAMS_INVALID', 'refused'],
  336: ['CKR_BUFFER_TOO_SMALL', 'give-up'],
  400: ['CKR_CRYPTOKI_NOT_INITIALIZED', 'module'],
  401: ['CKR_CRYPTOKI_ALREADY_INITIALIZED', 'refused'],
};

/** An error of the token. Its text is for the service's log; no client sees it. */
export class TokenError extends Error {
  override readonly name = 'TokenError';
  readonly reaction: Reaction;

  /** @param ckr the CK_RV, or undefined where pkcs11js gave none */
  constructor(
    readonly ckr: number | undefined,
    cause: unknown,
  ) {
    const [name, reaction] = (ckr !== undefined && returnValues[ckr]) || [
      'an error without a known CKR code',
      'give-up',
    ];
    super(ckr === undefined ? String(cause) : `${name} (${ckr})`, { cause });
    this.reaction = reaction;
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
