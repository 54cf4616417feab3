import { randomUUID } from 'node:crypto';
import type { Duplex } from 'node:stream';
import { KmsError } from '../contract/kms-error.js';
import { jsonContentType } from './content-type.js';
import { type ObservedRequest, unreadableRequest } from './observed-request.js';
import type { HttpServices } from './protocol.js';

/** The last request on each connection: what is wrong later on belongs to it, if it is not over. */
const lastRequests = new WeakMap<Duplex, ObservedRequest>();

/** What turns out to be wrong on a connection later belongs to its last request. */
export function rememberRequest(socket: Duplex, request: ObservedRequest): void {
  lastRequests.set(socket, request);
}

/** The last answer on a connection whose bytes are no request. */
export async function refuseConnection(
  { log, audit }: Pick<HttpServices, 'log' | 'audit'>,
  socket: Duplex,
  cause?: Error,
): Promise<void> {
  const requestId = randomUUID();
  log.debug({ requestId, cause }, 'connection refused');
  // a connection that has ended between two requests is no request
  if (!socket.writable) return;
  const refusal = new KmsError('SerializationException', 'The request is not valid HTTP.');
  // the answer says nothing that an event that cannot be written would have to hold back
  const begun = lastRequests.get(socket);
  const written =
    begun?.isRecorded === false ? begun.record(refusal) : audit?.record(unreadableRequest(requestId, socket, refusal));
  await written?.catch(() => {});
  const body = refusal.toBody();
  const headers = [
    'Connection: close',
    `Content-Type: ${jsonContentType}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    `Date: ${new Date().toUTCString()}`,
    `x-amzn-RequestId: ${requestId}`,
  ];
  socket.end(['HTTP/1.1 400 Bad Request', ...headers, '', body].join('\r\n'));
}
