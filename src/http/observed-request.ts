import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import type { Logger } from 'pino';
import { type RequestAudit, UnwrittenError } from '../audit/request-audit.js';
import type { EndedRequest, RequestTrail } from '../audit/request-record.js';
import { NotAuthorizedError } from '../authorization/authorize.js';
import type { Decision } from '../authorization/policy/decide.js';
import type { Principal } from '../authorization/principal.js';
import type { RequestSource } from '../authorization/request-source.js';
import type { KmsError } from '../contract/kms-error.js';
import type { Metrics } from '../metrics/metrics.js';
import type { RefusedReply } from './protocol.js';
import { addressOf, requestSource } from './request-source.js';
import { tlsDetails } from './tls-details.js';
import type { TracedRequest, Tracing } from './tracing.js';

interface Observers {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly tracing: Tracing | undefined;
  readonly audit: RequestAudit | undefined;
}

/** An access key id as AWS makes them; what else a client puts there may be anything, a secret perhaps. */
const claimedAccessKeyId = /\bCredential=([A-Z0-9]{16,32})\//;

/** Where an operation is not known, or not one that there is. */
export const unknownOperation = 'unknown';

/** A request that is being answered, and what has been learned about it so far. */
export class ObservedRequest {
  readonly id = randomUUID();
  operation: string = unknownOperation;
  /** Undefined until it is known who asks. */
  principal: Principal | undefined;
  /** That it was signed with. */
  accessKeyId: string | undefined;
  readonly source: RequestSource;
  readonly trail: RequestTrail = { input: undefined, output: undefined, keys: [], decision: undefined };
  private readonly receivedAt = Date.now();
  /** The audit log has its event, or is about to. */
  isRecorded = false;
  private readonly startedAt = performance.now();
  private readonly traced: TracedRequest | undefined;

  constructor(
    readonly service: 'kms' | 'sts',
    private readonly observers: Observers,
    private readonly request: IncomingMessage,
  ) {
    this.source = requestSource(request);
    this.traced = observers.tracing?.begin(request);
  }

  /** Does what belongs to it. */
  run<T>(work: () => T): T {
    return this.traced ? this.traced.run(work) : work();
  }

  /** @throws KmsError KMSInternalException when the event of the request could not be written */
  expectAudited(): void {
    this.observers.audit?.expectWritable();
  }

  /**
   * Has the audit log record it, once: before its answer leaves.
   *
   * @param refusal what its client is going to be told of an error
   * @returns a promise where the answer has to wait for it. @rejects KmsError when the event cannot be written
   */
  record(refusal?: Pick<RefusedReply, 'name' | 'message'>, error?: Error): Promise<void> | undefined {
    const { audit } = this.observers;
    if (audit === undefined || this.isRecorded) return undefined;
    this.isRecorded = true;
    const { id, service, operation, receivedAt, startedAt, principal, accessKeyId, source, trail, request } = this;
    if (error) trail.decision = decisionOf(error) ?? trail.decision;
    // without a spread: V8 makes objects that begin with one, and reads them, several times slower
    const ended: EndedRequest = {
      id,
      service,
      receivedAt,
      principal,
      accessKeyId,
      source,
      trail,
      operation: operation === unknownOperation ? undefined : operation,
      milliseconds: performance.now() - startedAt,
      accessKeyIdClaimed: principal ? undefined : claimedAccessKeyId.exec(request.headers.authorization ?? '')?.[1],
      tls: tlsDetails(request.socket),
      error: refusal && { code: refusal.name, message: refusal.message },
    };
    return audit.record(ended, error instanceof UnwrittenError);
  }

  /** It was answered as it was meant to be. */
  answered(): void {
    const { log } = this.observers;
    const milliseconds = this.count('ok', 200);
    if (log.isLevelEnabled('debug')) log.debug(this.facts('ok', milliseconds), 'request answered');
  }

  /** The client went away before it had sent everything. */
  aborted(): void {
    // nobody waits for it
    this.record({ name: 'ClientAborted', message: undefined })?.catch(() => {});
    this.observers.log.debug(this.facts('aborted', this.count('aborted', undefined)), 'request aborted');
  }

  /** The service ends before it is answered: nobody knows what becomes of it. */
  interrupted(): void {
    this.record({ name: 'ServiceStopped', message: undefined })?.catch(() => {});
  }

  /**
   * It was refused, or failed: a server's fault is an error with its cause; a client's is news for who looks closely.
   *
   * @param name of the exception, as the client reads it
   */
  refused(name: string, status: number, error: Error): void {
    const { log, metrics } = this.observers;
    const facts = this.facts(name, this.count(name, status));
    if (error instanceof NotAuthorizedError) {
      metrics.families.authorizationDenials.at(this.operation, error.decision.reason).value += 1;
    }
    if (status >= 500 && !(error instanceof UnwrittenError))
      log.error({ ...facts, err: error.cause ?? error }, 'request failed');
    else log.debug({ ...facts, cause: error.cause }, 'request refused');
  }

  /** @returns how long it took, in milliseconds */
  private count(result: string, status: number | undefined): number {
    const milliseconds = performance.now() - this.startedAt;
    const { requests, requestDuration } = this.observers.metrics.families;
    requests.at(this.service, this.operation, result).value += 1;
    requestDuration.at(this.service, this.operation).observe(milliseconds / 1000);
    const { id: requestId, service, operation, traced } = this;
    traced?.end({ requestId, service, operation, status, error: result === 'ok' ? undefined : result });
    return milliseconds;
  }

  private facts(result: string, milliseconds: number) {
    const { id: requestId, service, operation, principal } = this;
    return {
      ...{ requestId, service, operation, principal: principal?.arn, result, traceId: this.traced?.traceId },
      milliseconds: Math.round(milliseconds * 1000) / 1000,
    };
  }
}

/** What the audit log is told of bytes that are no request. */
export function unreadableRequest(id: string, socket: Duplex, { name, message }: KmsError): EndedRequest {
  return {
    ...{ id, service: 'kms', operation: undefined, receivedAt: Date.now(), milliseconds: 0 },
    ...{ principal: undefined, accessKeyId: undefined, accessKeyIdClaimed: undefined },
    source: { ip: addressOf(socket as Socket), userAgent: undefined },
    tls: tlsDetails(socket as Socket),
    trail: { input: undefined, output: undefined, keys: [], decision: undefined },
    error: { code: name, message },
  };
}

/** What refused a request, where that was a decision: of NotAuthorizedError, and in the words of STS. */
function decisionOf(error: Error): Decision | undefined {
  if (error instanceof NotAuthorizedError) return error.decision;
  const { cause } = error as { readonly cause?: Partial<Decision> };
  return cause?.decision === 'deny' ? (cause as Decision) : undefined;
}
