import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';

/** Who can be given connections. */
export interface ConnectionTaker {
  /** How many connections it has, as far as is known. */
  readonly connections: number;
  /** A connection is its own until it ends, or until it is given back. */
  give(socket: Socket): void;
}

/** How many connections may wait for somebody who takes them, and how long, in milliseconds. */
const waiting = { most: 1024, milliseconds: 5_000 } as const;

const whyNotListening: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program uses it. Set HSM_KMS_PORT to another port',
  EADDRNOTAVAIL: 'this machine has no such address. Set HSM_KMS_HOST to one that it has',
  EACCES: 'this user may not. Set HSM_KMS_PORT to a port from 1024 on',
  ENOTFOUND: 'nobody knows that name. Set HSM_KMS_HOST to an address of this machine',
};

/**
 * The service's address, and its connections until a worker has each. node:cluster's own distribution loses a connection
 * to a worker that ends before it took it: its client would wait for ever.
 */
export class Connections {
  /** How many were given to somebody, and how many to nobody. */
  given = 0;
  dropped = 0;
  private readonly queue = new Map<Socket, NodeJS.Timeout>();

  private constructor(
    private readonly server: Server,
    private readonly takers: () => Iterable<ConnectionTaker>,
  ) {
    server.on('connection', (socket) => this.accept(socket));
  }

  /**
   * Listens.
   *
   * @param port 0 for a free one
   * @param takers those that may be given a connection at the moment
   * @throws Error that says what to do
   */
  static async listen(
    { host, port }: { readonly host: string; readonly port: number },
    takers: () => Iterable<ConnectionTaker>,
    log: Logger,
  ): Promise<Connections> {
    // not read here: whoever is given a connection must find all its bytes
    const server = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    server.listen(port, host);
    try {
      await once(server, 'listening');
    } catch (error) {
      const { code = '', message } = error as NodeJS.ErrnoException;
      const reason = whyNotListening[code] ?? message;
      throw new Error(`The address ${host}:${port} cannot be listened on: ${reason}.`, { cause: error });
    }
    // EMFILE and the like: the connections wait in the kernel
    server.on('error', (error) => log.error({ err: error }, 'connections cannot be accepted'));
    return new Connections(server, takers);
  }

  /** How many wait. */
  get waiting(): number {
    return this.queue.size;
  }

  get port(): number {
    const address = this.server.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  /** A connection that nobody has. */
  accept(socket: Socket): void {
    // who goes away before anybody has the connection is not missed
    if (socket.listenerCount('error') === 0) socket.on('error', () => {});
    const taker = this.leastBusy();
    if (taker) this.giveTo(taker, socket);
    else if (this.queue.size < waiting.most) this.keep(socket);
    else this.drop(socket);
  }

  private keep(socket: Socket): void {
    const timer = setTimeout(() => {
      this.queue.delete(socket);
      this.drop(socket);
    }, waiting.milliseconds);
    this.queue.set(socket, timer);
  }

  /** Somebody takes connections who did not: those that wait are given away. */
  distribute(): void {
    for (const [socket, timer] of this.queue) {
      const taker = this.leastBusy();
      if (taker === undefined) return;
      clearTimeout(timer);
      this.queue.delete(socket);
      this.giveTo(taker, socket);
    }
  }

  private giveTo(taker: ConnectionTaker, socket: Socket): void {
    this.given += 1;
    taker.give(socket);
  }

  private drop(socket: Socket): void {
    this.dropped += 1;
    socket.destroy();
  }

  /** Accepts no more. Those that still wait are distributed, or end. */
  close(): void {
    this.server.close();
    this.distribute();
  }

  private leastBusy(): ConnectionTaker | undefined {
    let least: ConnectionTaker | undefined;
    for (const taker of this.takers()) if (!least || taker.connections < least.connections) least = taker;
    return least;
  }
}
