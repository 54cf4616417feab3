import type { StreamHead, UnsignedCheckpoint } from '../audit/format.js';
import type { MetricSamples } from '../metrics/metrics.js';

/** Environment variable in which the supervisor hands a worker what it is to do, as JSON; it holds no secrets. */
export const assignmentVariable = 'HSM_KMS_WORKER_SETTINGS';

/** What a worker is told by its supervisor, and tells it. */
export type ToWorker =
  /** With the socket of a connection. */
  | { readonly kind: 'connection'; readonly id: number }
  | { readonly kind: 'renew TLS' }
  /** To end so many connections with their next answer: another worker has fewer. */
  | { readonly kind: 'spare connections'; readonly count: number }
  /** To say what it has counted. @see Counted */
  | { readonly kind: 'count'; readonly inventory: boolean }
  /** The answer to `metrics`. */
  | { readonly kind: 'metrics'; readonly id: number; readonly text: string }
  /** To say how far its stream of the audit log is on the disk. */
  | { readonly kind: 'audit head'; readonly id: number }
  /** To sign a checkpoint of the audit log. */
  | { readonly kind: 'sign checkpoint'; readonly id: number; readonly checkpoint: UnsignedCheckpoint }
  /** To end when it has answered what is under way; one that signs, when it is told to leave. @see Worker.stop */
  | { readonly kind: 'stop'; readonly idleMilliseconds: number; readonly signs?: boolean }
  /** That nothing is to be signed any more. */
  | { readonly kind: 'leave' };

export type FromWorker =
  /** It takes connections, but what it needs is not there yet: it answers that. */
  | { readonly kind: 'waiting' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly message: string }
  /** Its main thread is not held up. */
  | { readonly kind: 'alive'; readonly connections: number; readonly residentBytes: number }
  /** It has a connection that it was given. */
  | { readonly kind: 'took'; readonly id: number }
  /** It was asked for everything that the service counts, in Prometheus' text format. */
  | { readonly kind: 'metrics'; readonly id: number }
  | {
      readonly kind: 'counted';
      readonly samples: readonly MetricSamples[];
      readonly inventory?: readonly MetricSamples[] | undefined;
    }
  /** It begins a stream of the audit log under this name. */
  | { readonly kind: 'audit stream'; readonly stream: string }
  /** The answer to `audit head`, or unasked (id 0) when its stream has ended. */
  | { readonly kind: 'audit head'; readonly id: number; readonly head?: StreamHead | undefined }
  /** The answer to `sign checkpoint`: its line, or why there is none. */
  | { readonly kind: 'checkpoint'; readonly id: number; readonly line?: string; readonly failure?: string }
  /** It has answered everything, and is there to sign. */
  | { readonly kind: 'drained' }
  /** It cannot get at its token any more; a new process may. */
  | { readonly kind: 'replace me' };

/** How often a worker says that it is alive, in milliseconds. */
export const heartbeatMilliseconds = 500;
