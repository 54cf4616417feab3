import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KMS } from '@aws-sdk/client-kms';
import { mainModule } from './built-service.js';
import { cleanEnvironment, region } from './service.js';

const projectRoot = resolve(import.meta.dirname, '../..');
/** Makes a root directory of another Debian suite; stands beside the project where its developers work. */
const rootTool = process.env.HSM_KMS_TEST_DEBIAN_ROOT ?? resolve(projectRoot, '../shared/tools/debian-root');
const packages = ['libnss3', 'libnss3-tools', 'libstdc++6', 'libatomic1', 'openssl'];

/** Why a newer NSS cannot be had on this machine; undefined when it can. */
export function whyNoNewerNss(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root can chroot into a newer Debian';
  if (!existsSync(rootTool)) return `there is no ${rootTool} to make a newer Debian with`;
  return undefined;
}

/** The service over NSS softokn of Debian sid, in a root directory of its own, with the OpenSSL that is there. */
export class NssService {
  private readonly root = join(tmpdir(), `hsm-kms-sid-${process.pid}`);
  private process: ChildProcess | undefined;
  kms = new KMS({});

  private constructor(private readonly more: NodeJS.ProcessEnv) {}

  /** @param more settings, by their environment variables */
  static async start(more: NodeJS.ProcessEnv = {}): Promise<NssService> {
    const service = new NssService(more);
    execFileSync(rootTool, ['sid', service.root, ...packages], { stdio: ['ignore', 'ignore', 'pipe'] });
    service.install();
    await service.serve();
    return service;
  }

  /** Runs a command inside the root directory, with files that lie in its /files. */
  run(files: Readonly<Record<string, Buffer>>, command: string, ...parameters: string[]): string {
    mkdirSync(join(this.root, 'files'), { recursive: true });
    for (const [name, content] of Object.entries(files)) writeFileSync(join(this.root, 'files', name), content);
    return execFileSync('chroot', [this.root, command, ...parameters], { encoding: 'utf8', env: cleanEnvironment() });
  }

  async end(): Promise<void> {
    this.kms.destroy();
    if (this.process?.exitCode === null) {
      const exit = new Promise((done) => this.process?.once('exit', done));
      this.process.kill('SIGTERM');
      await exit;
    }
    rmSync(this.root, { recursive: true, force: true });
  }

  private install(): void {
    const app = join(this.root, 'app');
    cpSync(resolve(mainModule, '../..'), join(app, 'dist'), { recursive: true });
    cpSync(join(projectRoot, 'package.json'), join(app, 'package.json'));
    cpSync(join(projectRoot, 'node_modules'), join(app, 'node_modules'), { recursive: true, verbatimSymlinks: true });
    mkdirSync(join(this.root, 'nss'));
    writeFileSync(join(this.root, 'nss/pin'), 'a PIN for tests', { mode: 0o600 });
    this.run({}, 'certutil', '-N', '-d', 'sql:/nss', '-f', '/nss/pin');
    execFileSync('chroot', [this.root, 'node', '/app/dist/cli/main.js', 'init'], { env: this.environment() });
  }

  private environment(): NodeJS.ProcessEnv {
    return {
      ...cleanEnvironment(),
      HSM_KMS_DATA_DIR: '/data',
      HSM_KMS_WORKERS: '1',
      HSM_KMS_PORT: '0',
      HSM_KMS_PKCS11_MODULE: this.softokn(),
      HSM_KMS_PKCS11_PARAMETERS: "configdir='sql:/nss' certPrefix='' keyPrefix='' secmod='secmod.db' flags= ",
      HSM_KMS_TOKEN_LABEL: 'NSS Certificate DB',
      HSM_KMS_TOKEN_PIN_FILE: '/nss/pin',
      ...this.more,
    };
  }

  private softokn(): string {
    const architectures = ['x86_64-linux-gnu', 'aarch64-linux-gnu'];
    const paths = architectures.map((architecture) => `/usr/lib/${architecture}/libsoftokn3.so`);
    return paths.find((path) => existsSync(join(this.root, path))) as string;
  }

  private async serve(): Promise<void> {
    const served = spawn('chroot', [this.root, 'node', '/app/dist/cli/main.js', 'serve'], { env: this.environment() });
    this.process = served;
    let printed = '';
    served.stderr.on('data', (chunk) => {
      printed += chunk;
    });
    const endpoint = await new Promise<string>((listening, failed) => {
      served.stdout.on('data', (chunk) => {
        printed += chunk;
        const [, url] = /listening on (http:\S+)/.exec(printed) ?? [];
        if (url) listening(url);
      });
      served.once('exit', () => failed(new Error(`the service ended: ${printed}`)));
    });
    const credentials = readFileSync(join(this.root, 'data/credentials'), 'utf8');
    const value = (name: string) => new RegExp(`^${name} = (.+)$`, 'm').exec(credentials)?.[1] ?? '';
    this.kms = new KMS({
      endpoint,
      region,
      maxAttempts: 1,
      credentials: { accessKeyId: value('aws_access_key_id'), secretAccessKey: value('aws_secret_access_key') },
    });
  }
}
