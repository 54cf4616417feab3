import type { IncomingMessage } from 'node:http';
import type { AccessKey } from '../authorization/identities.js';
import type { Principal } from '../authorization/principal.js';
import { isLoopback } from '../config/load-settings.js';
import { KmsError } from '../contract/kms-error.js';
import { clientCertificateOf } from './client-certificate.js';
import { asKmsError, type HttpServices } from './protocol.js';
import { hostOf } from './request-source.js';
import type { SigV4Verifier } from './sigv4/verifier.js';

/** What tells who may come in. */
type Door = Pick<HttpServices, 'unsignedPrincipal' | 'clientCertificates' | 'metrics' | 'tracing'>;

/** What is learned of who makes a request, as soon as it is known. */
export interface Caller {
  principal: Principal | undefined;
  /** Undefined where requests need no signature. */
  accessKeyId: string | undefined;
}

/**
 * Who makes a request, and may make it over this connection.
 *
 * @param caller is told who has signed it, also when that is refused
 * @throws KmsError of the verification; AccessDeniedException when the connection's client certificate or address is
 * not one for this principal
 */
export async function callerOf(
  door: Door,
  verifier: SigV4Verifier<AccessKey>,
  request: IncomingMessage,
  body: Buffer,
  caller: Caller,
): Promise<Principal> {
  try {
    const { principal, accessKeyId } = await (door.tracing
      ? door.tracing.step('authentication', () => authenticated(door, verifier, request, body))
      : authenticated(door, verifier, request, body));
    caller.principal = principal;
    caller.accessKeyId = accessKeyId;
    const { socket } = request;
    door.clientCertificates.check(principal, {
      certificate: clientCertificateOf(socket),
      address: socket.remoteAddress ?? '',
    });
    return principal;
  } catch (error) {
    door.metrics.families.authenticationFailures.at(asKmsError(error).name).value += 1;
    throw error;
  }
}

/**
 * Who signed a request or, where requests need no signature, the principal that stands in for everybody.
 *
 * @throws KmsError of the verification; AccessDeniedException for an unsigned request that names another host than this
 * one: a web page that a browser here has opened can send such requests (DNS rebinding)
 */
async function authenticated(
  { unsignedPrincipal }: Door,
  verifier: SigV4Verifier<AccessKey>,
  request: IncomingMessage,
  body: Buffer,
): Promise<{ readonly principal: Principal; readonly accessKeyId?: string }> {
  if (unsignedPrincipal === undefined) return (await verifier.verify(request, body)).accessKey;
  if (!isLoopback(hostOf(request.headers))) {
    throw new KmsError('AccessDeniedException', 'Unsigned requests are taken only for localhost, 127.0.0.1 and [::1].');
  }
  return { principal: unsignedPrincipal };
}
