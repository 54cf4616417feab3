/**
 * Errors that AWS's JSON front end answers for every service and that the KMS service model therefore does not list:
 * name -> HTTP status. KMS answers 400 for authentication and authorization failures too.
 */
export const frontEndErrors = {
  AccessDeniedException: 400,
  ExpiredTokenException: 400,
  IncompleteSignatureException: 400,
  InvalidSignatureException: 400,
  MissingAuthenticationTokenException: 400,
  RequestEntityTooLargeException: 413,
  SerializationException: 400,
  ServiceUnavailableException: 503,
  ThrottlingException: 400,
  UnknownOperationException: 400,
  UnrecognizedClientException: 400,
  ValidationException: 400,
} as const;
