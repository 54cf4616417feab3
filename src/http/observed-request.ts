import { randomUUID } from 'node:crypto';
import type { IncomingMessage } from 'node:http';
import type { Logger } from 'pino';
import { NotAuthorizedError } from '../authorization/authorize.js';
import type { Principal } from '../authorization/principal.js';
import type { Metrics } from '../metrics/metrics.js';
import type { TracedRequest, Tracing } from './tracing.js';

interface Observers {
  readonly metrics: Metrics;
  readonly log: Logger;
  readonly tracing: Tracing | undefined;
}

/** Where an operation is not known, or not one that there is. */
export const unknownOperation = 'unknown';

/** A request that is being answered, and what has been learned about it so far. */
export class ObservedRequest {
  readonly id = randomUUID();
  operation: string = unknownOperation;
  /** Undefined until it is known who asks. */
  principal: Principal | undefined;
  private readonly startedAt = performance.now();
  private readonly traced: TracedRequest | undefined;

  constructor(
    readonly service: 'kms' | 'sts',
    private readonly observers: Observers,
    request: IncomingMessage,
  ) {
    this.traced = observers.tracing?.begin(request);
  }

  /** Does what belongs to it. */
  run<T>(work: () => T): T {
    return this.traced ? this.traced.run(work) : work();
  }

  /** It was answered as it was meant to be. */
  answered(): void {
    const { log } = this.observers;
    const milliseconds = this.count('ok', 200);
    if (log.isLevelEnabled('debug')) log.debug(this.facts('ok', milliseconds), 'request answered');
  }

  /** The client went away before it had sent everything. */
  aborted(): void {
    this.observers.log.debug(this.facts('aborted', this.count('aborted', undefined)), 'request aborted');
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
    if (status >= 500) log.error({ ...facts, err: error.cause ?? error }, 'request failed');
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
