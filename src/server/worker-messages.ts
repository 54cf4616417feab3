/** Environment variable in which the supervisor hands a worker its settings, as JSON; they hold no secrets. */
export const settingsVariable = 'HSM_KMS_WORKER_SETTINGS';

/** What a worker is told by its supervisor, and tells it. */
export type ToWorker = { readonly kind: 'stop' | 'renew TLS' };
export type FromWorker =
  | { readonly kind: 'listening'; readonly host: string; readonly port: number }
  | { readonly kind: 'failed'; readonly message: string };
