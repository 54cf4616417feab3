import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, type IpcNetConnectOpts, type Socket, type TcpNetConnectOpts } from 'node:net';
import { hostname } from 'node:os';
import { hostOf } from '../../../config/audit-forward.js';
import type { Destination } from './destination.js';

/** Facility 13 (log audit), severity 6 (informational): RFC 5424, 6.2.1. */
const priority = 13 * 8 + 6;
/** A datagram over IPv4 holds no more, in bytes. */
const mostDatagramBytes = 65_507;
const connectMilliseconds = 5_000;
const host = hostname().replace(/[^!-~]/g, '') || '-';

/** A line as RFC 5424 has it: the event's time and name in the header, the whole line as the message. */
export function syslogMessage(line: string): string {
  const [, time = '-'] = /"(?:eventTime|time)":"([0-9TZ:.-]+)"/.exec(line) ?? [];
  const [, name = 'Checkpoint'] = /"eventName":"(\w{1,32})"/.exec(line) ?? [];
  return `<${priority}>1 ${time} ${host} hsm-kms ${process.pid} ${name} - ${line}`;
}

/** Syslog over UDP: RFC 5426. Nobody says whether a message has come. */
export class SyslogUdpDestination implements Destination {
  private readonly socket: UdpSocket;
  private readonly host: string;
  private readonly port: number;

  constructor(
    url: URL,
    private readonly log: (what: string) => void,
  ) {
    this.host = hostOf(url);
    this.port = Number(url.port || 514);
    this.socket = createSocket(this.host.includes(':') ? 'udp6' : 'udp4').unref();
    // said by the next send
    this.socket.on('error', () => {});
  }

  async send(lines: readonly string[]): Promise<void> {
    for (const line of lines) {
      const message = Buffer.from(syslogMessage(line));
      if (message.length > mostDatagramBytes) this.log('an event is longer than a datagram, and is not sent');
      else await this.sendOne(message);
    }
  }

  end(): void {
    this.socket.close();
  }

  private sendOne(message: Buffer): Promise<void> {
    return new Promise((resolve, reject) => {
      this.socket.send(message, this.port, this.host, (error) => (error ? reject(error) : resolve()));
    });
  }
}

/** Syslog over TCP or a stream socket of Unix, with octet counting: RFC 6587, 3.4.1. */
export class SyslogStreamDestination implements Destination {
  private socket: Socket | undefined;

  constructor(private readonly address: TcpNetConnectOpts | IpcNetConnectOpts) {}

  async send(lines: readonly string[]): Promise<void> {
    const socket = await this.connected();
    const framed = lines.map((line) => {
      const message = syslogMessage(line);
      return `${Buffer.byteLength(message)} ${message}`;
    });
    await new Promise<void>((resolve, reject) => {
      socket.write(framed.join(''), (error) => (error ? reject(error) : resolve()));
    });
  }

  async end(late: Promise<unknown>): Promise<void> {
    const { socket } = this;
    if (socket === undefined || socket.destroyed) return;
    await Promise.race([new Promise<void>((resolve) => socket.end(resolve)), late]);
    // what it does not take would keep this process
    socket.destroy();
  }

  private async connected(): Promise<Socket> {
    if (this.socket && !this.socket.destroyed && this.socket.writable) return this.socket;
    const socket = connect(this.address);
    socket.unref();
    socket.setTimeout(connectMilliseconds, () => socket.destroy(new Error('no connection in time')));
    await once(socket, 'connect');
    socket.setTimeout(0);
    socket.on('error', () => socket.destroy());
    // what it answers is not read, but its end must be seen
    socket.resume();
    this.socket = socket;
    return socket;
  }
}
