import { AsyncLocalStorage } from 'node:async_hooks';
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http';
import {
  createTraceState,
  ROOT_CONTEXT,
  type Span,
  type SpanContext,
  SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  BasicTracerProvider,
  BatchSpanProcessor,
  ParentBasedSampler,
  type Sampler,
  type SpanExporter,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import type { Logger } from 'pino';
import { resourceAttributes, type TracesSampler, tracesUrl } from '../config/otel.js';
import type { Settings } from '../config/settings.js';
import { version } from '../config/version.js';
import type { Recorder, RequestResult, Step, TracedRequest, Tracing } from '../http/tracing.js';

/** How long the last spans may hold up a worker that ends, in milliseconds. */
const flushMilliseconds = 1_000;

const samplers: Readonly<Record<TracesSampler, (ratio: number) => Sampler>> = {
  always_on: () => new AlwaysOnSampler(),
  always_off: () => new AlwaysOffSampler(),
  traceidratio: (ratio) => new TraceIdRatioBasedSampler(ratio),
  parentbased_always_on: () => new ParentBasedSampler({ root: new AlwaysOnSampler() }),
  parentbased_always_off: () => new ParentBasedSampler({ root: new AlwaysOffSampler() }),
  parentbased_traceidratio: (ratio) => new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) }),
};

/** rpc.service, as AWS's SDKs have it. */
const serviceNames = { kms: 'KMS', sts: 'STS' } as const;

/**
 * Spans of requests, sent to an OTLP endpoint in batches, beside the requests: an endpoint that is gone costs spans and
 * nothing else.
 */
export class OtlpTracing implements Tracing {
  private readonly provider: BasicTracerProvider;
  private readonly tracer: Tracer;
  private readonly current = new AsyncLocalStorage<Span>();

  /** @param log is told when spans cannot be sent, and when they can again */
  constructor(settings: Settings, log: Logger) {
    const exporter = new OTLPTraceExporter({ url: tracesUrl(settings) as string });
    this.provider = new BasicTracerProvider({
      resource: resourceFromAttributes({
        ...resourceAttributes(settings.otelResourceAttributes),
        'service.name': settings.otelServiceName,
        'service.version': version,
        'process.pid': process.pid,
      }),
      sampler: samplers[settings.otelTracesSampler](settings.otelTracesSamplerArg),
      spanProcessors: [new BatchSpanProcessor(withNews(exporter, log))],
    });
    this.tracer = this.provider.getTracer('hsm-kms', version);
  }

  begin({ method = '', headers }: Pick<IncomingMessage, 'method' | 'headers'>): TracedRequest {
    const parent = remoteParent(headers);
    const context = parent ? trace.setSpanContext(ROOT_CONTEXT, parent) : ROOT_CONTEXT;
    const attributes = { 'http.request.method': method, 'rpc.system': 'aws-api' };
    const span = this.tracer.startSpan('request', { kind: SpanKind.SERVER, attributes }, context);
    return {
      traceId: span.spanContext().traceId,
      run: (work) => this.current.run(span, work),
      end: (result) => endRequest(span, result),
    };
  }

  readonly step: Step = (name, work) => {
    const parent = this.current.getStore();
    if (!parent?.isRecording()) return work();
    const span = this.tracer.startSpan(name, {}, trace.setSpan(ROOT_CONTEXT, parent));
    const failed = (error: unknown): never => {
      fail(span, errorName(error));
      span.end();
      throw error;
    };
    return this.current.run(span, () => {
      try {
        const result = work();
        if (result instanceof Promise) {
          return result.then((value) => {
            span.end();
            return value;
          }, failed) as typeof result;
        }
        span.end();
        return result;
      } catch (error) {
        return failed(error);
      }
    });
  };

  readonly record: Recorder = (name, milliseconds, attributes, error) => {
    const parent = this.current.getStore();
    if (!parent?.isRecording()) return;
    const end = performance.timeOrigin + performance.now();
    const options = { kind: SpanKind.CLIENT, startTime: end - milliseconds, attributes };
    const span = this.tracer.startSpan(name, options, trace.setSpan(ROOT_CONTEXT, parent));
    if (error !== undefined) fail(span, error);
    span.end(end);
  };

  /** Sends what is left, as far as that is possible soon. */
  async end(): Promise<void> {
    const late = new Promise((resolve) => setTimeout(resolve, flushMilliseconds).unref());
    await Promise.race([this.provider.shutdown().catch(() => {}), late]);
  }
}

function endRequest(span: Span, { requestId, service, operation, status, error }: RequestResult): void {
  const rpcService = serviceNames[service];
  span.updateName(`${rpcService}.${operation}`);
  span.setAttributes({ 'rpc.service': rpcService, 'rpc.method': operation, 'aws.request_id': requestId });
  if (status !== undefined) span.setAttribute('http.response.status_code', status);
  if (error !== undefined) span.setAttribute('error.type', error);
  // a client's mistake is no error of a server's span
  if (status !== undefined && status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
}

function fail(span: Span, error: string): void {
  span.setAttribute('error.type', error);
  span.setStatus({ code: SpanStatusCode.ERROR });
}

/** Never its message: that may hold what a client sent. */
function errorName(error: unknown): string {
  return error instanceof Error ? error.name : 'Error';
}

const traceparent = /^(?!ff)([0-9a-f]{2})-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/;

/** The span of the client, if its headers name one. @see https://www.w3.org/TR/trace-context/ */
function remoteParent(headers: IncomingHttpHeaders): SpanContext | undefined {
  const text = headers.traceparent;
  const [, parentVersion, traceId, spanId, flags = '', more] = traceparent.exec(String(text ?? '')) ?? [];
  if (traceId === undefined || spanId === undefined || (parentVersion === '00' && more !== undefined)) return undefined;
  const { tracestate } = headers;
  return {
    ...{ traceId, spanId, traceFlags: Number.parseInt(flags, 16) & 1, isRemote: true },
    ...(typeof tracestate === 'string' && { traceState: createTraceState(tracestate) }),
  };
}

/** Has the log told when an exporter begins to fail, and when it works again. */
function withNews(exporter: SpanExporter, log: Logger): SpanExporter {
  let fails = false;
  return {
    export(spans, done) {
      exporter.export(spans, (result) => {
        const { error } = result;
        if (error && !fails) log.warn({ why: error.message }, 'traces cannot be sent: they are dropped until they can');
        else if (!error && fails) log.info('traces are sent again');
        fails = error !== undefined;
        done(result);
      });
    },
    shutdown: () => exporter.shutdown(),
    forceFlush: async () => exporter.forceFlush?.(),
  };
}
