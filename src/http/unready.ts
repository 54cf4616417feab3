import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import { KmsError } from '../contract/kms-error.js';

/**
 * What a worker answers with as long as it waits for its token: that it is alive, not ready, and that KMS fails for now.
 * Each answer is the last on its connection, so that the next goes to who is ready.
 *
 * @param tls undefined for plain HTTP
 */
export function createUnreadyServer(tls: ServerOptions | undefined): Server {
  return tls === undefined ? createServer(answer) : createSecureServer(tls, answer);
}

function answer({ url }: IncomingMessage, response: ServerResponse): void {
  const [status, type, body] = answerTo(url);
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    'x-amzn-RequestId': randomUUID(),
  });
  response.end(body);
}

function answerTo(url: string | undefined): readonly [status: number, type: string, body: string] {
  if (url === '/healthz') return [200, 'text/plain; charset=utf-8', 'ok\n'];
  if (url === '/readyz') return [503, 'text/plain; charset=utf-8', 'not ready: waiting for the token\n'];
  const error = new KmsError('KMSInternalException', 'The token is not available; try again.');
  return [error.status, 'application/x-amz-json-1.1', error.toBody()];
}
