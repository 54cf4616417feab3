import { commonErrors } from './common-errors.js';

/** Name -> HTTP status of every error that a client can be answered. */
const errorStatus = { ...commonErrors };

export type KmsErrorName = keyof typeof errorStatus;

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
}
