import { randomUUID } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer, type ServerOptions } from 'node:https';
import { KmsError } from '../contract/kms-error.js';
import { operationOfTarget } from '../contract/operations.js';
import type { Metrics } from '../metrics/metrics.js';
import { answerMetrics } from './metrics-page.js';
import { unknownOperation } from './observed-request.js';
import type { HttpServices } from './protocol.js';

/**
 * What a worker answers with as long as it waits for its token: that it is alive, not ready, and that KMS fails for now.
 * Each answer is the last on its connection, so that the next goes to who is ready.
 *
 * @param tls undefined for plain HTTP
 */
export function createUnreadyServer(
  tls: ServerOptions | undefined,
  { metrics, metricsPage }: Pick<HttpServices, 'metrics' | 'metricsPage'>,
): Server {
  const handle = (request: IncomingMessage, response: ServerResponse) => {
    response.shouldKeepAlive = false;
    if (metricsPage && request.url === '/metrics') void answerMetrics(metricsPage, request, response);
    else answer(request, response, metrics);
  };
  return tls === undefined ? createServer(handle) : createSecureServer(tls, handle);
}

function answer({ url, headers }: IncomingMessage, response: ServerResponse, metrics: Metrics): void {
  const [status, type, body, error] = answerTo(url);
  if (error) {
    const operation = operationOfTarget(headers['x-amz-target']?.toString()) ?? unknownOperation;
    metrics.families.requests.at('kms', operation, error).value += 1;
  }
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'x-amzn-RequestId': randomUUID(),
  });
  response.end(body);
}

function answerTo(url: string | undefined): readonly [status: number, type: string, body: string, error?: string] {
  if (url === '/healthz') return [200, 'text/plain; charset=utf-8', 'ok\n'];
  if (url === '/readyz') return [503, 'text/plain; charset=utf-8', 'not ready: waiting for the token\n'];
  const error = new KmsError('KMSInternalException', 'The token is not available; try again.');
  return [error.status, 'application/x-amz-json-1.1', error.toBody(), error.name];
}
