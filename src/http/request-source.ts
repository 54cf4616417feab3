import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { RequestSource } from '../authorization/request-source.js';

const ipv4InIpv6 = /^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i;

/** The host that a request names, without port and brackets; '' when it names none. */
export function hostOf({ host }: IncomingHttpHeaders): string {
  return host?.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1') ?? '';
}

/** Address of the other end of a connection; '' when it is gone. */
export function addressOf({ remoteAddress = '' }: Pick<Socket, 'remoteAddress'>): string {
  return remoteAddress.replace(ipv4InIpv6, '');
}

/** Where a request came from. Headers of proxies say nothing here: anybody can send them. */
export function requestSource({ socket, headers }: IncomingMessage): RequestSource {
  return {
    ip: addressOf(socket),
    secureTransport: (socket as Partial<TLSSocket>).encrypted === true,
    userAgent: headers['user-agent'],
    referer: headers.referer,
  };
}
