import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import type { ClientCertificate } from '../authorization/client-certificates.js';

/** By connection: reading a certificate takes longer than all the rest of a request's authentication. */
const known = new WeakMap<Socket, ClientCertificate | undefined>();

/** The certificate with which the client made the connection; undefined when it has none that was verified. */
export function clientCertificateOf(socket: Socket): ClientCertificate | undefined {
  if (!(socket instanceof TLSSocket)) return undefined;
  const certificate = known.get(socket);
  if (certificate !== undefined || known.has(socket)) return certificate;
  const read = readCertificate(socket);
  known.set(socket, read);
  return read;
}

/** A resumed TLS 1.3 session counts as authorized even when it never had a certificate: both are asked. */
function readCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const certificate = socket.authorized ? socket.getPeerX509Certificate() : undefined;
  if (certificate === undefined) return undefined;
  const { CN } = certificate.toLegacyObject().subject as { readonly CN?: string | readonly string[] };
  return {
    fingerprint: certificate.fingerprint256.replaceAll(':', '').toLowerCase(),
    commonName: typeof CN === 'string' ? CN : undefined,
    subjectAltNames: namesIn(certificate.subjectAltName ?? ''),
    validTo: Date.parse(certificate.validTo),
  };
}

/** A name and its kind; names with characters that could be taken for separators are JSON strings. */
const nameInList = /([A-Za-z ]+:)(?:("(?:[^"\\]|\\.)*")|([^",]*))(?:, (?!$)|$)/y;

/**
 * The names of a list as Node prints it: `DNS:a.example.com, URI:"a, b"`.
 *
 * @returns none when the list is not understood to its end
 */
export function namesIn(list: string): string[] {
  const names: string[] = [];
  nameInList.lastIndex = 0;
  while (nameInList.lastIndex < list.length) {
    const found = nameInList.exec(list);
    if (found === null) return [];
    const [, kind = '', quoted, plain = ''] = found;
    try {
      names.push(kind + (quoted === undefined ? plain : String(JSON.parse(quoted))));
    } catch {
      return [];
    }
  }
  return names;
}
