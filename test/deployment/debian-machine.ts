import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { docker, dockerCommand, type Printed, tryDocker, whyNoEngine } from '../containers/engine.js';
import { builtOnce, projectRoot } from '../containers/image.js';
import { randomName } from '../containers/service-container.js';

/** Longest boot that is waited for, in milliseconds. */
const bootMilliseconds = 120_000;
/** What an installation is made from, and what spares it compiling. */
const checkout = ['LICENSE', 'README.md', 'docs', 'package.json', 'package-lock.json', 'scripts', 'src', 'systemd'];
const built = ['tsconfig.json', 'node_modules'];

/** All but what the machine of the tests may lack itself. */
const privileges = ['--cap-add', 'ALL', '--cap-drop', 'SYS_RESOURCE', '--security-opt', 'seccomp=unconfined'];

/** Why systemd cannot be run in a container here; undefined when it can. Said on stderr as well. */
export function whyNoMachine(): string | undefined {
  const noEngine = whyNoEngine();
  if (noEngine) return noEngine;
  const needed = ['sh', '-c', 'mount -o remount,rw /sys && mount -t cgroup2 none /mnt && mount --make-rshared /'];
  const { status, stderr } = spawnSync(
    dockerCommand,
    ['run', '--rm', ...privileges, 'node:20-bookworm-slim', ...needed],
    {
      encoding: 'utf8',
    },
  );
  if (status === 0) return undefined;
  const reason = `systemd cannot run in a container here: ${stderr.trim().split('\n').at(-1)}`;
  console.warn(`skipped, tests of the installation: ${reason}`);
  return reason;
}

/** A machine with Debian 12 and systemd, in a container; the clone lies in /root/hsm-kms. */
export class DebianMachine {
  private constructor(readonly name: string) {}

  /** @throws Error where containers may not run systemd */
  static async boot(): Promise<DebianMachine> {
    const directory = join(projectRoot, 'test/deployment/machine');
    const image = await builtOnce({ directory, name: 'machine', sources: [directory] });
    const machine = new DebianMachine(randomName());
    try {
      await docker('run', '--detach', '--name', machine.name, ...privileges, '--tmpfs', '/run', image);
      await machine.booted();
      await machine.copyCheckout();
      return machine;
    } catch (error) {
      await machine.remove();
      throw error;
    }
  }

  private async booted(): Promise<void> {
    for (const startedAt = Date.now(); ; await sleep(100)) {
      const { stdout } = await this.run('systemctl is-system-running');
      if (/running|degraded/.test(stdout)) return;
      if (Date.now() - startedAt > bootMilliseconds) throw new Error('systemd does not start in a container here');
    }
  }

  private async copyCheckout(): Promise<void> {
    const pack = spawn('tar', ['-C', projectRoot, '-cf', '-', ...checkout, ...built], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const unpack = spawn(dockerCommand, ['exec', '-i', this.name, 'tar', '-C', '/root/hsm-kms', '-xf', '-'], {
      stdio: [pack.stdout, 'ignore', 'inherit'],
    });
    const [code] = await once(unpack, 'exit');
    if (code !== 0) throw new Error('the clone could not be copied into the container');
  }

  /** A script of root's shell, however it ends. */
  run(script: string): Promise<Printed> {
    return tryDocker('exec', '--workdir', '/root/hsm-kms', this.name, 'sh', '-c', script);
  }

  /** A script of root's shell. @returns what it printed on stdout, trimmed @throws Error with all that it printed */
  sh(script: string): Promise<string> {
    return docker('exec', '--workdir', '/root/hsm-kms', this.name, 'sh', '-euc', script);
  }

  /** A property of the service, as systemd sees it. */
  async property(name: string): Promise<string> {
    return this.sh(`systemctl show --value --property=${name} hsm-kms`);
  }

  async remove(): Promise<void> {
    await tryDocker('rm', '--force', '--volumes', this.name);
  }
}
