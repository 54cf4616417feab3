import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { mainModule } from '../service/built-service.js';
import { cleanEnvironment } from '../service/service.js';

const unit = resolve(import.meta.dirname, '../../systemd/hsm-kms.service');
/** nobody. */
const otherUser = 65534;
/** What `systemd-analyze security` gives the unit at most: 0 is confined wholly, 10 not at all. */
const exposure = 1.3;

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-unit-'));
  chmodSync(directory, 0o755);
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const isThere = (command: string) => spawnSync('sh', ['-c', `command -v ${command}`]).status === 0;

/** A test that needs commands that not every machine has; said when it is skipped. */
function testWith(commands: readonly string[], otherwise?: string) {
  const missing = commands.filter((command) => !isThere(command));
  const reason = missing.length > 0 ? `there is no ${missing.join(', ')}` : otherwise;
  if (reason) console.warn(`skipped, a test of the systemd unit: ${reason}`);
  return reason ? test.skip : test;
}

describe('what systemd says of the unit', () => {
  const analyze = (...parameters: string[]) => spawnSync('systemd-analyze', parameters, { encoding: 'utf8' });

  testWith(['systemd-analyze'])('it is understood, to the last line', () => {
    // of another file of that name: the program is not installed here
    const copy = join(directory, 'hsm-kms.service');
    const command = `ExecStart=${process.execPath} ${mainModule} serve --init`;
    writeFileSync(copy, readFileSync(unit, 'utf8').replace(/^ExecStart=.*$/m, command));
    const { status, stdout, stderr } = analyze('verify', copy);
    expect({ status, printed: stdout + stderr }).toEqual({ status: 0, printed: '' });
  });

  testWith(['systemd-analyze'])('it exposes little', () => {
    const { stdout, status } = analyze('security', '--offline=yes', `--threshold=${exposure * 10}`, unit);
    const [, level] = /Overall exposure level for hsm-kms\.service: ([\d.]+)/.exec(stdout) ?? [];
    expect(Number(level)).toBeLessThanOrEqual(exposure);
    expect(status).toBe(0);
  });
});

/** Prints every datagram that it receives, as JSON. */
const listener = `
import json, os, socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
os.chmod(sys.argv[1], 0o666)
print(json.dumps('bound'), flush=True)
while True: print(json.dumps(s.recv(4096).decode()), flush=True)
`;

/** What the unit takes away, where no systemd runs: a shell's words before a command. */
const restricted = `
  mount --bind "$1" "$1"
  mount -o remount,bind,ro /
  data=$1
  shift
  umask 0077
  exec setpriv --reuid=${otherUser} --regid=${otherUser} --clear-groups --no-new-privs --bounding-set=-all --inh-caps=-all \
    prlimit --core=0 "$@" --data-dir "$data"
`;

const mayConfine = process.geteuid?.() === 0 ? undefined : 'only root may confine a process like that';

describe('without systemd, under the same restrictions', () => {
  const messages: string[] = [];
  let notified: ChildProcess | undefined;
  let service: ChildProcess | undefined;
  let printed = '';
  afterAll(() => {
    notified?.kill();
    service?.kill('SIGKILL');
  });

  async function until(condition: () => boolean): Promise<void> {
    for (let waited = 0; !condition(); waited += 20) {
      if (waited > 120_000) throw new Error(`it did not come to that: ${JSON.stringify(messages)} ${printed}`);
      await new Promise((done) => setTimeout(done, 20));
    }
  }

  testWith(['python3', 'unshare', 'setpriv', 'prlimit', 'systemd-notify'], mayConfine)(
    "the unit's command serves, and tells when it is ready, reloads and stops",
    async () => {
      const data = join(directory, 'data');
      mkdirSync(data);
      chownSync(data, otherUser, otherUser);
      const socket = join(directory, 'notify');
      notified = spawn('python3', ['-c', listener, socket], { stdio: ['ignore', 'pipe', 'inherit'] });
      let received = '';
      notified.stdout?.setEncoding('utf8').on('data', (text: string) => {
        received += text;
        const lines = received.split('\n');
        received = lines.pop() as string;
        // with BARRIER=1 systemd-notify asks to be told that what it said before was read
        messages.push(...lines.map((line) => JSON.parse(line) as string).filter((each) => each !== 'BARRIER=1'));
      });
      await until(() => messages[0] === 'bound');

      const command = [process.execPath, mainModule, 'serve', '--init', '--port', '0', '--workers', '1'];
      service = spawn('unshare', ['--mount', 'sh', '-euc', restricted, 'sh', data, ...command], {
        cwd: '/',
        env: { ...cleanEnvironment(), NOTIFY_SOCKET: socket },
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      for (const stream of [service.stdout, service.stderr]) {
        stream?.setEncoding('utf8').on('data', (text: string) => {
          printed += text;
        });
      }
      if (!(await serves())) return;
      expect(messages).toEqual(['bound', 'READY=1\nSTATUS=answering requests']);
      const status = readFileSync(`/proc/${service.pid}/status`, 'utf8');
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      expect(status).toMatch(/^CapBnd:\t0+$/m);
      const [url = ''] = /http:\/\/\S+/.exec(printed) ?? [];
      expect(await (await fetch(`${url}/readyz`)).text()).toBe('ready\n');

      service.kill('SIGHUP');
      await until(() => messages.length === 4);
      expect(messages.slice(2)).toEqual(['RELOADING=1', 'READY=1\nSTATUS=answering requests']);
      expect(await (await fetch(`${url}/readyz`)).text()).toBe('ready\n');
      service.kill('SIGTERM');
      const [code] = await once(service, 'exit');
      expect(code).toBe(0);
      await until(() => messages.length === 5);
      expect(messages[4]).toMatch(/^STOPPING=1\n/);
    },
  );

  /** False where the build lies in a directory that other users may not enter. */
  async function serves(): Promise<boolean> {
    await until(() => messages.length > 1 || service?.exitCode !== null);
    const closed = /EACCES|ERR_MODULE_NOT_FOUND|Cannot find module|Permission denied/.test(printed);
    if (messages.length === 1 && closed) {
      console.warn('skipped, a test of the systemd unit: other users may not enter the directory of the build');
      return false;
    }
    expect(printed).toMatch(/^listening on /m);
    return true;
  }

  test('where systemd-notify is missing, it serves all the same, and says so once', async () => {
    const child = spawn(
      process.execPath,
      [mainModule, 'serve', '--init', '--data-dir', join(directory, 'alone'), '--port', '0', '--workers', '1'],
      {
        env: { ...cleanEnvironment(), PATH: '/nowhere', NOTIFY_SOCKET: '/nowhere/notify' },
        stdio: ['ignore', 'pipe', 'pipe'],
      },
    );
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const warnings = () => output.match(/systemd-notify does not work/g)?.length ?? 0;
    await until(() => /^listening on /m.test(output) && warnings() > 0);
    child.kill('SIGHUP');
    child.kill('SIGTERM');
    const [code] = await once(child, 'exit');
    expect(code).toBe(0);
    expect(warnings()).toBe(1);
  });
});
