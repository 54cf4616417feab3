import type { Socket } from 'node:net';
import { type Logger, pino } from 'pino';
import type { StreamHead, UnsignedCheckpoint } from '../audit/format.js';
import { tracesUrl } from '../config/otel.js';
import type { Settings } from '../config/settings.js';
import { createUnreadyServer } from '../http/unready.js';
import type { Token } from '../token/token.js';
import type { TokenEvents } from '../token/token-settings.js';
import { CheckpointSigner } from './audit/checkpoint-signer.js';
import { WorkerAudit } from './audit/worker-audit.js';
import { dataDirectory, expectInitialised } from './data-directory.js';
import type { OtlpTracing } from './otlp-tracing.js';
import { openOwnToken, openOwnTokenWhenPossible } from './own-token.js';
import { ReceivedConnections } from './received-connections.js';
import { type Serving, startServing } from './serving.js';
import { openStore, openStoreWhenPossible } from './store-of-settings.js';
import { tlsServerOptions } from './tls-files.js';
import { ownTokenName, publishTokenState, tokenMeter } from './token-meters.js';
import { type Counted, WorkerMetrics } from './worker-metrics.js';

/** A worker that answers requests, or is about to. */
export interface Worker {
  /** @throws Error that says what to do, when it cannot start */
  readonly ready: Promise<void>;
  /** How many connections it has. */
  readonly connections: number;
  /** What it has counted. @param inventory whether keys, grants ... are to be counted, too */
  counted(inventory: boolean): Promise<Counted>;
  /** Serves a connection. */
  take(connection: Socket): void;
  /** Ends so many connections, each with the answer to its next request. */
  spare(count: number): void;
  /** Reads the TLS files again; what cannot be used is logged, and the old is kept. */
  renewTls(): void;
  /** Has its stream of the audit log on the disk. @returns the stream's end, if there is one */
  auditHead(): Promise<StreamHead | undefined>;
  /** Signs a checkpoint of the audit log. @returns its line; undefined before it has a token */
  sign(checkpoint: UnsignedCheckpoint): Promise<string | undefined>;
  /**
   * Answers what is under way, and ends.
   *
   * @param idleMilliseconds see ReceivedConnections.drain
   * @param lastly when nothing is written to the audit log any more, with the stream's end; token and store are open
   */
  stop(idleMilliseconds: number, lastly: (head: StreamHead | undefined) => Promise<void>): Promise<void>;
}

export interface WorkerStart {
  /** True when the service has been running already: then the token is waited for. */
  readonly replaces: boolean;
  /** The token cannot be opened yet; the worker answers that meanwhile. */
  readonly waiting: () => void;
  /** Only a new process may reach the token again. */
  readonly stuck: () => void;
  /** A stream of the audit log is this worker's: told before anything of it is written. */
  readonly streamBegan: (stream: string) => void;
  /** Everything that the service counts, in Prometheus' text format. */
  readonly metricsText: () => Promise<string>;
}

/** Opens token and store and probes the token. @throws Error that says what to do */
export function startWorker(
  settings: Settings,
  { replaces, waiting, stuck, streamBegan, metricsText }: WorkerStart,
): Worker {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const directory = dataDirectory(settings);
  expectInitialised(settings);
  const tls = tlsServerOptions(settings, (what) => log.warn(what));
  const counting = new WorkerMetrics();
  const { metrics } = counting;
  const readers = settings.metrics;
  const metricsPage = readers === 'off' ? undefined : { readers, text: metricsText };
  const audit = WorkerAudit.open(settings, log, metrics, streamBegan);
  const unreadyServices = { metrics, metricsPage, log, audit: audit?.requests };
  const unready = replaces ? new ReceivedConnections(createUnreadyServer(tls, unreadyServices)) : undefined;
  const arrivals = { count: 0 };
  let tracing: OtlpTracing | undefined;
  let token: Token | undefined;
  let serving: Serving | undefined;
  let signer: CheckpointSigner | undefined;
  const connections = () => (serving?.connections.count ?? 0) + (unready?.count ?? 0);
  metrics.collect((families) => {
    publishTokenState(families, ownTokenName, token?.state);
    families.connections.at().value = connections();
  });

  const databaseIsAway = (error: Error) => {
    log.error({ err: error }, 'the database does not answer: requests are refused until it is back');
    waiting();
  };
  const open = (): Token | Promise<Token> => {
    const warn = (what: string) => log.warn({ token: ownTokenName, what }, 'the token was repaired');
    const events = tokenEvents(log, stuck, audit);
    const meter = tokenMeter(metrics, ownTokenName, tracing?.record);
    const patient = {
      ...events,
      failed(error: Error) {
        events.failed(error);
        waiting();
      },
    };
    return replaces
      ? openOwnTokenWhenPossible(settings, directory, warn, { events: patient, meter, arrivals })
      : openOwnToken(settings, directory, warn, { events, meter, arrivals });
  };
  const start = async () => {
    tracing = await tracingOf(settings, log);
    const store = await (replaces ? openStoreWhenPossible(settings, databaseIsAway) : openStore(settings));
    try {
      token = await open();
      serving = await startServing(settings, {
        ...{ token, store, tls, log, stuck, arrivals, counting, metricsPage, tracing, audit },
      });
      signer = new CheckpointSigner(token, store);
    } catch (error) {
      // its log would stay behind otherwise
      await store.close();
      throw error;
    }
    // the files may have changed since they were read
    if (replaces) serving.renewTls();
  };
  return {
    ready: start(),
    get connections() {
      return connections();
    },
    counted: (inventory) => counting.counted(inventory),
    take(connection) {
      const taker = serving?.connections ?? unready;
      if (taker) taker.take(connection);
      else connection.destroy();
    },
    spare: (count) => serving?.connections.spare(count),
    renewTls: () => serving?.renewTls(),
    auditHead: async () => audit?.head(),
    sign: async (checkpoint) => signer?.sign(checkpoint),
    async stop(idleMilliseconds, lastly) {
      const closed = unready?.drain(0, settings.drainMilliseconds);
      const lastWords = async () => {
        await closed;
        await lastly(await audit?.end());
      };
      if (serving) await serving.stop(idleMilliseconds, lastWords);
      else await lastWords();
      await tracing?.end();
    },
  };
}

/** Undefined where nobody collects traces: then it costs nothing, not even loading. */
async function tracingOf(settings: Settings, log: Logger): Promise<OtlpTracing | undefined> {
  if (tracesUrl(settings) === undefined) return undefined;
  const { OtlpTracing } = await import('./otlp-tracing.js');
  return new OtlpTracing(settings, log);
}

/** What becomes of the service's own token. */
function tokenEvents(log: Logger, stuck: () => void, audit: WorkerAudit | undefined): TokenEvents {
  const facts = { token: ownTokenName };
  return {
    lost(err) {
      audit?.tell('LoseToken', facts);
      log.error({ ...facts, err }, 'the token does not answer: requests are refused until it is back');
    },
    failed: (err) => log.warn({ ...facts, err }, 'the token is not back yet'),
    back(milliseconds) {
      audit?.tell('FindToken', { ...facts, milliseconds });
      log.info({ ...facts, milliseconds }, 'the token is back');
    },
    stuck(err) {
      log.error({ ...facts, err }, 'this process does not get to the token any more: it is to be replaced');
      stuck();
    },
  };
}
