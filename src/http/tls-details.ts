import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';

interface TlsDetails {
  /** As CloudTrail has it: TLSv1.3. */
  readonly version: string;
  readonly cipherSuite: string;
}

const ofSockets = new WeakMap<Socket, TlsDetails>();

/** How a connection is protected; asked for once for a connection. Undefined without TLS. */
export function tlsDetails(socket: Socket): TlsDetails | undefined {
  if (!(socket as Partial<TLSSocket>).encrypted) return undefined;
  const known = ofSockets.get(socket);
  if (known) return known;
  const { getProtocol, getCipher } = socket as TLSSocket;
  const details = {
    version: getProtocol.call(socket) ?? 'unknown',
    cipherSuite: getCipher.call(socket)?.standardName ?? 'unknown',
  };
  ofSockets.set(socket, details);
  return details;
}
