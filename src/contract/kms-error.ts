import { frontEndErrors } from './front-end-errors.js';
import { modelledErrors } from './model.js';

/** Name -> HTTP status of every error that a client can be answered. */
const errorStatus = { ...modelledErrors, ...frontEndErrors };

export type KmsErrorName = keyof typeof errorStatus;

/** Errors whose body has `Message`; all others have `message`. Clients read both. */
const capitalMessage: ReadonlySet<KmsErrorName> = new Set(['AccessDeniedException']);

/**
 * An answer that is an error, in KMS's words. Its message reaches the client: it never holds a path, a stack trace or
 * a PKCS#11 detail. What the service's log should know goes into `cause`.
 *
 * AWS leaves the message out of some errors (InvalidCiphertextException, KMSInvalidSignatureException ...): so do we.
 */
export class KmsError extends Error {
  override readonly name: KmsErrorName;
  /** HTTP status of the answer. */
  readonly status: number;
  /** What the client reads; undefined where AWS sends no message. */
  readonly clientMessage: string | undefined;

  constructor(name: KmsErrorName, message?: string, options?: ErrorOptions) {
    super(message ?? name, options);
    this.name = name;
    this.status = errorStatus[name];
    this.clientMessage = message;
  }

  /**
   * The JSON text of the answer's body. Nothing of `cause` is in it.
   *
   * @example new KmsError('NotFoundException', 'Alias x is not found.').toBody()
   * // '{"__type":"NotFoundException","message":"Alias x is not found."}'
   */
  toBody(): string {
    const member = capitalMessage.has(this.name) ? 'Message' : 'message';
    // JSON.stringify leaves out a member that is undefined.
    return JSON.stringify({ __type: this.name, [member]: this.clientMessage });
  }
}
