/** How the numbers of several workers become one. */
type Aggregator = 'sum' | 'min' | 'max';

interface Metric {
  /** What other programs tell of themselves, too, has the name that it has with them. */
  readonly name: `${'hsm_kms' | 'process' | 'nodejs'}_${string}`;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** None of them has values that clients make up, or that say which keys and principals there are. */
  readonly labels: readonly string[];
  /** Counters and histograms are summed. */
  readonly aggregator?: Aggregator;
}

/** Everything that the service counts. Counters go on when a worker is replaced; gauges are of those that live. */
export const metricTable = {
  requests: {
    name: 'hsm_kms_requests_total',
    type: 'counter',
    help: 'Requests that were answered; result is ok, the name of the exception, or aborted by the client',
    labels: ['service', 'operation', 'result'],
  },
  requestDuration: {
    name: 'hsm_kms_request_duration_seconds',
    type: 'histogram',
    help: 'From the headers of a request to its answer',
    labels: ['service', 'operation'],
  },
  authenticationFailures: {
    name: 'hsm_kms_authentication_failures_total',
    type: 'counter',
    help: 'Requests whose caller was not let in: signature, access key, client certificate',
    labels: ['reason'],
  },
  authorizationDenials: {
    name: 'hsm_kms_authorization_denials_total',
    type: 'counter',
    help: 'Requests that policies and grants do not allow',
    labels: ['operation', 'reason'],
  },
  quotaRefusals: {
    name: 'hsm_kms_quota_refusals_total',
    type: 'counter',
    help: 'Requests that were throttled because of the setting requestQuotas',
    labels: [],
  },
  tokenCallDuration: {
    name: 'hsm_kms_token_call_duration_seconds',
    type: 'histogram',
    help: 'Time in functions of the PKCS#11 module; of calls in other threads also until a thread was free',
    labels: ['token', 'function'],
  },
  tokenCallErrors: {
    name: 'hsm_kms_token_call_errors_total',
    type: 'counter',
    help: 'Calls of the PKCS#11 module that did not answer CKR_OK; wrong ciphertexts and signatures of clients among them',
    labels: ['token', 'function', 'error'],
  },
  tokenRetries: {
    name: 'hsm_kms_token_retries_total',
    type: 'counter',
    help: 'Calls that were made again, by the error that asked for it',
    labels: ['token', 'error'],
  },
  tokenReachable: {
    name: 'hsm_kms_token_reachable',
    type: 'gauge',
    help: '1 when every worker that has the token reaches it, 0 when one does not',
    labels: ['token'],
    aggregator: 'min',
  },
  tokenLostFor: {
    name: 'hsm_kms_token_lost_seconds',
    type: 'gauge',
    help: 'For how long the token has been gone, for the worker that has waited longest; 0 when it is there',
    labels: ['token'],
    aggregator: 'max',
  },
  tokenLosses: {
    name: 'hsm_kms_token_losses_total',
    type: 'counter',
    help: 'How often a worker has lost the token',
    labels: ['token'],
  },
  tokenRecoveries: {
    name: 'hsm_kms_token_recoveries_total',
    type: 'counter',
    help: 'How often a worker has found the token again',
    labels: ['token'],
  },
  tokenUnavailable: {
    name: 'hsm_kms_token_unavailable_calls_total',
    type: 'counter',
    help: 'Calls that were refused at once because the token was gone',
    labels: ['token'],
  },
  tokenLoginRefusals: {
    name: 'hsm_kms_token_login_refusals_total',
    type: 'counter',
    help: 'Logins that the token refused because of the PIN',
    labels: ['token'],
  },
  tokenTimeouts: {
    name: 'hsm_kms_token_call_timeouts_total',
    type: 'counter',
    help: 'Calls in other threads that were given up because they took too long',
    labels: ['token'],
  },
  sessionLimit: {
    name: 'hsm_kms_token_sessions_limit',
    type: 'gauge',
    help: 'Sessions that calls in other threads may hold at once',
    labels: ['token'],
  },
  sessionsInUse: {
    name: 'hsm_kms_token_sessions_in_use',
    type: 'gauge',
    help: 'Sessions that calls in other threads hold',
    labels: ['token'],
  },
  sessionWaiters: {
    name: 'hsm_kms_token_session_waiters',
    type: 'gauge',
    help: 'Callers that wait for a session',
    labels: ['token'],
  },
  sessionWait: {
    name: 'hsm_kms_token_session_wait_seconds',
    type: 'histogram',
    help: 'How long callers that had to wait for a session have waited',
    labels: ['token'],
  },
  sessionRefusals: {
    name: 'hsm_kms_token_session_refusals_total',
    type: 'counter',
    help: 'Callers that got no session, or no turn, in time: throttled',
    labels: ['token'],
  },
  sessionCopies: {
    name: 'hsm_kms_token_session_copies',
    type: 'gauge',
    help: 'Hot keys that are used by a session copy',
    labels: ['token'],
  },
  objectHandles: {
    name: 'hsm_kms_token_object_handles',
    type: 'gauge',
    help: 'Objects that need not be searched for in the token',
    labels: ['token'],
  },
  storeQueryDuration: {
    name: 'hsm_kms_store_query_duration_seconds',
    type: 'histogram',
    help: 'Time of queries to the store: read, change, or transaction for its begin (with the wait for its lock) and end',
    labels: ['kind'],
  },
  storeErrors: {
    name: 'hsm_kms_store_errors_total',
    type: 'counter',
    help: 'Queries to the store that failed',
    labels: ['kind'],
  },
  cacheLookups: {
    name: 'hsm_kms_cache_lookups_total',
    type: 'counter',
    help: 'Lookups in the caches over the store: hit, or miss where the store was asked',
    labels: ['cache', 'result'],
  },
  taskRuns: {
    name: 'hsm_kms_scheduled_task_runs_total',
    type: 'counter',
    help: 'Scheduled tasks that were due: done, failed, or leased to another worker',
    labels: ['task', 'result'],
  },
  taskItems: {
    name: 'hsm_kms_scheduled_task_items_total',
    type: 'counter',
    help: 'What scheduled tasks have done: keys deleted, keys rotated ...',
    labels: ['task'],
  },
  auditEvents: {
    name: 'hsm_kms_audit_events_total',
    type: 'counter',
    help: 'Events that workers have written to the audit log',
    labels: [],
  },
  auditDelay: {
    name: 'hsm_kms_audit_delay_seconds',
    type: 'histogram',
    help: 'How long the first of the events that were written together had waited; with auditMode durable until it was on the disk',
    labels: [],
  },
  auditFailures: {
    name: 'hsm_kms_audit_failures_total',
    type: 'counter',
    help: 'How often a worker found that it could not write to the audit log',
    labels: [],
  },
  auditWritable: {
    name: 'hsm_kms_audit_writable',
    type: 'gauge',
    help: '1 when every worker can write to the audit log, 0 when one cannot: its requests are refused',
    labels: [],
    aggregator: 'min',
  },
  auditCheckpoints: {
    name: 'hsm_kms_audit_checkpoints_total',
    type: 'counter',
    help: 'Checkpoints of the audit log that were signed',
    labels: [],
  },
  auditLastCheckpoint: {
    name: 'hsm_kms_audit_last_checkpoint_timestamp_seconds',
    type: 'gauge',
    help: 'When the last checkpoint was made; nothing before the first',
    labels: [],
    aggregator: 'max',
  },
  connections: {
    name: 'hsm_kms_connections',
    type: 'gauge',
    help: 'Connections that workers have',
    labels: [],
  },
  brokenSeals: {
    name: 'hsm_kms_broken_seals_total',
    type: 'counter',
    help: 'Records that were found written by somebody else, at each look; table is store where some are missing',
    labels: ['table'],
  },
  tlsExpiry: {
    name: 'hsm_kms_tls_certificate_expiry_timestamp_seconds',
    type: 'gauge',
    help: 'When the TLS certificate in use expires; nothing without TLS',
    labels: [],
    aggregator: 'min',
  },
  buildInfo: {
    name: 'hsm_kms_build_info',
    type: 'gauge',
    help: 'Always 1',
    labels: ['version'],
    aggregator: 'max',
  },
  keys: {
    name: 'hsm_kms_keys',
    type: 'gauge',
    help: 'Keys by state',
    labels: ['state'],
    aggregator: 'max',
  },
  deletionsOverdue: {
    name: 'hsm_kms_key_deletions_overdue',
    type: 'gauge',
    help: 'Keys whose waiting period is over, and which are not deleted yet',
    labels: [],
    aggregator: 'max',
  },
  rotationsDue: {
    name: 'hsm_kms_key_rotations_due',
    type: 'gauge',
    help: 'Enabled keys whose automatic rotation is due',
    labels: [],
    aggregator: 'max',
  },
  materialExpiring: {
    name: 'hsm_kms_imported_material_expiring',
    type: 'gauge',
    help: 'Imported key material that expires within seven days',
    labels: [],
    aggregator: 'max',
  },
  grants: { name: 'hsm_kms_grants', type: 'gauge', help: 'Grants', labels: [], aggregator: 'max' },
  aliases: { name: 'hsm_kms_aliases', type: 'gauge', help: 'Aliases', labels: [], aggregator: 'max' },
  keyStores: {
    name: 'hsm_kms_custom_key_stores',
    type: 'gauge',
    help: 'Custom key stores by connection state',
    labels: ['state'],
    aggregator: 'max',
  },
  inventoryTaken: {
    name: 'hsm_kms_inventory_timestamp_seconds',
    type: 'gauge',
    help: 'When keys, grants, aliases and key stores were counted: at a scrape, at most once a minute',
    labels: [],
    aggregator: 'max',
  },
  workers: { name: 'hsm_kms_workers', type: 'gauge', help: 'Workers by state', labels: ['state'] },
  workersNotAnswering: {
    name: 'hsm_kms_workers_not_answering',
    type: 'gauge',
    help: 'Workers that did not say in time what they have counted; what they said last is in the sums',
    labels: [],
  },
  workerReplacements: {
    name: 'hsm_kms_worker_replacements_total',
    type: 'counter',
    help: 'Workers that were replaced: they crashed, ended, hung, lost the token for good, had grown, or by SIGHUP',
    labels: ['reason'],
  },
  connectionsGiven: {
    name: 'hsm_kms_connections_given_total',
    type: 'counter',
    help: 'Connections that were given to workers',
    labels: [],
  },
  connectionsWaiting: {
    name: 'hsm_kms_connections_waiting',
    type: 'gauge',
    help: 'Connections that wait for a worker',
    labels: [],
  },
  connectionsDropped: {
    name: 'hsm_kms_connections_dropped_total',
    type: 'counter',
    help: 'Connections that were closed because no worker took them in time, or too many waited',
    labels: [],
  },
  processorTime: {
    name: 'process_cpu_seconds_total',
    type: 'counter',
    help: 'Processor time; process is supervisor or worker',
    labels: ['process'],
  },
  residentMemory: {
    name: 'process_resident_memory_bytes',
    type: 'gauge',
    help: 'Memory that the system has given',
    labels: ['process'],
  },
  heapUsed: { name: 'nodejs_heap_size_used_bytes', type: 'gauge', help: 'Memory of JavaScript', labels: ['process'] },
  openFiles: { name: 'process_open_fds', type: 'gauge', help: 'Open file descriptors', labels: ['process'] },
  eventLoopLag: {
    name: 'nodejs_eventloop_lag_p99_seconds',
    type: 'gauge',
    help: 'How long the event loop was held up since it was last asked for, 99th percentile, in the worst process',
    labels: ['process'],
    aggregator: 'max',
  },
  longestLag: {
    name: 'nodejs_eventloop_lag_max_seconds',
    type: 'gauge',
    help: 'The same, at the longest',
    labels: ['process'],
    aggregator: 'max',
  },
} as const satisfies Readonly<Record<string, Metric>>;

export type MetricName = keyof typeof metricTable;
