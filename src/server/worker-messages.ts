import type { MetricSamples } from '../metrics/metrics.js';

/** Environment variable in which the supervisor hands a worker what it is to do, as JSON; it holds no secrets. */
export const assignmentVariable = 'HSM_KMS_WORKER_SETTINGS';

/** What a worker is told by its supervisor, and tells it. */
export type ToWorker =
  /** With the socket of a connection. */
  | { readonly kind: 'connection'; readonly id: number }
  | { readonly kind: 'renew TLS' }
  /** To say what it has counted. @see Counted */
  | { readonly kind: 'count'; readonly inventory: boolean }
  /** The answer to `metrics`. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  /** To end when it has answered what is under way. @see Worker.stop */
  | { readonly kind: 'stop'; readonly idleMilliseconds: number };

export type FromWorker =
  /** It takes connections, but what it needs is not there yet: it answers that. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  /** Its main thread is not held up. */
  | { readonly kind: 'alive'; readonly connections: number }
  /** It has a connection that it was given. */
  | { readonly kind: 'took'; readonly id: number }
  /** It was asked for everything that the service counts, in Prometheus' text format. */
  | { readonly kind: 'metrics'; readonly id: number }
  | {
      readonly kind: 'counted';
      readonly samples: readonly MetricSamples[];
      readonly inventory?: readonly MetricSamples[] | undefined;
    }
  /** It cannot get at its token any more; a new process may. */
  | { readonly kind: 'replace me' };

/** How often a worker says that it is alive, in milliseconds. */
export const heartbeatMilliseconds = 500;
