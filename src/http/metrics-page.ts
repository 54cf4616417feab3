import type { IncomingMessage, ServerResponse } from 'node:http';
import { isLoopback } from '../config/load-settings.js';
import { hostOf } from './request-source.js';

/** What Prometheus reads at /metrics. */
export interface MetricsPage {
  readonly readers: 'loopback' | 'everyone';
  /** Everything that the service counts, in Prometheus' text format. @throws Error */
  readonly text: () => Promise<string>;
}

const textFormat = 'text/plain; version=0.0.4; charset=utf-8';
const refusal =
  'Metrics are for programs on this machine: set HSM_KMS_METRICS to everyone to have them read from elsewhere, or through a proxy.\n';

/** Answers a request for /metrics. Who may not read them learns how that can be changed. */
export async function answerMetrics(
  page: MetricsPage,
  request: IncomingMessage,
  response: ServerResponse,
): Promise<void> {
  if (page.readers === 'loopback' && !isFromThisMachine(request)) return send(response, 403, refusal);
  try {
    send(response, 200, await page.text());
  } catch (error) {
    send(response, 503, `The metrics cannot be had: ${(error as Error).message}.\n`);
  }
}

/** False for what a proxy here forwards, and for a web page that a browser here has opened (DNS rebinding). */
function isFromThisMachine({ socket, headers }: IncomingMessage): boolean {
  const isForwarded = headers['x-forwarded-for'] !== undefined || headers.forwarded !== undefined;
  return isLoopback(socket.remoteAddress?.replace(/^::ffff:/, '') ?? '') && !isForwarded && isLoopback(hostOf(headers));
}

function send(response: ServerResponse, status: number, body: string): void {
  response.writeHead(status, {
    'Content-Type': status === 200 ? textFormat : 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  response.end(body);
}
