import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { builtModules } from './built-service.js';
import { type Service, serviceEnvironment, serviceNode } from './service.js';

interface Answer {
  readonly printed: string;
  readonly warned: string;
}

/** A process beside a service that carries out one `hsm-kms identity` after the other, and ends with the service. */
export class IdentityProcess {
  private static readonly all = new WeakMap<Service, IdentityProcess>();
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;
  private last: Promise<unknown> = Promise.resolve();

  private constructor(private readonly dataDir: string) {
    const program = join(import.meta.dirname, 'identity-commands.mjs');
    this.child = spawn(serviceNode(), [program, builtModules], {
      env: serviceEnvironment(dataDir),
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
  }

  static of(service: Service): IdentityProcess {
    const found = IdentityProcess.all.get(service);
    if (found) return found;
    const made = new IdentityProcess(service.dataDir);
    IdentityProcess.all.set(service, made);
    service.beforeEnd(() => made.end());
    return made;
  }

  /** @throws Error with what the command is refused with */
  run(parameters: readonly string[]): Promise<Answer> {
    const done = this.last.then(() => this.runAlone(parameters));
    this.last = done.catch(() => {});
    return done;
  }

  private async runAlone(parameters: readonly string[]): Promise<Answer> {
    this.child.stdin!.write(`${JSON.stringify([...parameters, '--data-dir', this.dataDir])}\n`);
    const { value, done } = await this.lines.next();
    if (done) throw new Error(`the process of hsm-kms identity has ended at ${parameters.join(' ')}`);
    const { error, ...answer } = JSON.parse(value);
    if (error !== undefined) throw new Error(`hsm-kms identity ${parameters.join(' ')}: ${error}`);
    return answer;
  }

  private async end(): Promise<void> {
    this.child.stdin!.end();
    if (this.child.exitCode === null && this.child.signalCode === null) await once(this.child, 'exit');
  }
}
