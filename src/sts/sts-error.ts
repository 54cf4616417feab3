/** Code of an error of STS -> HTTP status. */
const statuses = {
  AccessDenied: 403,
  InvalidAction: 400,
  InvalidParameterValue: 400,
  PackedPolicyTooLarge: 400,
  ValidationError: 400,
} as const;

/** What STS refuses, in its words: they reach the client. */
export class StsError extends Error {
  /** Its code. */
  override readonly name: keyof typeof statuses;
  /** HTTP status of the answer. */
  readonly status: number;

  constructor(code: keyof typeof statuses, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = code;
    this.status = statuses[code];
  }
}
