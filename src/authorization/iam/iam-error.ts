import { KmsError } from '../../contract/kms-error.js';

export type IamErrorCode =
  | 'AccessDenied'
  | 'DeleteConflict'
  | 'EntityAlreadyExists'
  | 'InvalidInput'
  | 'LimitExceeded'
  | 'MalformedPolicyDocument'
  | 'NoSuchEntity'
  | 'ValidationError';

/** What IAM refuses, in its words. */
export class IamError extends Error {
  override readonly name = 'IamError';

  constructor(
    readonly code: IamErrorCode,
    message: string,
    options?: ErrorOptions,
  ) {
    super(message, options);
  }
}

export function noSuchEntity(message: string): IamError {
  return new IamError('NoSuchEntity', message);
}

/** IAM's LimitExceeded. @param quota as in AWS's messages: AccessKeysPerUser */
export function quotaExceeded(quota: string, most: number): IamError {
  return new IamError('LimitExceeded', `Cannot exceed quota for ${quota}: ${most}`);
}

/** What the policy engine says of a document, as IAM calls it. */
export function asIamError(error: unknown): unknown {
  if (!(error instanceof KmsError) || error.name !== 'MalformedPolicyDocumentException') return error;
  return new IamError('MalformedPolicyDocument', error.message, { cause: error });
}
