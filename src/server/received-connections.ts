import type { Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { UnderWay } from '../http/under-way.js';

/** A connection on which nothing has been said is not waited for any longer, in milliseconds. */
const silentMilliseconds = 1_000;
const pollMilliseconds = 25;

/** The connections of a server that does not listen itself: its supervisor gives them to it. */
export class ReceivedConnections {
  private readonly sockets = new Set<Socket>();
  private readonly underWay = new UnderWay<ServerResponse>();
  private draining = false;
  /** So many more are to end. */
  private spared = 0;

  constructor(private readonly server: Server) {
    // node:http sets up what ends idle and slow connections when a server listens
    server.emit('listening');
    server.prependListener('request', (_request, response) => {
      const place = this.underWay.add(response);
      response.once('close', () => this.underWay.delete(place));
      if (this.draining || this.spared > 0) response.shouldKeepAlive = false;
      if (this.spared > 0) this.spared -= 1;
    });
  }

  get count(): number {
    return this.sockets.size;
  }

  take(socket: Socket): void {
    this.sockets.add(socket);
    socket.on('close', () => this.sockets.delete(socket));
    // as node:net does for the connections that a server of node:http accepts
    socket.allowHalfOpen = true;
    socket.setNoDelay(true);
    this.server.emit('connection', socket);
  }

  /** Ends connections, each with the answer to its next request: its client comes again, to whoever has the fewest. */
  spare(count: number): void {
    this.spared = count;
  }

  /**
   * Answers what is under way and what has come already, and ends the connections.
   *
   * @param idleMilliseconds how long connections without a request are kept: the next answer on them says that it is the
   * last, so no client sends a request at the moment at which its connection is closed
   * @param atMost when all that is left is closed, in milliseconds
   * @returns how many connections were closed with a request under way
   */
  async drain(idleMilliseconds: number, atMost: number): Promise<number> {
    this.draining = true;
    for (const response of this.underWay) response.shouldKeepAlive = false;
    const since = performance.now();
    while (this.sockets.size > 0 && performance.now() - since < atMost) {
      await new Promise((resolve) => setTimeout(resolve, pollMilliseconds));
      const passed = performance.now() - since;
      if (passed >= idleMilliseconds) this.server.closeIdleConnections();
      if (passed >= Math.max(silentMilliseconds, idleMilliseconds)) this.endSilent();
    }
    const left = this.sockets.size;
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
    return left;
  }

  private endSilent(): void {
    for (const socket of this.sockets) if (socket.bytesRead === 0) socket.destroy();
  }
}
