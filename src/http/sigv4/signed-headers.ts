import { KmsError } from '../../contract/kms-error.js';

/** Headers that someone decides by. node shows the first of two, or joins them: whoever signed may have meant the other. */
const ONCE = new Set([
  'authorization',
  'content-type',
  'date',
  'host',
  'x-amz-content-sha256',
  'x-amz-date',
  'x-amz-security-token',
  'x-amz-target',
]);
const NEEDS_FOLDING = /[ \t]{2}|\t|^ | $/;

/** Header name in lower case -> value as it stands in a canonical request. A Map: clients choose the names. */
export type CanonicalHeaders = ReadonlyMap<string, string>;

/**
 * The received headers in canonical form: names in lower case, values trimmed, runs of blanks made one space, repeated
 * headers joined with a comma in the order of their arrival.
 *
 * @param rawHeaders node's list of name, value, name, value; a character is one byte received
 * @throws KmsError InvalidSignatureException if a header that decides something comes twice
 */
export function canonicalHeaders(rawHeaders: readonly string[]): CanonicalHeaders {
  const headers = new Map<string, string>();
  for (let index = 0; index + 1 < rawHeaders.length; index += 2) {
    const name = (rawHeaders[index] as string).toLowerCase();
    const value = foldBlanks(rawHeaders[index + 1] as string);
    const earlier = headers.get(name);
    if (earlier !== undefined && ONCE.has(name)) {
      throw new KmsError('InvalidSignatureException', `Found more than one '${name}' header.`);
    }
    headers.set(name, earlier === undefined ? value : `${earlier},${value}`);
  }
  return headers;
}

/** Not trim() and \s: U+00A0 is white space to them, and here the second byte of a UTF-8 'à'. */
function foldBlanks(value: string): string {
  if (!NEEDS_FOLDING.test(value)) return value;
  const folded = value.replace(/[ \t]+/g, ' ');
  return folded.slice(folded.startsWith(' ') ? 1 : 0, folded.endsWith(' ') ? -1 : undefined);
}

/**
 * The canonical headers of a request: a line `name:value` for each name in SignedHeaders.
 *
 * @param signedHeaders names joined with `;`, in lower case, sorted, each once, each received
 * @param contentType whether a Content-Type that was received must be among them
 * @throws KmsError InvalidSignatureException if the list is malformed, or lacks Host or an x-amz-* header received: a
 * man in the middle could set what nobody signed
 */
export function signedHeaderLines(headers: CanonicalHeaders, signedHeaders: string, contentType: boolean): string {
  const signed = new Set<string>();
  let lines = '';
  let previous = '';
  for (const name of signedHeaders.split(';')) {
    const value = headers.get(name);
    if (name <= previous || value === undefined) {
      throw new KmsError(
        'InvalidSignatureException',
        "The 'SignedHeaders' of the AWS Authorization must be headers of the request, in lower case, sorted, each once.",
      );
    }
    signed.add(name);
    lines += `${name}:${value}\n`;
    previous = name;
  }
  if (!signed.has('host')) throw unsigned("'Host' or ':authority'");
  for (const name of headers.keys()) {
    if ((name.startsWith('x-amz-') || (contentType && name === 'content-type')) && !signed.has(name)) {
      throw unsigned(`'${name}'`);
    }
  }
  return lines;
}

function unsigned(name: string): KmsError {
  return new KmsError('InvalidSignatureException', `${name} must be a 'SignedHeader' in the AWS Authorization.`);
}
