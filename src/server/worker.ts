import type { Socket } from 'node:net';
import { type Logger, pino } from 'pino';
import type { Settings } from '../config/settings.js';
import { createUnreadyServer } from '../http/unready.js';
import type { Token } from '../token/token.js';
import type { TokenEvents } from '../token/token-settings.js';
import { dataDirectory, isInitialised } from './data-directory.js';
import { openOwnToken, openOwnTokenWhenPossible } from './own-token.js';
import { ReceivedConnections } from './received-connections.js';
import { type Serving, startServing } from './serving.js';
import { tlsServerOptions } from './tls-files.js';

/** A worker that answers requests, or is about to. */
export interface Worker {
  /** @throws Error that says what to do, when it cannot start */
  readonly ready: Promise<void>;
  /** How many connections it has. */
  readonly connections: number;
  /** Serves a connection. */
  take(connection: Socket): void;
  /** Reads the TLS files again; what cannot be used is logged, and the old is kept. */
  renewTls(): void;
  /** Answers what is under way, and ends. @param idleMilliseconds see ReceivedConnections.drain */
  stop(idleMilliseconds: number): Promise<void>;
}

export interface WorkerStart {
  /** True when the service has been running already: then the token is waited for. */
  readonly replaces: boolean;
  /** The token cannot be opened yet; the worker answers that meanwhile. */
  readonly waiting: () => void;
  /** Only a new process may reach the token again. */
  readonly stuck: () => void;
}

/** Opens token and store and probes the token. @throws Error that says what to do */
export function startWorker(settings: Settings, { replaces, waiting, stuck }: WorkerStart): Worker {
  const log = pino({ level: settings.logLevel, base: { pid: process.pid } }, pino.destination(2));
  const directory = dataDirectory(settings);
  if (!isInitialised(directory)) {
    throw new Error(`The data directory ${directory.path} is not initialised. Type: hsm-kms init`);
  }
  const tls = tlsServerOptions(settings, (what) => log.warn(what));
  const unready = replaces ? new ReceivedConnections(createUnreadyServer(tls)) : undefined;
  let serving: Serving | undefined;

  const open = (): Token | Promise<Token> => {
    const warn = (what: string) => log.warn({ what }, 'the token was repaired');
    const events = tokenEvents(log, stuck);
    const patient = {
      ...events,
      failed(error: Error) {
        events.failed(error);
        waiting();
      },
    };
    return replaces
      ? openOwnTokenWhenPossible(settings, directory, warn, patient)
      : openOwnToken(settings, directory, warn, events);
  };
  const start = async () => {
    serving = await startServing(settings, await open(), { tls, log, stuck });
    // the files may have changed since they were read
    if (replaces) serving.renewTls();
  };
  return {
    ready: start(),
    get connections() {
      return (serving?.connections.count ?? 0) + (unready?.count ?? 0);
    },
    take(connection) {
      const taker = serving?.connections ?? unready;
      if (taker) taker.take(connection);
      else connection.destroy();
    },
    renewTls: () => serving?.renewTls(),
    async stop(idleMilliseconds) {
      await Promise.all([unready?.drain(0, settings.drainMilliseconds), serving?.stop(idleMilliseconds)]);
    },
  };
}

/** What becomes of the service's own token. */
function tokenEvents(log: Logger, stuck: () => void): TokenEvents {
  return {
    lost: (error) => log.error({ err: error }, 'the token does not answer: requests are refused until it is back'),
    failed: (error) => log.warn({ err: error }, 'the token is not back yet'),
    back: (milliseconds) => log.info({ milliseconds }, 'the token is back'),
    stuck(error) {
      log.error({ err: error }, 'this process does not get to the token any more: it is to be replaced');
      stuck();
    },
  };
}
