import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import type { Destination } from './destination.js';

/**
 * Standard output, written to by a process of its own: Node.js writes to a pipe until all of it is taken, so that a
 * reader who has stopped reading would stop the supervisor, and with it the service.
 */
export class StdoutDestination implements Destination {
  private writer: ChildProcessByStdio<Writable, null, null> | undefined;

  async send(lines: readonly string[]): Promise<void> {
    const { stdin } = this.running();
    await new Promise<void>((resolve, reject) => {
      stdin.write(lines.map((line) => `${line}\n`).join(''), (error) => (error ? reject(error) : resolve()));
    });
  }

  async end(late: Promise<unknown>): Promise<void> {
    const { writer } = this;
    if (writer === undefined || writer.exitCode !== null || writer.signalCode !== null) return;
    writer.stdin.end();
    await Promise.race([once(writer, 'exit'), late]);
    // what it does not take would keep this process
    writer.stdin.destroy();
  }

  private running(): ChildProcessByStdio<Writable, null, null> {
    const { writer } = this;
    if (writer && writer.exitCode === null && writer.signalCode === null && writer.stdin.writable) return writer;
    // a session of its own: the signals of a terminal are the supervisor's, and what is left goes out first
    const cat = spawn('cat', [], { stdio: ['pipe', 'inherit', 'ignore'], detached: true });
    cat.unref();
    (cat.stdin as Socket).unref();
    // said by the next send
    cat.on('error', () => {});
    cat.stdin.on('error', () => {});
    this.writer = cat;
    return cat;
  }
}
