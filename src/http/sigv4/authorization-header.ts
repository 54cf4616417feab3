import { hash } from 'node:crypto';
import { KmsError } from '../../contract/kms-error.js';

const ALGORITHM = 'AWS4-HMAC-SHA256';
const TERMINATOR = 'aws4_request';
/** In the order in which AWS complains about them. */
const PARAMETERS = ['Credential', 'Signature', 'SignedHeaders'] as const;

/** The parts of `AWS4-HMAC-SHA256 Credential=..., SignedHeaders=..., Signature=...`; nothing in it is verified yet. */
export interface AuthorizationHeader {
  readonly accessKeyId: string;
  /** Scope of the credential: the day as YYYYMMDD, Region, service and terminator. */
  readonly day: string;
  readonly region: string;
  readonly service: string;
  readonly terminator: string;
  readonly signedHeaders: string;
  readonly signature: string;
}

/** Where and when a signature is good: `20150830/us-east-1/kms/aws4_request`. */
export function credentialScope(day: string, region: string, service: string): string {
  return `${day}/${region}/${service}/${TERMINATOR}`;
}

/**
 * Splits an Authorization header. Never echoes what it holds (it may be a secret in the wrong place), but, like AWS,
 * its hash.
 *
 * @param text the header's value; it starts with `AWS4-`
 * @param hasDate whether the request has an X-Amz-Date or Date header: AWS lists its lack in the same sentence
 * @throws KmsError IncompleteSignatureException
 * @see https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html
 */
export function parseAuthorizationHeader(text: string, hasDate: boolean): AuthorizationHeader {
  const space = text.indexOf(' ');
  const parameters = parseParameters(text, space < 0 ? '' : text.slice(space + 1).trim());
  const missing: string[] = PARAMETERS.filter((name) => !parameters.get(name)).map(
    (name) => `Authorization header requires '${name}' parameter.`,
  );
  if (!hasDate) {
    missing.push("Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header.");
  }
  if (missing.length > 0) {
    missing.push(`(Hashed with SHA-256 and encoded with Base64) Authorization=${fingerprint(text)}`);
    throw incomplete(missing.join(' '));
  }
  // SigV4A (AWS4-ECDSA-P256-SHA256) ends here too.
  if (text.slice(0, space) !== ALGORITHM) {
    throw incomplete(`Unsupported AWS 'algorithm' (only ${ALGORITHM} for now).`);
  }
  const credential = (parameters.get('Credential') ?? '').split('/', 6);
  const [accessKeyId, day, region, service, terminator] = credential as [string, string, string, string, string];
  if (credential.length !== 5) {
    throw incomplete('Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/term.');
  }
  return {
    accessKeyId,
    day,
    region,
    service,
    terminator,
    signedHeaders: parameters.get('SignedHeaders') ?? '',
    signature: parameters.get('Signature') ?? '',
  };
}

function parseParameters(header: string, list: string): Map<string, string> {
  const parameters = new Map<string, string>();
  if (list === '') return parameters;
  // One more than there may be: enough to see that there are too many.
  const pairs = list.split(',', PARAMETERS.length + 1);
  for (const pair of pairs) {
    const equals = pair.indexOf('=');
    if (equals < 0) {
      throw incomplete(
        'Invalid key=value pair (missing equal-sign) in Authorization header (hashed with SHA-256 and encoded with ' +
          `Base64): '${fingerprint(header)}'.`,
      );
    }
    parameters.set(pair.slice(0, equals).trim(), pair.slice(equals + 1).trim());
  }
  // With three pairs for three parameters, none of which may be missing, nothing is foreign or given twice.
  if (pairs.length > PARAMETERS.length) {
    throw incomplete("Authorization header takes 'Credential', 'SignedHeaders' and 'Signature', once each.");
  }
  return parameters;
}

function fingerprint(text: string): string {
  return hash('sha256', text, 'base64');
}

function incomplete(message: string): KmsError {
  return new KmsError('IncompleteSignatureException', message);
}

/**
 * Says what is wrong with the scope of a credential, in AWS's sentences, all of them at once.
 *
 * @param timestamp the request's date as YYYYMMDDTHHMMSSZ
 * @throws KmsError InvalidSignatureException
 */
export function checkCredentialScope(
  { day, region, service, terminator }: AuthorizationHeader,
  regions: ReadonlySet<string>,
  services: ReadonlySet<string>,
  timestamp: string,
): void {
  const problems: string[] = [];
  if (!regions.has(region)) problems.push('Credential should be scoped to a valid region.');
  if (!services.has(service)) {
    problems.push(`Credential should be scoped to correct service: '${[...services].join("' or '")}'.`);
  }
  if (terminator !== TERMINATOR) {
    problems.push(`Credential should be scoped with a valid terminator: '${TERMINATOR}'.`);
  }
  const today = timestamp.slice(0, 8);
  if (day !== today) {
    problems.push(
      'Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: ' +
        `'${day.slice(0, 8)}' != '${today}', from '${timestamp}'.`,
    );
  }
  if (problems.length > 0) throw new KmsError('InvalidSignatureException', problems.join(' '));
}
