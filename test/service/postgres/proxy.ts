import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

/** PostgreSQL's NotificationResponse (protocol 3.0, message formats). */
const notification = 'A'.charCodeAt(0);
/** A message's type, and its length without the type. */
const headerBytes = 5;

/** A way to PostgreSQL that can be cut, or lose notifications. Without TLS. */
export class PostgresProxy {
  /** Takes the server's notifications out of what it sends. */
  losesNotifications = false;
  /** How many were lost. */
  lost = 0;
  private isCut = false;
  private readonly pairs = new Set<readonly [Socket, Socket]>();

  private constructor(
    private readonly server: Server,
    private target: URL,
  ) {
    server.on('connection', (client) => this.join(client));
  }

  /** @param target URL of the database */
  static async start(target: string): Promise<PostgresProxy> {
    const proxy = new PostgresProxy(createServer().listen(0, '127.0.0.1'), new URL(target));
    await once(proxy.server, 'listening');
    return proxy;
  }

  /** URL of the database by this way. */
  get url(): string {
    const url = new URL(this.target);
    url.port = String((this.server.address() as { port: number }).port);
    return url.href;
  }

  /** Leads to another server from now on, as an address does that moves: connections end. @param port its port */
  leadTo(port: number): void {
    this.target = new URL(this.target);
    this.target.port = String(port);
    for (const sockets of this.pairs) for (const each of sockets) each.destroy();
  }

  /** As a network that is cut: connections stay, new ones are taken, and nothing comes through. */
  cut(): void {
    this.isCut = true;
    for (const sockets of this.pairs) for (const each of sockets) each.pause();
  }

  mend(): void {
    this.isCut = false;
    for (const sockets of this.pairs) for (const each of sockets) each.resume();
  }

  async end(): Promise<void> {
    this.server.close();
    for (const sockets of this.pairs) for (const each of sockets) each.destroy();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    const server = connect(Number(this.target.port), this.target.hostname);
    const pair = [client, server] as const;
    this.pairs.add(pair);
    const end = () => {
      this.pairs.delete(pair);
      for (const each of pair) each.destroy();
    };
    for (const each of pair) each.setNoDelay(true).on('error', end).on('close', end);
    const messages = new Messages();
    client.on('data', (bytes) => void server.write(bytes));
    server.on('data', (bytes) => {
      for (const message of messages.whole(bytes)) {
        if (this.losesNotifications && message[0] === notification) this.lost += 1;
        else client.write(message);
      }
    });
    if (this.isCut) for (const each of pair) each.pause();
  }
}

/** The server's stream, cut into messages. */
class Messages {
  private rest: Buffer = Buffer.alloc(0);

  *whole(bytes: Buffer): Generator<Buffer> {
    this.rest = Buffer.concat([this.rest, bytes]);
    while (this.rest.length >= headerBytes) {
      const length = 1 + this.rest.readUInt32BE(1);
      if (this.rest.length < length) return;
      yield this.rest.subarray(0, length);
      this.rest = this.rest.subarray(length);
    }
  }
}
