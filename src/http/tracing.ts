import type { IncomingMessage } from 'node:http';

/** Follows requests through the service, where somebody collects traces. */
export interface Tracing {
  /** Begins a request: part of the trace that its headers name, if they name one. */
  begin(request: Pick<IncomingMessage, 'method' | 'headers'>): TracedRequest;
  /** A part of the request that is under way; what is recorded meanwhile belongs to it. */
  readonly step: Step;
  /** Something that has just ended, in the request that is under way, if there is one. */
  readonly record: Recorder;
}

/** Does a part of a request. @param name as it is shown */
export type Step = <T>(name: string, work: () => T) => T;

/**
 * @param name of what was done
 * @param milliseconds how long it took
 * @param facts what is known of it; never what clients sent or were sent
 * @param error its name, when it failed
 */
export type Recorder = (
  name: string,
  milliseconds: number,
  facts: Readonly<Record<string, string>>,
  error: string | undefined,
) => void;

/** A request that is followed. */
export interface TracedRequest {
  /** 32 hexadecimal digits. */
  readonly traceId: string;
  /** Does what belongs to it. */
  run<T>(work: () => T): T;
  end(result: RequestResult): void;
}

/** What became of a request. */
export interface RequestResult {
  readonly requestId: string;
  readonly service: 'kms' | 'sts';
  readonly operation: string;
  /** HTTP status; undefined when the client went away. */
  readonly status: number | undefined;
  /** Name of the exception. */
  readonly error: string | undefined;
}
