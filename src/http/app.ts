import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { ServerOptions } from 'node:https';
import type { Duplex } from 'node:stream';
import express from 'express';
import type { Logger } from 'pino';
import { KmsError } from '../contract/kms-error.js';
import { operationOfTarget } from '../contract/operations.js';
import { answer } from '../operations/pipeline.js';
import { callerOf } from './caller.js';
import { jsonContentType } from './content-type.js';
import { createExpressServer } from './express-without-prototype-changes.js';
import { isForJwks, JwksPages } from './jwks.js';
import { answerMetrics } from './metrics-page.js';
import { ObservedRequest } from './observed-request.js';
import { asKmsError, type HttpServices, type Protocol } from './protocol.js';
import { refuseConnection, rememberRequest } from './refused-connection.js';
import { readBody } from './request-body.js';
import { isQueryRequest, sts } from './sts.js';

/** What a client that stops talking in the middle of a request is given, in milliseconds. */
const requestTimeout = 30_000;
/** Longer than the idle time of usual load balancers, which would else reuse a connection that is being closed. */
const keepAliveTimeout = 75_000;

/**
 * The HTTP server: KMS's JSON 1.1 protocol on /, there too STS's, and the probes of operators beside them.
 *
 * @param tls undefined for plain HTTP
 */
export function createHttpServer(services: HttpServices, tls?: ServerOptions): Server {
  const app = express();
  for (const setting of ['x-powered-by', 'etag', 'query parser']) app.disable(setting);

  app.get('/healthz', (_request, response) => void sendText(response, 200, 'ok\n'));
  app.get('/readyz', async (_request, response) => {
    const why = await services.whyNotReady();
    sendText(response, why === undefined ? 200 : 503, why === undefined ? 'ready\n' : `not ready: ${why}\n`);
  });
  const { metricsPage } = services;
  if (metricsPage) app.get('/metrics', (request, response) => answerMetrics(metricsPage, request, response));
  const pages = services.publishedKeys && new JwksPages(services.publishedKeys);
  app.use((request, response) => {
    // looked for here, as each route costs each request to KMS a third of a microsecond
    if (pages && isForJwks(request)) return answerJwks(pages, services.log, request, response);
    return handle(services, request, response);
  });

  // a request without a Host header is refused by the signature's verification, in KMS's words
  const server = createExpressServer(app, { requestTimeout, keepAliveTimeout, requireHostHeader: false }, tls);
  // without these, node itself refuses such requests, and not in KMS's form
  server.on('checkExpectation', (request, response) => server.emit('request', request, response));
  server.on('connect', (_request, socket: Duplex) => void refuseConnection(services, socket));
  // node passes these on to clientError; there is nobody yet to whom an answer could be written
  server.prependListener('tlsClientError', (_error, socket: Duplex) => socket.destroy());
  server.on('clientError', (error, socket) => void refuseConnection(services, socket, error));
  return server;
}

async function answerJwks(pages: JwksPages, log: Logger, request: IncomingMessage, response: ServerResponse) {
  try {
    await pages.answer(request, response);
  } catch (error) {
    log.error({ err: error }, 'the published keys cannot be read');
    sendText(response, 503, 'The published keys cannot be read at the moment.\n');
  }
}

function handle(services: HttpServices, request: IncomingMessage, response: ServerResponse): Promise<void> {
  services.arrivals.count += 1;
  const protocol = isQueryRequest(request) ? sts : kms;
  const observed = new ObservedRequest(protocol.service, services, request);
  rememberRequest(request.socket, observed);
  return observed.run(() => answerRequest(services, protocol, observed, request, response));
}

async function answerRequest(
  services: HttpServices,
  protocol: Protocol,
  observed: ObservedRequest,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  const { id } = observed;
  const place = services.underWay.add(observed);
  try {
    const body = await readBody(request, services.maxBodyBytes);
    if (body === undefined) {
      observed.aborted();
      return;
    }
    // now, as a client may take its time to send a body
    observed.expectAudited();
    const text = await protocol.answer(services, request, observed, body);
    const written = observed.record();
    if (written) await written;
    send(services, response, id, protocol.contentType, { status: 200, body: text });
    observed.answered();
  } catch (error) {
    await refuse(services, protocol, observed, response, error as Error);
  } finally {
    services.underWay.delete(place);
  }
}

/** @param error also that an answer's event could not be written: then it is told instead of the answer */
async function refuse(
  services: HttpServices,
  protocol: Protocol,
  observed: ObservedRequest,
  response: ServerResponse,
  error: Error,
): Promise<void> {
  const { id } = observed;
  let [told, refusal] = [error, protocol.refuse(error, id)];
  try {
    const written = observed.record(refusal, error);
    if (written) await written;
  } catch (unwritten) {
    [told, refusal] = [unwritten as Error, protocol.refuse(unwritten, id)];
  }
  send(services, response, id, protocol.contentType, refusal);
  observed.refused(refusal.name, refusal.status, told);
}

const kms: Protocol = {
  service: 'kms',
  contentType: jsonContentType,
  answer: answerKmsRequest,
  refuse: (error) => {
    const kmsError = asKmsError(error);
    const { status, name, clientMessage: message } = kmsError;
    return { status, name, message, body: kmsError.toBody() };
  },
};

/** One request to KMS, from its headers and raw body to the text of its answer. @throws KmsError */
async function answerKmsRequest(
  services: HttpServices,
  request: IncomingMessage,
  observed: ObservedRequest,
  body: Buffer,
): Promise<string> {
  const { method, url, headers } = request;
  if (method !== 'POST' || url !== '/') {
    throw new KmsError('UnknownOperationException', 'KMS takes POST requests to the path / only.');
  }
  if (headers['content-type']?.split(';', 1)[0]?.trim().toLowerCase() !== jsonContentType) {
    throw new KmsError('SerializationException', `The Content-Type of a request to KMS is ${jsonContentType}.`);
  }
  const target = headers['x-amz-target'];
  const operation = operationOfTarget(typeof target === 'string' ? target : undefined);
  if (operation === undefined) throw new KmsError('UnknownOperationException');
  observed.operation = operation;
  const principal = await callerOf(services, services.verifier, request, body, observed);
  const { source, id: requestId, trail } = observed;
  const requester = { principal, source, requestId, trail };
  return answer(services.kms, operation, requester, body);
}

function send(
  { unsignedPrincipal }: HttpServices,
  response: ServerResponse,
  requestId: string,
  contentType: string,
  { status, body }: { readonly status: number; readonly body: string },
) {
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-cache, no-store, must-revalidate, private',
    'x-amzn-RequestId': requestId,
    ...(unsignedPrincipal && { 'X-Hsm-Kms-Warning': 'requests are not authenticated' }),
  });
  response.end(body);
}

function sendText(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
  });
  response.end(body);
}
