import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { KMS } from '@aws-sdk/client-kms';
import { signedHeaders } from '../service/http.js';
import { type Credentials, region, type Service } from '../service/service.js';
import { until } from '../service/within.js';
import { docker, type Printed, tryDocker } from './engine.js';

/** Longest start that is waited for, in milliseconds. */
const startMilliseconds = 120_000;
const pollMilliseconds = 50;
/** What a service that listens is given to answer, in milliseconds. */
const answerMilliseconds = 2_000;
/** A start that should be refused and is not is ended after so long, in milliseconds, however slow the machine is. */
export const refusalMilliseconds = 120_000;

/** What the image promises to work under. */
export const hardened = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges'] as const;

/** A name that no other run of the tests has. */
export function randomName(): string {
  return `hsm-kms-test-${randomBytes(5).toString('hex')}`;
}

/**
 * A container that serves, on a port of its own of this machine's loopback address.
 *
 * @example
 * const container = await ServiceContainer.run(await serviceImage());
 * afterAll(() => container.remove());
 * await container.kms.createKey({});
 */
export class ServiceContainer {
  url = '';
  credentials: Credentials = { accessKeyId: '', secretAccessKey: '' };
  kms = new KMS({});

  private constructor(readonly name: string) {}

  /** @param options of docker run @throws Error with the log of a container that does not serve */
  static async run(image: string, ...options: string[]): Promise<ServiceContainer> {
    const container = await ServiceContainer.start(image, ...options);
    try {
      await container.ready();
      return container;
    } catch (error) {
      await container.remove();
      throw error;
    }
  }

  /** One that need not serve yet, nor over plain HTTP. @param options of docker run */
  static async start(image: string, ...options: string[]): Promise<ServiceContainer> {
    const container = new ServiceContainer(randomName());
    await docker('run', '--detach', '--name', container.name, '--publish', '127.0.0.1::8080', ...options, image);
    return container;
  }

  /** A container that something else has made. */
  static async existing(name: string): Promise<ServiceContainer> {
    const container = new ServiceContainer(name);
    await container.ready();
    return container;
  }

  /** Waits until it serves; the engine may have given it another port. */
  async ready(): Promise<void> {
    const end = Date.now() + startMilliseconds;
    while (!(await this.isReady())) {
      const { State } = await this.inspect();
      if (!State.Running) throw new Error(`the container ended with ${State.ExitCode}: ${await this.log()}`);
      if (Date.now() > end) throw new Error(`the container does not serve: ${await this.log()}`);
      await sleep(pollMilliseconds);
    }
    this.kms.destroy();
    this.credentials = credentialsIn(await docker('exec', this.name, 'cat', '/data/credentials'));
    this.kms = new KMS({ endpoint: this.url, region, credentials: { ...this.credentials }, maxAttempts: 1 });
  }

  private async isReady(): Promise<boolean> {
    try {
      const [address] = (await docker('port', this.name, '8080/tcp')).split('\n');
      this.url = `http://${address}`;
    } catch {
      return false;
    }
    return (await statusOf(`${this.url}/readyz`)) === 200;
  }

  /** All that it has printed, over all its starts. */
  async log(): Promise<string> {
    const { stdout, stderr } = await tryDocker('logs', this.name);
    return stdout + stderr;
  }

  /** What matches in its log, as soon as it is there: when the last worker listens, not when the first answers. */
  async printed(pattern: RegExp): Promise<string> {
    for (const end = Date.now() + startMilliseconds; ; await sleep(pollMilliseconds)) {
      const log = await this.log();
      const [found] = pattern.exec(log) ?? [];
      if (found !== undefined) return found;
      if (Date.now() > end) throw new Error(`the container does not print ${pattern}: ${log}`);
    }
  }

  async inspect(): Promise<Inspected> {
    return JSON.parse(await docker('inspect', '--type', 'container', this.name))[0];
  }

  async restart(): Promise<void> {
    await docker('restart', this.name);
    await this.ready();
  }

  /** With the volumes that it made for itself. */
  async remove(): Promise<void> {
    this.kms.destroy();
    await tryDocker('rm', '--force', '--volumes', this.name);
  }
}

/**
 * The status of the answer; undefined when there is none. Not by fetch: that of Node.js 20 never ends when Docker's proxy
 * takes a connection for a container that does not listen yet.
 */
export function statusOf(url: string): Promise<number | undefined> {
  return new Promise((resolve) => {
    const request = http.get(url, { agent: false, timeout: answerMilliseconds }, (response) => {
      response.resume();
      resolve(response.statusCode);
    });
    request.once('timeout', () => request.destroy());
    request.once('close', () => resolve(undefined));
    request.once('error', () => resolve(undefined));
  });
}

/** An Encrypt that a worker has begun to read. */
export interface BegunEncryption {
  /** Sends the rest, once the service takes no connections any more. @returns what came back */
  endWhenStopping(): Promise<{ readonly status: number | undefined; readonly body: string }>;
}

/** Begins an encryption, and waits until a worker has it. */
export async function beginEncryption(
  service: Pick<Service, 'url' | 'credentials'>,
  keyId: string,
  plaintext: Buffer,
): Promise<BegunEncryption> {
  const body = JSON.stringify({ KeyId: keyId, Plaintext: plaintext.toString('base64') });
  const headers = {
    ...(await signedHeaders(service, 'Encrypt', body)),
    ...{ 'content-length': String(body.length), expect: '100-continue' },
  };
  const request = http.request(service.url, { method: 'POST', headers, agent: false });
  request.flushHeaders();
  await once(request, 'continue');
  request.write(body.slice(0, 10));
  return {
    async endWhenStopping() {
      await until('it takes no connections', async () => (await statusOf(`${service.url}/healthz`)) === undefined);
      request.end(body.slice(10));
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      return { status: response.statusCode, body: await text(response) };
    },
  };
}

/** What is looked at of docker inspect. */
export interface Inspected {
  readonly State: {
    readonly Running: boolean;
    readonly ExitCode: number;
    readonly Health?: { readonly Status: string; readonly Log: readonly { readonly Output: string }[] };
  };
  readonly HostConfig: {
    readonly ReadonlyRootfs: boolean;
    readonly CapDrop: readonly string[] | null;
    readonly SecurityOpt: readonly string[] | null;
    readonly RestartPolicy: { readonly Name: string };
    readonly PortBindings: Readonly<Record<string, readonly { readonly HostIp: string }[]>>;
  };
}

/** The first administrator in an AWS shared-credentials file. */
export function credentialsIn(text: string): Credentials {
  const value = (name: string) => new RegExp(`^${name} = (.+)$`, 'm').exec(text)?.[1] ?? '';
  return { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') };
}

/** Runs a container to its end, and removes it. @param parameters of docker run */
export async function runToEnd(...parameters: string[]): Promise<Printed & { readonly milliseconds: number }> {
  const name = randomName();
  const startedAt = performance.now();
  const late = setTimeout(() => void tryDocker('kill', name), refusalMilliseconds);
  try {
    const printed = await tryDocker('run', '--rm', '--name', name, ...parameters);
    return { ...printed, milliseconds: performance.now() - startedAt };
  } finally {
    clearTimeout(late);
  }
}

/** Volumes, which are removed with their data. */
export class Volumes {
  private readonly names: string[] = [];

  async create(): Promise<string> {
    const name = randomName();
    await docker('volume', 'create', name);
    this.names.push(name);
    return name;
  }

  async remove(): Promise<void> {
    if (this.names.length > 0) await tryDocker('volume', 'rm', '--force', ...this.names);
  }
}

/** Files that are mounted as secrets are; who runs the tests need not be the user of the image. */
export class Secrets {
  readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-secrets-'));

  constructor(secrets: Readonly<Record<string, string>>) {
    chmodSync(this.directory, 0o755);
    for (const [name, secret] of Object.entries(secrets)) this.set(name, secret);
  }

  set(name: string, secret: string, mode = 0o600): void {
    const file = join(this.directory, name);
    writeFileSync(file, secret, { mode });
    // the user of the image
    if (process.getuid?.() === 0) chownSync(file, 1000, 1000);
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
