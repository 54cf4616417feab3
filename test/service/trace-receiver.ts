import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A span, as far as tests look: attributes as a record. */
export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  /** 1 internal, 2 server, 3 client. */
  readonly kind: number;
  /** 2 for an error. */
  readonly status: number;
  readonly milliseconds: number;
  readonly attributes: Record<string, unknown>;
  readonly resource: Record<string, unknown>;
}

type Manner = 'takes' | 'refuses' | 'hangs';
interface Attribute {
  readonly key: string;
  readonly value: Record<string, unknown>;
}
interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly status: { readonly code?: number };
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: Attribute[];
}

/** An OTLP collector over HTTP that keeps what it receives. */
export class TraceReceiver {
  readonly spans: ReceivedSpan[] = [];
  /** Path -> how many requests came there. */
  readonly paths = new Map<string, number>();
  /** All that was received, as it came. */
  text = '';
  manner: Manner = 'takes';
  private readonly server: Server = createServer((request, response) => void this.receive(request, response));

  static async start(): Promise<TraceReceiver> {
    const receiver = new TraceReceiver();
    receiver.server.listen(0, '127.0.0.1');
    await once(receiver.server, 'listening');
    return receiver;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  end(): void {
    this.server.close();
    this.server.closeAllConnections();
  }

  private async receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    let body = '';
    for await (const chunk of request.setEncoding('utf8')) body += chunk;
    this.paths.set(request.url ?? '', (this.paths.get(request.url ?? '') ?? 0) + 1);
    if (this.manner === 'hangs') return;
    if (this.manner === 'takes') this.keep(body);
    response.writeHead(this.manner === 'takes' ? 200 : 400, { 'content-type': 'application/json' }).end('{}');
  }

  private keep(body: string): void {
    this.text += body;
    for (const { resource, scopeSpans } of JSON.parse(body).resourceSpans) {
      for (const { spans } of scopeSpans) {
        for (const span of spans as OtlpSpan[]) this.spans.push(received(span, recordOf(resource.attributes)));
      }
    }
  }
}

function received(span: OtlpSpan, resource: Record<string, unknown>): ReceivedSpan {
  const { status, startTimeUnixNano, endTimeUnixNano, attributes } = span;
  return {
    ...span,
    resource,
    status: status.code ?? 0,
    milliseconds: Number(BigInt(endTimeUnixNano) - BigInt(startTimeUnixNano)) / 1e6,
    attributes: recordOf(attributes),
  };
}

function recordOf(attributes: readonly Attribute[]): Record<string, unknown> {
  return Object.fromEntries(attributes.map(({ key, value }) => [key, Object.values(value)[0]]));
}
