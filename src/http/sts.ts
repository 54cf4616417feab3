import type { IncomingMessage } from 'node:http';
import type { Principal } from '../authorization/principal.js';
import { KmsError, type KmsErrorName } from '../contract/kms-error.js';
import { callerOf } from './caller.js';
import type { Protocol } from './protocol.js';

const formType = 'application/x-www-form-urlencoded';
const version = '2011-06-15';
const namespace = `https://sts.amazonaws.com/doc/${version}/`;

/** True for a request in the query protocol, which STS speaks; what has a target is meant for KMS. */
export function isQueryRequest({ headers }: IncomingMessage): boolean {
  return (
    headers['x-amz-target'] === undefined &&
    headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() === formType
  );
}

/** How STS names what KMS names otherwise: code and HTTP status. */
const queryErrors: { readonly [N in KmsErrorName]?: readonly [code: string, status: number] } = {
  ExpiredTokenException: ['ExpiredToken', 403],
  IncompleteSignatureException: ['IncompleteSignature', 400],
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
  RequestEntityTooLargeException: ['RequestEntityTooLarge', 413],
  UnknownOperationException: ['InvalidAction', 400],
  UnrecognizedClientException: ['InvalidClientTokenId', 403],
};

/**
 * The one action of AWS STS that clients of KMS need: GetCallerIdentity, which Terraform and others call first. Nobody
 * needs a permission for it.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html
 */
export const sts: Protocol = {
  contentType: 'text/xml',

  async answer(services, request, requestId, body) {
    if (request.method !== 'POST' || request.url !== '/') {
      throw new KmsError('UnknownOperationException', 'STS takes POST requests to the path / only.');
    }
    const principal = await callerOf(services, services.stsVerifier, request, body);
    const form = new URLSearchParams(body.toString());
    if (form.get('Action') !== 'GetCallerIdentity' || form.get('Version') !== version) {
      throw new KmsError(
        'UnknownOperationException',
        `Could not find this operation: of STS there is only GetCallerIdentity, version ${version}.`,
      );
    }
    return callerIdentity(principal, requestId);
  },

  refuse(error, requestId) {
    const unlisted = error.status < 500 ? ([error.name, error.status] as const) : (['InternalFailure', 500] as const);
    const [code, status] = queryErrors[error.name] ?? unlisted;
    const type = status < 500 ? 'Sender' : 'Receiver';
    const message = escaped(error.clientMessage ?? '');
    return {
      status,
      body: `<ErrorResponse xmlns="${namespace}"><Error><Type>${type}</Type><Code>${code}</Code><Message>${message}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>\n`,
    };
  },
};

function callerIdentity({ arn, uniqueId, accountId }: Principal, requestId: string): string {
  return `<GetCallerIdentityResponse xmlns="${namespace}"><GetCallerIdentityResult><Arn>${escaped(arn)}</Arn><UserId>${escaped(uniqueId)}</UserId><Account>${accountId}</Account></GetCallerIdentityResult><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></GetCallerIdentityResponse>\n`;
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
