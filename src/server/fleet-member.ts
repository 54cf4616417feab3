import type { Worker } from 'node:cluster';
import type { Socket } from 'node:net';
import type { AuditedWorker } from './audit/audited-workers.js';
import type { ConnectionTaker } from './connections.js';
import type { CountingWorker } from './fleet-metrics.js';
import type { ToWorker } from './worker-messages.js';

export type WorkerState = 'starting' | 'waiting' | 'ready' | 'leaving';

/** A worker, as its supervisor sees it. */
export class FleetMember implements ConnectionTaker, CountingWorker, AuditedWorker {
  state: WorkerState = 'starting';
  readonly launchedAt = performance.now();
  heard = performance.now();
  connections = 0;
  failure: string | undefined;
  isBeingReplaced = false;
  /** It has a token. */
  isReady = false;
  listens = false;
  /** It has answered everything, and waits to sign the audit log. */
  isDrained = false;
  /** When it is ended, by performance.now(), once it is leaving. */
  endAt = 0;
  end: NodeJS.Timeout | undefined;
  /** It was ended because it was silent. */
  hangs = false;
  /** True when it is ready, false when it has ended before. */
  readonly settled: Promise<boolean>;
  settle: (isReady: boolean) => void = () => {};
  /** Connections that it was given, until it says that it has them. */
  private readonly given = new Map<number, Socket>();
  private lastId = 0;

  constructor(readonly worker: Worker) {
    this.settled = new Promise((resolve) => {
      this.settle = resolve;
    });
  }

  give(socket: Socket): void {
    this.lastId += 1;
    this.connections += 1;
    this.given.set(this.lastId, socket);
    // kept open here until the worker has it: it may end before
    this.send({ kind: 'connection', id: this.lastId }, socket);
  }

  took(id: number): void {
    this.given.get(id)?.destroy();
    this.given.delete(id);
  }

  untaken(): Socket[] {
    const sockets = [...this.given.values()];
    this.given.clear();
    return sockets.filter(({ destroyed }) => !destroyed);
  }

  send(message: ToWorker, socket?: Socket): void {
    const { worker } = this;
    if (!worker.isConnected()) return;
    // what cannot be sent to one that is ending is answered by its exit
    worker.process.send(message, socket, { keepOpen: true }, () => {});
  }
}
