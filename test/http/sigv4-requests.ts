import { createHash } from 'node:crypto';
import { Sha256 } from '@aws-crypto/sha256-js';
import { expect } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { KmsError, type KmsErrorName } from '../../src/contract/kms-error.js';
import {
  type AccessKey,
  type SignedRequest,
  SigV4Verifier,
  type SigV4VerifierOptions,
} from '../../src/http/sigv4/verifier.js';

export const SECRET = 'wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY';
export const ID = 'AKIDEXAMPLE';
export const NOW = Date.UTC(2015, 7, 30, 12, 36, 0);
export const HEADERS = {
  host: 'kms.example.com',
  'content-type': 'application/x-amz-json-1.1',
  'x-amz-target': 'TrentService.Encrypt',
  'user-agent': 'unsigned/1.0',
  'amz-sdk-request': 'attempt=1; max=3',
};
export const BODY = Buffer.from('{"KeyId":"alias/a","Plaintext":"AAAA"}');
export const MISMATCH = 'The request signature we calculated does not match the signature you provided.';

interface Scope {
  secret?: string;
  region?: string;
  service?: string;
  at?: number;
  sessionToken?: string;
}

/** A request with its body, as node would show it. */
export interface Request extends SignedRequest {
  method: string;
  url: string;
  rawHeaders: string[];
  body: Buffer;
}

/** Signs with AWS's own signer, which shares no code with the verifier. */
function signer({ secret = SECRET, region = 'us-east-1', service = 'kms', sessionToken }: Scope = {}) {
  const token = sessionToken === undefined ? {} : { sessionToken };
  const credentials = { accessKeyId: ID, secretAccessKey: secret, ...token };
  return new SignatureV4({ service, region, credentials, sha256: Sha256 });
}

export async function sign(
  headers: Record<string, string> = HEADERS,
  body = BODY,
  scope: Scope = {},
): Promise<Request> {
  const { headers: signed } = await signer(scope).sign(
    { method: 'POST', protocol: 'https:', hostname: 'kms.example.com', path: '/', query: {}, headers, body },
    { signingDate: new Date(scope.at ?? NOW) },
  );
  return { method: 'POST', url: '/', rawHeaders: Object.entries(signed).flat(), body };
}

export function verifier(options: Partial<SigV4VerifierOptions<AccessKey>> = {}) {
  const accessKey = { secretAccessKey: Buffer.from(SECRET) };
  return new SigV4Verifier<AccessKey>({
    regions: ['us-east-1'],
    clock: () => NOW,
    findAccessKey: (id) => (id === ID ? accessKey : undefined),
    ...options,
  });
}

export function verify(request: Request, options: Partial<SigV4VerifierOptions<AccessKey>> = {}) {
  return verifier(options).verify(request, request.body);
}

export async function refusal(verified: Promise<unknown>): Promise<KmsError> {
  const error = await verified.then(
    () => new Error('was accepted'),
    (reason: unknown) => reason,
  );
  if (error instanceof KmsError) return error;
  throw error;
}

export async function expectRefused(verified: Promise<unknown>, name: KmsErrorName, message: string | RegExp) {
  const error = await refusal(verified);
  expect(error.name).toBe(name);
  expect(error.clientMessage).toMatch(message);
}

function indexOf(request: Request, name: string): number {
  const index = request.rawHeaders.findIndex((text, i) => i % 2 === 0 && text.toLowerCase() === name);
  if (index < 0) throw new Error(`no ${name}`);
  return index;
}

export function header(request: Request, name: string): string {
  return request.rawHeaders[indexOf(request, name) + 1]!;
}

export function withHeader(request: Request, name: string, change: (value: string) => string): Request {
  const rawHeaders = [...request.rawHeaders];
  const index = indexOf(request, name);
  rawHeaders[index + 1] = change(rawHeaders[index + 1]!);
  return { ...request, rawHeaders };
}

export function withoutHeader(request: Request, name: string): Request {
  const rawHeaders = [...request.rawHeaders];
  rawHeaders.splice(indexOf(request, name), 2);
  return { ...request, rawHeaders };
}

export function adding(request: Request, ...rawHeaders: string[]): Request {
  return { ...request, rawHeaders: [...request.rawHeaders, ...rawHeaders] };
}

/** Signs lines written out by the test: for what AWS's signer cannot be made to send. */
export async function signLines(lines: string[], rawHeaders: string[], body = BODY, at = NOW): Promise<Request> {
  const names = lines.map((line) => line.slice(0, line.indexOf(':'))).join(';');
  const canonical = ['POST', '/', '', ...lines, '', names, sha256(body)].join('\n');
  const timestamp = `${new Date(at).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
  const scope = `${timestamp.slice(0, 8)}/us-east-1/kms/aws4_request`;
  const stringToSign = ['AWS4-HMAC-SHA256', timestamp, scope, sha256(Buffer.from(canonical, 'utf8'))].join('\n');
  const signature = await signer().sign(stringToSign, { signingDate: new Date(at) });
  const authorization = `AWS4-HMAC-SHA256 Credential=${ID}/${scope}, SignedHeaders=${names}, Signature=${signature}`;
  return { method: 'POST', url: '/', rawHeaders: [...rawHeaders, 'Authorization', authorization], body };
}

function sha256(data: Buffer): string {
  return createHash('sha256').update(data).digest('hex');
}
