import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, createWriteStream, existsSync, mkdtempSync, readFileSync, type WriteStream } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { mainModule } from '../service/built-service.js';
import { cleanEnvironment } from '../service/clean-environment.js';
import { ended } from '../service/ended-command.js';

/** A start that takes longer has failed, in milliseconds. */
const startMilliseconds = 120_000;
/** Workers whose supervisor is gone answer what is under way, and end: longer than their drain, in milliseconds. */
const endMilliseconds = 120_000;

/** The service as an operator starts it, with two workers and a token of its own, in a process group that can be killed. */
export class ServiceProcess {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'hsm-kms-crash-'));
  /** Where it listens now. */
  url = '';
  private child: ChildProcess | undefined;
  private readonly log: WriteStream;
  /** All processes that were seen of it, and may not outlive it. */
  private readonly seen = new Set<number>();

  /** @param environment what tells the service of its store */
  private constructor(private readonly environment: NodeJS.ProcessEnv) {
    this.log = createWriteStream(join(this.dataDir, 'service.log'), { flags: 'a' });
  }

  /** Makes a data directory, and serves. @throws Error with what the service printed */
  static async start(environment: NodeJS.ProcessEnv = {}): Promise<ServiceProcess> {
    const service = new ServiceProcess(environment);
    const { code, output } = await service.run('init');
    if (code !== 0) throw new Error(`hsm-kms init failed: ${output}`);
    await service.serve();
    return service;
  }

  get credentials(): { accessKeyId: string; secretAccessKey: string } {
    const text = readFileSync(join(this.dataDir, 'credentials'), 'utf8');
    const [, accessKeyId = ''] = /^aws_access_key_id = (.+)$/m.exec(text) ?? [];
    const [, secretAccessKey = ''] = /^aws_secret_access_key = (.+)$/m.exec(text) ?? [];
    return { accessKeyId, secretAccessKey };
  }

  get supervisor(): number {
    return this.child?.pid ?? 0;
  }

  /** Process ids of the workers that run now (Linux). */
  workers(): number[] {
    const file = `/proc/${this.supervisor}/task/${this.supervisor}/children`;
    const workers = existsSync(file) ? readFileSync(file, 'utf8').split(' ').filter(Boolean).map(Number) : [];
    for (const worker of workers) this.seen.add(worker);
    return workers;
  }

  /** @throws Error with what the service printed when it does not start by itself */
  async serve(): Promise<void> {
    const parameters = ['serve', '--data-dir', this.dataDir, '--port', '0', '--workers', '2'];
    const child = spawn(process.execPath, [mainModule, ...parameters], {
      env: { ...cleanEnvironment(), ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
      // a process group of its own
      detached: true,
    });
    this.child = child;
    this.seen.add(this.supervisor);
    const killWithMe = () => this.killGroup();
    process.once('exit', killWithMe);
    child.once('exit', () => process.removeListener('exit', killWithMe));
    let errors = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      errors = (errors + text).slice(-4_000);
      this.log.write(text);
      if (process.env.HSM_KMS_TEST_LOG) appendFileSync(process.env.HSM_KMS_TEST_LOG, text);
    });
    this.url = await new Promise((resolve, reject) => {
      const fail = (why: string) => reject(new Error(`the service ${why}: ${errors}`));
      const late = setTimeout(() => fail('does not start'), startMilliseconds);
      let printed = '';
      child.stdout.setEncoding('utf8').on('data', (text: string) => {
        printed += text;
        const [, url] = /^listening on (\S+)$/m.exec(printed) ?? [];
        if (url !== undefined) resolve(url);
      });
      child.once('exit', (code, signal) => fail(`ended at its start (${signal ?? code})`));
      child.once('exit', () => clearTimeout(late));
      child.stdout.once('data', () => clearTimeout(late));
    });
    this.workers();
  }

  /** To the supervisor alone; returns when it has ended. */
  async signal(signal: NodeJS.Signals): Promise<void> {
    this.workers();
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill(signal);
    await ended;
  }

  /** SIGKILL to all of it at once. */
  async kill(): Promise<void> {
    this.workers();
    const { child } = this;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    this.killGroup();
    await ended;
  }

  /** Processes of the service that do not end, though they should have. */
  async survivors(): Promise<number[]> {
    const end = Date.now() + endMilliseconds;
    for (;;) {
      const alive = [...this.seen].filter((pid) => existsSync(`/proc/${pid}/cmdline`) && isService(pid));
      if (alive.length === 0 || Date.now() > end) return alive;
      await wait(50);
    }
  }

  /** Runs a command of the CLI over the data directory, to its end. */
  async run(...parameters: string[]): Promise<{ code: number | null; output: string }> {
    const child = spawn(process.execPath, [mainModule, ...parameters, '--data-dir', this.dataDir], {
      env: { ...cleanEnvironment(), ...this.environment },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    return ended(child);
  }

  private killGroup(): void {
    try {
      process.kill(-this.supervisor, 'SIGKILL');
    } catch {
      // it has ended already
    }
  }
}

/** A process id may have been given to another program meanwhile. */
function isService(pid: number): boolean {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(mainModule.replace(/cli\/main\.js$/, ''));
  } catch {
    return false;
  }
}
