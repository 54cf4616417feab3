import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Sha256 } from '@aws-crypto/sha256-js';
import { expect } from '@jest/globals';
import { SignatureV4 } from '@smithy/signature-v4';
import { type Credentials, region, type Service } from './service.js';
import { patience } from './within.js';

export const contentType = 'application/x-amz-json-1.1';

export interface Answer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: string;
  /** From the request's start to the answer's end. */
  readonly milliseconds: number;
}

export interface RawRequest {
  readonly method?: string;
  readonly path?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
}

/** Sends a request as it is: no signature, no retries. */
export async function send(service: Pick<Service, 'url'>, request: RawRequest): Promise<Answer> {
  const { method = 'POST', path = '/', headers = {}, body = '' } = request;
  const { hostname, port } = new URL(service.url);
  const startedAt = performance.now();
  const outgoing = http.request({ hostname, port, method, path, headers, agent: false });
  outgoing.end(body);
  const [response] = (await once(outgoing, 'response')) as [http.IncomingMessage];
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) text += chunk;
  return {
    status: response.statusCode as number,
    headers: response.headers,
    body: text,
    milliseconds: performance.now() - startedAt,
  };
}

/** The headers of a request for an operation, signed by AWS's own signer. */
export async function signedHeaders(
  service: Pick<Service, 'url' | 'credentials'>,
  operation: string,
  body: string | Buffer,
  headers: Readonly<Record<string, string>> = {},
  credentials: Credentials = service.credentials,
): Promise<Record<string, string>> {
  const { hostname, host } = new URL(service.url);
  const signer = new SignatureV4({ service: 'kms', region, credentials, sha256: Sha256 });
  const signed = await signer.sign({
    method: 'POST',
    protocol: 'http:',
    hostname,
    path: '/',
    query: {},
    headers: { host, 'content-type': contentType, 'x-amz-target': `TrentService.${operation}`, ...headers },
    body,
  });
  return signed.headers;
}

/** Sends a signed request whose body is what the test wants it to be. */
export async function call(
  service: Service,
  operation: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const raw = typeof body === 'string' || Buffer.isBuffer(body) ? body : JSON.stringify(body);
  return send(service, { headers: await signedHeaders(service, operation, raw, headers), body: raw });
}

/** Bytes on a connection of their own, and all that comes back until the service closes it, or is silent after that. */
export async function sendBytes(service: Service, bytes: string | Buffer, silence = 1_000): Promise<string> {
  const { hostname, port } = new URL(service.url);
  const socket = net.connect(Number(port), hostname);
  let received = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    received += text;
    socket.setTimeout(silence);
  });
  socket.on('error', () => {});
  socket.setTimeout(patience, () => socket.destroy());
  socket.write(bytes);
  await once(socket, 'close');
  return received;
}

/** What must never be in an answer: stack frames, paths, PKCS#11. */
const internals = /CKR_|CKA_|pkcs11|softhsm|\/usr\/|\/tmp\/|\/home\/|node_modules|node:internal|\.[jt]s:\d|\n\s+at /i;

/** Shorter than anything that the service waits for while it does not know what to say, however slow the machine is. */
const soonMilliseconds = 30_000;

/** A refusal in KMS's form: a 4xx with a name, a sentence where AWS has one, soon, and nothing of the inside. */
export function expectRefused({ status, headers, body, milliseconds }: Answer): { __type: string; message?: string } {
  expect(body).not.toMatch(internals);
  expect(status).toBeGreaterThanOrEqual(400);
  expect(status).toBeLessThan(500);
  expect(headers['content-type']).toBe(contentType);
  expect(headers['x-amzn-requestid']).toMatch(/^[0-9a-f-]{36}$/);
  const error = JSON.parse(body);
  expect(error.__type).toMatch(/^[A-Za-z]+Exception$/);
  expect(milliseconds).toBeLessThan(soonMilliseconds);
  return error;
}
