import { type ChildProcess, fork } from 'node:child_process';
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { softHsmConfiguration } from '../../src/token/softhsm.js';
import { ckr, FaultToken, whyNoFaultToken } from '../service/fault-token.js';
import { makeToken } from '../service/further-token.js';
import { cleanEnvironment } from '../service/service.js';
import { until } from '../service/within.js';

const why = whyNoFaultToken();
if (why) console.warn(`The fault-injecting module is not tested: ${why}.`);

const program = fileURLToPath(new URL('../fault-token/token-calls.mjs', import.meta.url));
const message = createHmac('sha256', Buffer.alloc(32, 7)).update('message').digest('hex');

interface Outcome {
  readonly value?: unknown;
  readonly code?: number;
  readonly milliseconds: number;
}

/** A process that makes calls. */
class Program {
  private readonly process: ChildProcess;

  constructor(module: string) {
    this.process = fork(program, [module, 'faults', '1234'], { env: cleanEnvironment() });
  }

  /** What came of a call: its value, or the CK_RV. */
  async call(call: string, given?: unknown): Promise<unknown> {
    const { value, code } = await this.timed(call, given);
    return code ?? value;
  }

  async timed(call: string, given?: unknown): Promise<Outcome> {
    this.process.send({ call, given });
    const [outcome] = await once(this.process, 'message');
    return outcome;
  }

  /** The signal that a call ends the process with. */
  async end(call: string): Promise<NodeJS.Signals> {
    this.process.send({ call });
    const [, signal] = await once(this.process, 'exit');
    return signal;
  }

  async ready(): Promise<this> {
    for (const call of ['initialise', 'open', 'login', 'makeAes', 'makeHmac'])
      expect(await this.call(call)).toBe('done');
    return this;
  }

  kill(): void {
    this.process.kill('SIGKILL');
  }
}

(why ? describe.skip : describe)('the fault-injecting module', () => {
  const directory = mkdtempSync(join(tmpdir(), 'hsm-kms-shim-'));
  let fault: FaultToken;
  let programs: Program[] = [];
  const start = () => {
    const started = new Program(fault.module);
    programs.push(started);
    return started.ready();
  };
  beforeAll(async () => {
    mkdirSync(join(directory, 'tokens'));
    writeFileSync(join(directory, 'softhsm2.conf'), softHsmConfiguration(join(directory, 'tokens')));
    await makeToken(directory, 'faults', '1234');
  });
  beforeEach(() => {
    fault = new FaultToken(join(directory, 'softhsm2.conf'));
  });
  afterEach(() => {
    for (const each of programs) each.kill();
    programs = [];
    fault.end();
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  test('passes everything on, and counts', async () => {
    const one = await start();
    expect(await one.call('encrypt')).toEqual({ otherIv: false, opens: true });
    expect(await one.call('mac')).toBe(message);
    expect(await one.call('macElsewhere')).toBe(message);
    expect(fault.callsOf('C_Login')).toBe(1);
    await (await start()).call('mac');
    expect(fault.callsOf('C_Login')).toBe(2);
    expect(fault.callsOf('C_Sign')).toBe(3);
    expect(fault.faults).toBe(0);
  });

  test('makes a function fail when it is told to, over all processes together', async () => {
    const [one, other] = [await start(), await start()];
    await fault.set({ on: 'C_Sign', return: 48, skip: 1, next: 2 }, { on: 'C_EncryptInit', return: 0x80000001 });
    const outcomes = [];
    for (const each of [one, other, one, other, one]) outcomes.push(await each.call('macElsewhere'));
    // a call that was not made leaves the operation active in the session
    expect(outcomes).toEqual([message, 48, 48, 144, 144]);
    expect(await one.call('encrypt')).toBe(0x80000001);
    expect(fault.calls().get('C_Sign')).toEqual({ calls: 3, faults: 2 });
    await fault.clear();
    await one.call('open');
    expect(await one.call('encrypt')).toMatchObject({ opens: true });
  });

  test('can do what it is asked, and deny it', async () => {
    const one = await start();
    await fault.set({ on: 'C_Sign', lose: 48, every: 2 });
    const outcomes = [];
    for (let each = 0; each < 4; each++) outcomes.push(await one.call('mac'));
    expect(outcomes).toEqual([message, 48, message, 48]);
  });

  test('fails in a window of time, or in one kind of thread', async () => {
    const one = await start();
    for (const [window, answer] of [
      [{ from: 3_600_000 }, message],
      [{ from: 1, until: 3_600_000 }, 48],
      // over when everybody knows of it
      [{ until: 1 }, message],
    ] as const) {
      await fault.set({ on: 'C_Sign', lose: 48, ...window });
      expect(await one.call('mac')).toBe(answer);
    }
    await fault.set(
      { on: 'C_Sign', lose: 48, thread: 'elsewhere' },
      { on: 'C_GetTokenInfo', return: 5, thread: 'main' },
    );
    expect(await one.call('mac')).toBe(message);
    expect(await one.call('macElsewhere')).toBe(48);
    expect(await one.call('info')).toBe(5);
  });

  test('hangs until it is told not to, and is slow', async () => {
    const [one, other] = [await start(), await start()];
    await fault.set({ on: 'C_Sign', hang: 60_000, next: 1 });
    let isOver = false;
    const hanging = one.timed('mac').finally(() => {
      isOver = true;
    });
    await until('it hangs', () => fault.calls().get('C_Sign')?.faults === 1);
    expect(await other.call('mac')).toBe(message);
    expect(isOver).toBe(false);
    await fault.clear();
    expect(await hanging).toMatchObject({ value: message });
    await fault.set({ on: 'C_Sign', hang: 100 });
    expect((await one.timed('mac')).milliseconds).toBeGreaterThan(99);
    await fault.set({ on: 'C_Sign', slow: 30_000 });
    expect((await one.timed('mac')).milliseconds).toBeGreaterThan(29);
  });

  test.each(['abort', 'segv'] as const)('ends the process that calls (%s), and no other', async (crash) => {
    const [one, other] = [await start(), await start()];
    await fault.set({ on: 'C_Sign', crash, next: 1 });
    expect(await one.end('mac')).toBe(crash === 'abort' ? 'SIGABRT' : 'SIGSEGV');
    expect(await other.call('mac')).toBe(message);
  });

  test('is pulled out and put back: sessions, handles and the login are lost', async () => {
    const one = await start();
    await fault.pullOut();
    expect(await one.call('mac')).toBe(ckr('CKR_DEVICE_REMOVED'));
    expect(await one.call('slots')).toBe(0);
    expect(await one.call('info')).toBe(ckr('CKR_TOKEN_NOT_PRESENT'));
    expect(await one.call('openAgain')).toBe(ckr('CKR_TOKEN_NOT_PRESENT'));
    await fault.putBack();
    expect(await one.call('mac')).toBe(ckr('CKR_SESSION_HANDLE_INVALID'));
    expect(await one.call('isLoggedIn')).toBe(ckr('CKR_SESSION_HANDLE_INVALID'));
    expect(await one.call('open')).toBe('done');
    expect(await one.call('isLoggedIn')).toBe(false);
    expect(await one.call('login')).toBe('done');
    // session objects are gone, and their old handles name nothing
    expect(await one.call('mac')).toBe(ckr('CKR_KEY_HANDLE_INVALID'));
    expect(await one.call('size')).toBe(ckr('CKR_OBJECT_HANDLE_INVALID'));
    expect(await one.call('makeHmac')).toBe('done');
    expect(await one.call('mac')).toBe(message);
  });

  test('may want to be initialised again after that', async () => {
    const one = await start();
    await fault.pullOut('reinitialise');
    await fault.putBack('reinitialise');
    expect(await one.call('mac')).toBe(ckr('CKR_SESSION_HANDLE_INVALID'));
    expect(await one.call('openAgain')).toBe(ckr('CKR_DEVICE_ERROR'));
    expect(await one.call('finalise')).toBe('done');
    await one.ready();
    expect(await one.call('mac')).toBe(message);
  });

  test('gives objects new handles, shows no token, or no objects', async () => {
    const one = await start();
    await one.call('makeHmac', true);
    expect(await one.call('find')).toBe(2);
    await fault.renewHandles();
    expect(await one.call('mac')).toBe(ckr('CKR_KEY_HANDLE_INVALID'));
    expect(await one.call('find')).toBe(2);
    expect(await one.call('mac')).toBe(message);
    await fault.set('hidden', 'empty');
    expect(await one.call('slots')).toBe(0);
    expect(await one.call('info')).toBe(ckr('CKR_TOKEN_NOT_PRESENT'));
    expect(await one.call('mac')).toBe(message);
    expect(await one.call('find')).toBe(0);
  });

  test('is full: takes session objects only', async () => {
    const one = await start();
    await fault.set('full');
    expect(await one.call('makeAes', true)).toBe(ckr('CKR_DEVICE_MEMORY'));
    expect(await one.call('makeHmac', true)).toBe(ckr('CKR_DEVICE_MEMORY'));
    expect(await one.call('makeAes', false)).toBe('done');
  });

  test('writes its own IV', async () => {
    const one = await start();
    await fault.set('own-iv');
    expect(await one.call('encrypt')).toEqual({ otherIv: true, opens: true });
  });
});
