import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type CreateKeyRequest, KMS } from '@aws-sdk/client-kms';
import { expectFreshBuild, mainModule } from './built-service.js';
import { cleanEnvironment } from './clean-environment.js';
import { copyInitialised } from './copy-of-data.js';
import { ended } from './ended-command.js';
import { testedDatabase } from './tested-database.js';
import { testedToken } from './tested-token.js';
import { patience } from './within.js';

export { cleanEnvironment };

export const region = 'us-east-1';
export const accountId = '000000000000';
/** ARN of a user; the first administrator is called administrator. */
export const userArn = (name: string) => `arn:aws:iam::${accountId}:user/${name}`;

export interface ServiceOptions {
  readonly workers?: number;
  /** 0 takes a free one. */
  readonly port?: number;
  /** More flags of `serve`. */
  readonly flags?: readonly string[];
  /** More of the environment, for all commands over its data directory. */
  readonly environment?: NodeJS.ProcessEnv;
  /** False where there is nothing for `init` to make. */
  readonly initialise?: boolean;
  /** True where no other service of this run may have the same keys in its token, nor the same administrator's. */
  readonly unlikeOthers?: boolean;
  /** What is done between `init` and the first `serve`. */
  readonly prepare?: (dataDir: string) => Promise<void>;
}

export interface Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  /** Of a role session's. */
  readonly sessionToken?: string;
}

/**
 * The real service as a person starts it, over a token of its own, SoftHSM2's by default (tested-token.ts):
 * `hsm-kms serve` over what `hsm-kms init` has made, once for all services of this run that can have it so.
 *
 * @example
 * const service = await Service.start();
 * afterAll(() => service.end());
 * await service.kms.createKey({});
 */
export class Service {
  readonly dataDir = mkdtempSync(join(tmpdir(), 'hsm-kms-test-'));
  /** What it has printed, over all its starts. */
  stdout = '';
  /** What it has logged, over all its starts. */
  stderr = '';
  /** http://HOST:PORT, as it announces. */
  url = '';
  private process: ChildProcess | undefined;
  private readonly clients: KMS[] = [];
  private client: KMS | undefined;
  private readonly endings: (() => Promise<void>)[] = [];

  private constructor(private readonly options: ServiceOptions) {
    if (options.environment) environments.set(this.dataDir, options.environment);
  }

  /** Makes a data directory, and serves. @throws Error with what the service printed when it does not start */
  static async start(options: ServiceOptions = {}): Promise<Service> {
    const service = await Service.initialised(options);
    try {
      await service.serve();
    } catch (error) {
      await service.end();
      throw error;
    }
    return service;
  }

  /** Makes a data directory only. */
  static async initialised(options: ServiceOptions = {}): Promise<Service> {
    expectFreshBuild();
    const service = new Service(options);
    try {
      if (options.initialise ?? true) {
        if (options.environment || options.unlikeOthers) await initialise(service.dataDir);
        else await copyInitialised(service.dataDir, initialise);
      }
      await options.prepare?.(service.dataDir);
    } catch (error) {
      await service.end();
      throw error;
    }
    return service;
  }

  /** The administrator's credentials, from the file that users point their clients to. */
  get credentials(): Credentials {
    const text = readFileSync(join(this.dataDir, 'credentials'), 'utf8');
    const [, accessKeyId = ''] = /^aws_access_key_id = (.+)$/m.exec(text) ?? [];
    const [, secretAccessKey = ''] = /^aws_secret_access_key = (.+)$/m.exec(text) ?? [];
    return { accessKeyId, secretAccessKey };
  }

  /** An unmodified AWS SDK client that signs as the administrator and does not retry. */
  get kms(): KMS {
    this.client ??= this.newClient();
    return this.client;
  }

  /** Makes a key; gives its id and ARN. */
  async newKey(input: CreateKeyRequest = {}): Promise<{ KeyId: string; Arn: string }> {
    const { KeyMetadata } = await this.kms.createKey(input);
    return { KeyId: KeyMetadata?.KeyId as string, Arn: KeyMetadata?.Arn as string };
  }

  newClient(credentials: Credentials = this.credentials): KMS {
    const client = new KMS({ endpoint: this.url, region, credentials, maxAttempts: 1 });
    this.clients.push(client);
    return client;
  }

  /** Process ids of the workers that run now (Linux). */
  get workers(): number[] {
    const supervisor = this.supervisor;
    const children = readFileSync(`/proc/${supervisor}/task/${supervisor}/children`, 'utf8');
    return children.split(' ').filter(Boolean).map(Number);
  }

  get supervisor(): number {
    if (this.process?.pid === undefined) throw new Error('the service does not run');
    return this.process.pid;
  }

  /**
   * The whole lines of the log that a pattern matches, once there is one: the log comes through a pipe, later than the
   * answer perhaps.
   *
   * @throws Error when there is none
   */
  async logged(pattern: RegExp): Promise<string[]> {
    const end = Date.now() + patience;
    for (;;) {
      const lines = this.stderr.split('\n').slice(0, -1);
      const found = lines.filter((line) => pattern.test(line));
      if (found.length > 0) return found;
      if (Date.now() > end) throw new Error(`the log has no line like ${pattern}`);
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Stops as an operator does, and starts again. */
  async restart(): Promise<void> {
    await this.stop();
    await this.serve();
  }

  /** Starts over the data directory that exists. */
  async serve(): Promise<void> {
    const { port = 0, workers = 1, flags = [] } = this.options;
    const child = spawn(
      serviceNode(),
      [
        ...[mainModule, 'serve', '--data-dir', this.dataDir, '--port', String(port), '--workers', String(workers)],
        ...['--log-level', 'debug', ...flags],
      ],
      { env: serviceEnvironment(this.dataDir), stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.process = child;
    const killWithMe = () => child.kill('SIGKILL');
    process.once('exit', killWithMe);
    child.once('exit', () => process.removeListener('exit', killWithMe));
    const printedBefore = this.stdout.length;
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      // to look at what a service has logged that a test fails about
      if (process.env.HSM_KMS_TEST_LOG) appendFileSync(process.env.HSM_KMS_TEST_LOG, text);
    });
    this.url = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`the service does not start: ${this.stderr}`)), patience);
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        this.stdout += text;
        const [, url] = /^listening on (\S+)$/m.exec(this.stdout.slice(printedBefore)) ?? [];
        if (url === undefined) return;
        clearTimeout(late);
        resolve(url);
      });
      child.once('exit', (code) => {
        clearTimeout(late);
        reject(new Error(`the service ended at its start (${code}): ${this.stderr}`));
      });
    });
    this.client = undefined;
  }

  /** SIGTERM. @returns the exit code */
  stop(): Promise<number | null> {
    return this.signal('SIGTERM');
  }

  /** SIGKILL to the supervisor: nothing is flushed, nobody is told. */
  kill(): Promise<number | null> {
    return this.signal('SIGKILL');
  }

  /** What is to be done before its data directory is removed. */
  beforeEnd(ending: () => Promise<void>): void {
    this.endings.push(ending);
  }

  /** Stops, and removes the data directory. */
  async end(): Promise<void> {
    await Promise.all(this.endings.map((ending) => ending()));
    for (const client of this.clients) client.destroy();
    await this.stop();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  private async signal(signal: NodeJS.Signals): Promise<number | null> {
    const child = this.process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    child.kill(signal);
    const [code] = await once(child, 'exit');
    return code;
  }
}

/** @throws Error with what `init` printed */
async function initialise(dataDir: string): Promise<void> {
  const { code, output } = await hsmKms('init', '--data-dir', dataDir);
  if (code !== 0) throw new Error(`hsm-kms init failed: ${output}`);
}

/** False for what is below a file: the service has to say so itself. */
function canHold(directory: string): boolean {
  if (existsSync(directory)) return statSync(directory).isDirectory();
  return canHold(dirname(directory));
}

/** Runs one command of the CLI to its end. */
export async function hsmKms(...parameters: string[]): Promise<{ code: number | null; output: string }> {
  const place = parameters.indexOf('--data-dir');
  const dataDir = place < 0 ? undefined : parameters[place + 1];
  if (dataDir !== undefined && parameters[0] === 'init' && canHold(dataDir)) {
    testedToken.make(dataDir);
    testedDatabase.make(dataDir);
  }
  const child = spawn(serviceNode(), [mainModule, ...parameters], {
    env: dataDir === undefined ? cleanEnvironment() : serviceEnvironment(dataDir),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  return ended(child);
}

/** The Node.js that runs the service; another one needs a build of its own (HSM_KMS_TEST_BUILD), with its addons. */
export const serviceNode = () => testedToken.node?.() ?? process.env.HSM_KMS_TEST_NODE ?? process.execPath;

/** What there is more of it, by data directory. */
export const environments = new Map<string, NodeJS.ProcessEnv>();

/** What a process of the service finds in its environment: the tested token and database. */
export function serviceEnvironment(dataDir: string): NodeJS.ProcessEnv {
  const tested = { ...testedToken.settings(dataDir), ...testedDatabase.settings(dataDir) };
  return { ...cleanEnvironment(), ...tested, ...environments.get(dataDir) };
}
