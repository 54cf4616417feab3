import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import { KmsError } from '../contract/kms-error.js';
import { operationOfTarget } from '../contract/operations.js';
import { jsonContentType } from './content-type.js';
import { answerMetrics } from './metrics-page.js';
import { ObservedRequest, unknownOperation } from './observed-request.js';
import type { HttpServices } from './protocol.js';
import { refuseConnection } from './refused-connection.js';

type UnreadyServices = Pick<HttpServices, 'metrics' | 'metricsPage' | 'audit' | 'log'>;

/**
 * What a worker answers with as long as it waits for its token: that it is alive, not ready, and that KMS fails for now.
 * Each answer is the last on its connection, so that the next goes to who is ready.
 *
 * @param tls undefined for plain HTTP
 */
export function createUnreadyServer(tls: ServerOptions | undefined, services: UnreadyServices): Server {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    response.shouldKeepAlive = false;
    const { metricsPage } = services;
    if (metricsPage && request.url === '/metrics') void answerMetrics(metricsPage, request, response);
    else void answer(services, request, response);
  };
  const server = tls === undefined ? createServer(handle) : createSecureServer(tls, handle);
  // a handshake that fails is no request: node passes it on to clientError
  server.prependListener('tlsClientError', (_error, socket: Duplex) => socket.destroy());
  server.on('clientError', (error, socket) => void refuseConnection(services, socket, error));
  return server;
}

async function answer(services: UnreadyServices, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { url, headers } = request;
  if (url === '/healthz') return send(response, randomUUID(), 200, 'text/plain; charset=utf-8', 'ok\n');
  if (url === '/readyz') {
    return send(response, randomUUID(), 503, 'text/plain; charset=utf-8', 'not ready: waiting for the token\n');
  }
  const observed = new ObservedRequest('kms', { ...services, tracing: undefined }, request);
  observed.operation = operationOfTarget(headers['x-amz-target']?.toString()) ?? unknownOperation;
  const error = new KmsError('KMSInternalException', 'The token is not available; try again.');
  const { name, status, message } = error;
  // the answer is the same when it cannot be written
  await observed.record({ name, message }, error)?.catch(() => {});
  send(response, observed.id, status, jsonContentType, error.toBody());
  observed.refused(name, status, error);
}

function send(response: ServerResponse, requestId: string, status: number, type: string, body: string): void {
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'x-amzn-RequestId': requestId,
  });
  response.end(body);
}
