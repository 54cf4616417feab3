import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { NotAuthorizedError } from '../authorization/authorize.js';
import type { Principal } from '../authorization/principal.js';
import type { Metrics } from '../metrics/metrics.js';

/** Where an operation is not known, or not one that there is. */
export const unknownOperation = 'unknown';

/** A request that is being answered, and what has been learned about it so far. */
export class ObservedRequest {
  readonly id = randomUUID();
  operation: string = unknownOperation;
  /** Undefined until it is known who asks. */
  principal: Principal | undefined;
  private readonly startedAt = performance.now();

  constructor(
    readonly service: 'kms' | 'sts',
    private readonly observers: { readonly metrics: Metrics; readonly log: Logger },
  ) {}

  /** It was answered as it was meant to be. */
  answered(): void {
    const { log } = this.observers;
    const milliseconds = this.count('ok');
    if (log.isLevelEnabled('debug')) log.debug(this.facts('ok', milliseconds), 'request answered');
  }

  /** The client went away before it had sent everything. */
  aborted(): void {
    this.observers.log.debug(this.facts('aborted', this.count('aborted')), 'request aborted');
  }

  /**
   * It was refused, or failed: a server's fault is an error with its cause; a client's is news for who looks closely.
   *
   * @param name of the exception, as the client reads it
   */
  refused(name: string, status: number, error: Error): void {
    const { log, metrics } = this.observers;
    const facts = this.facts(name, this.count(name));
    if (error instanceof NotAuthorizedError) {
      metrics.families.authorizationDenials.at(this.operation, error.decision.reason).value += 1;
    }
    if (status >= 500) log.error({ ...facts, err: error.cause ?? error }, 'request failed');
    else log.debug({ ...facts, cause: error.cause }, 'request refused');
  }

  /** @returns how long it took, in milliseconds */
  private count(result: string): number {
    const milliseconds = performance.now() - this.startedAt;
    const { requests, requestDuration } = this.observers.metrics.families;
    requests.at(this.service, this.operation, result).value += 1;
    requestDuration.at(this.service, this.operation).observe(milliseconds / 1000);
    return milliseconds;
  }

  private facts(result: string, milliseconds: number) {
    const { id: requestId, service, operation, principal } = this;
    return {
      ...{ requestId, service, operation, principal: principal?.arn, result },
      milliseconds: Math.round(milliseconds * 1000) / 1000,
    };
  }
}
