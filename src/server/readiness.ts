import { once } from 'node:events';
import http from 'node:http';
import https from 'node:https';
import { text } from 'node:stream/consumers';
import { servesTls } from '../config/listener.js';
import type { Settings } from '../config/settings.js';

/** What the service is given to answer, in milliseconds. */
const answerMilliseconds = 4_000;
/** Addresses that mean all addresses of a machine, and the one to ask at. */
const loopbackOf: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
/** How a connection without a client certificate ends where one is required. */
const certificateRequired = 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED';

/**
 * Asks the service of these settings on this machine.
 *
 * @returns a line for people
 * @throws Error that says in a line why it is not ready
 */
export async function askReadiness(settings: Settings): Promise<string> {
  const url = new URL('/readyz', serviceUrl(settings));
  let answer: { status: number | undefined; body: string };
  try {
    answer = await ask(url);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (settings.tlsClientCertificates === 'required' && code === certificateRequired) {
      return `${url} is served, to who presents a client certificate: whether it is ready is not known`;
    }
    throw new Error(`${url} does not answer: ${message}`, { cause: error });
  }
  const { status, body } = answer;
  if (status !== 200) throw new Error(`${url} answers ${status}: ${body}`);
  return `${url} answers: ${body}`;
}

async function ask(url: URL): Promise<{ status: number | undefined; body: string }> {
  const options = { agent: false, timeout: answerMilliseconds } as const;
  const request =
    url.protocol === 'https:'
      ? // it asks itself, by an address that the certificate need not name
        https.get(url, { ...options, rejectUnauthorized: false })
      : http.get(url, options);
  request.once('timeout', () => request.destroy(new Error(`no answer within ${answerMilliseconds / 1000} s`)));
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return { status: response.statusCode, body: (await text(response)).trim() };
}

/** Where a program on this machine finds the service of these settings. */
export function serviceUrl(settings: Settings): URL {
  const address = loopbackOf[settings.host] ?? settings.host;
  const scheme = servesTls(settings) ? 'https' : 'http';
  return new URL(`${scheme}://${address.includes(':') ? `[${address}]` : address}:${settings.port}/`);
}
