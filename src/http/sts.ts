import type { IncomingMessage } from 'node:http';
import type { KmsErrorName } from '../contract/kms-error.js';
import { actionNamed, perform, version } from '../sts/actions.js';
import { QueryParameters } from '../sts/query-parameters.js';
import type { Result } from '../sts/sts.js';
import { StsError } from '../sts/sts-error.js';
import { callerOf } from './caller.js';
import { asKmsError, type Protocol } from './protocol.js';

const formType = 'application/x-www-form-urlencoded';
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
  AccessDeniedException: ['AccessDenied', 403],
  ExpiredTokenException: ['ExpiredToken', 403],
  IncompleteSignatureException: ['IncompleteSignature', 400],
  InvalidSignatureException: ['SignatureDoesNotMatch', 403],
  MalformedPolicyDocumentException: ['MalformedPolicyDocument', 400],
  MissingAuthenticationTokenException: ['MissingAuthenticationToken', 403],
  RequestEntityTooLargeException: ['RequestEntityTooLarge', 413],
  ThrottlingException: ['Throttling', 400],
  UnrecognizedClientException: ['InvalidClientTokenId', 403],
  ValidationException: ['ValidationError', 400],
};

/** AWS's query protocol, as STS speaks it: a form in, XML out. */
export const sts: Protocol = {
  service: 'sts',
  contentType: 'text/xml',

  async answer(services, request, observed, body) {
    const { id: requestId } = observed;
    if (request.method !== 'POST' || request.url !== '/') {
      throw new StsError('InvalidAction', 'STS takes POST requests to the path / only.');
    }
    const principal = await callerOf(services, services.stsVerifier, request, body, observed);
    const { trail } = observed;
    const requester = { principal, source: observed.source, requestId, trail };
    const parameters = new QueryParameters(body.toString());
    observed.operation = actionNamed(parameters) ?? observed.operation;
    const { action, result } = await perform(services.sts, requester, parameters);
    trail.output = result;
    return `<${action}Response xmlns="${namespace}"><${action}Result>${elements(result)}</${action}Result><ResponseMetadata><RequestId>${requestId}</RequestId></ResponseMetadata></${action}Response>\n`;
  },

  refuse(error, requestId) {
    const { name, status, message } = error instanceof StsError ? error : inQueryWords(error);
    const type = status < 500 ? 'Sender' : 'Receiver';
    return {
      ...{ status, name, message },
      body: `<ErrorResponse xmlns="${namespace}"><Error><Type>${type}</Type><Code>${name}</Code><Message>${escaped(message)}</Message></Error><RequestId>${requestId}</RequestId></ErrorResponse>\n`,
    };
  },
};

function inQueryWords(error: unknown): { readonly name: string; readonly status: number; readonly message: string } {
  const { name, status, clientMessage: message = '' } = asKmsError(error);
  const unlisted = status < 500 ? ([name, status] as const) : (['InternalFailure', 500] as const);
  const [code, queryStatus] = queryErrors[name] ?? unlisted;
  return { name: code, status: queryStatus, message };
}

function elements(result: Result): string {
  return Object.entries(result)
    .filter(([, value]) => value !== undefined)
    .map(
      ([name, value]) => `<${name}>${typeof value === 'object' ? elements(value) : escaped(String(value))}</${name}>`,
    )
    .join('');
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
/** What XML cannot hold in any spelling. */
const notInXml = /[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/gu;

function escaped(text: string): string {
  return text.replace(notInXml, '\ufffd').replace(/[&<>"]/g, (character) => entities[character] ?? '');
}
