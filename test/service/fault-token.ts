import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { TokenError } from '../../src/token/return-values.js';
import { softHsmModule } from '../../src/token/softhsm.js';
import { Service, type ServiceOptions } from './service.js';
import { testedToken, whyLacking } from './tested-token.js';

const sources = fileURLToPath(new URL('../fault-token/', import.meta.url));
const units = ['fault-token.c', 'commands.c'];
const headers = ['commands.h', 'cryptoki.h'];
const compilation = ['-std=c11', '-O2', '-Wall', '-Wextra', '-fPIC', '-shared', '-fvisibility=hidden', '-pthread'];
/** Longer than until every process that calls the module has seen new commands, in milliseconds. */
const settlingMilliseconds = 25;

/** Layout of the counters (struct shared in commands.h): a name and two 64-bit numbers each. */
const counter = { functions: 68, nameBytes: 32, bytes: 48 } as const;

/** Why the module cannot be made here; undefined when it can. */
export function whyNoFaultToken(): string | undefined {
  const isOverSoftHsm = whyLacking("the service's own SoftHSM2") === undefined;
  if (!isOverSoftHsm) return `the fault-injecting module is tested over SoftHSM2, and this is ${testedToken.title}`;
  if (process.platform !== 'linux') return 'the fault-injecting module is for Linux';
  try {
    execFileSync('cc', ['--version'], { stdio: 'ignore' });
    return undefined;
  } catch {
    return 'there is no C compiler (cc) for the fault-injecting module';
  }
}

/** Compiles the module; once for each content of its sources. @returns its path */
export function compileFaultToken(): string {
  const hash = createHash('sha256').update([process.arch, ...compilation].join(' '));
  for (const file of [...units, ...headers]) hash.update(readFileSync(join(sources, file)));
  const directory = join(tmpdir(), `hsm-kms-fault-token-${process.getuid?.()}-${hash.digest('hex').slice(0, 16)}`);
  const library = join(directory, 'fault-token.so');
  if (existsSync(library)) return library;
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const fresh = join(directory, `${process.pid}.so`);
  execFileSync('cc', [...compilation, '-o', fresh, ...units.map((unit) => join(sources, unit)), '-ldl']);
  // several tests may compile it at once: each finds a whole one
  renameSync(fresh, library);
  return library;
}

/** What a function does instead of its work, or before it; see test/fault-token/fault-token.c. */
export type Fault =
  /** Answers with a CK_RV; `lose`: after it has done what was asked. */
  | { readonly return: number }
  | { readonly lose: number }
  /** Hangs so many milliseconds, or until the fault is cleared. */
  | { readonly hang: number }
  /** Takes so many microseconds longer. */
  | { readonly slow: number }
  /** Ends the process. */
  | { readonly crash: 'abort' | 'segv' };

/** When a fault happens; always, without one. Counted over all processes together. */
export interface FaultConditions {
  /** Only so many times. */
  readonly next?: number;
  /** Only each so-manieth time. */
  readonly every?: number;
  /** Not the first so many times. */
  readonly skip?: number;
  /** Only from, and until, so many milliseconds after it was set. */
  readonly from?: number;
  readonly until?: number;
  /** Only in the thread that called C_Initialize, or only in others: calls that Node makes asynchronously. */
  readonly thread?: 'main' | 'elsewhere';
}

export type FunctionFault = { readonly on: string } & Fault & FaultConditions;
/** The token as a whole; see test/fault-token/fault-token.c. */
export type TokenCondition = 'gone' | 'hidden' | 'empty' | 'full' | 'no-ec' | 'own-iv' | 'reinitialise';

/** One fault-injecting module in a directory of its own, over a real one that it has for itself. */
export class FaultToken {
  private readonly directory = mkdtempSync(join(tmpdir(), 'hsm-kms-fault-'));
  readonly module = join(this.directory, 'fault-token.so');
  private readonly commands = join(this.directory, 'commands');
  /** How often the token was away, and how often it has given its objects new handles. */
  private epoch = 0;
  private handles = 0;

  /** @param softHsmConfiguration path of the softhsm2.conf; @param realModule path of the module that does the work */
  constructor(softHsmConfiguration: string, realModule = softHsmModule()) {
    copyFileSync(compileFaultToken(), this.module);
    // a copy: several in one process would otherwise share the state of the real one
    const real = join(this.directory, 'real.so');
    copyFileSync(realModule, real);
    const settings = {
      FAULT_TOKEN_MODULE: real,
      FAULT_TOKEN_COMMANDS: this.commands,
      SOFTHSM2_CONF: softHsmConfiguration,
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    writeFileSync(join(this.directory, 'fault-token.conf'), lines.join(''));
  }

  /** These faults, and no others, from now on: all processes know of them when it returns. */
  async set(...faults: readonly (FunctionFault | TokenCondition)[]): Promise<void> {
    const lines = faults.map((fault) => (typeof fault === 'string' ? fault : this.line(fault)));
    const fresh = `${this.commands}.new`;
    writeFileSync(fresh, `${[`epoch ${this.epoch}`, `handles ${this.handles}`, ...lines].join('\n')}\n`);
    renameSync(fresh, this.commands);
    await wait(settlingMilliseconds);
  }

  /** No fault any more. */
  clear(): Promise<void> {
    return this.set();
  }

  /** Pulls the token out: until `putBack`, nothing works; the login, sessions and handles are lost. */
  pullOut(...more: readonly (FunctionFault | TokenCondition)[]): Promise<void> {
    this.epoch += 1;
    return this.set('gone', ...more);
  }

  /** The token is there again. @param more 'reinitialise': it wants C_Finalize and C_Initialize first */
  putBack(...more: readonly (FunctionFault | TokenCondition)[]): Promise<void> {
    this.epoch += 1;
    return this.set(...more);
  }

  /** From now on objects have other handles. */
  renewHandles(): Promise<void> {
    this.handles += 1;
    return this.set();
  }

  /** How often each function was called until now, by all processes, and how often it failed because it was told to. */
  calls(): ReadonlyMap<string, { readonly calls: number; readonly faults: number }> {
    const counters = readFileSync(`${this.commands}.calls`);
    return new Map(
      Array.from({ length: counter.functions }, (_, index) => {
        const start = index * counter.bytes;
        const name = counters.toString('latin1', start, start + counter.nameBytes).replace(/\0+$/, '');
        const number = (place: number) => Number(counters.readBigUInt64LE(start + counter.nameBytes + place * 8));
        return [name, { calls: number(0), faults: number(1) }];
      }),
    );
  }

  /** How often a function was called until now. */
  callsOf(name: string): number {
    return this.calls().get(name)?.calls ?? 0;
  }

  /** How many calls have failed until now because they were told to. */
  get faults(): number {
    return [...this.calls().values()].reduce((sum, { faults }) => sum + faults, 0);
  }

  end(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }

  private line({ on, thread, ...rest }: FunctionFault): string {
    if (on !== '*' && !this.calls().has(on)) throw new Error(`PKCS#11 has no function ${on}`);
    const facts = Object.entries(rest);
    const isAction = ([name]: readonly [string, unknown]) => actions.includes(name);
    const [action] = facts.filter(isAction);
    const conditions = facts.filter((fact) => !isAction(fact)).flat();
    const words = action?.[0] === 'crash' ? [action[1]] : (action ?? []);
    return [on, ...words, ...conditions, ...(thread === undefined ? [] : [thread])].join(' ');
  }
}

const actions = ['return', 'lose', 'hang', 'slow', 'crash'];

/** The service over a SoftHSM2 token of its own that fails when it is told to. */
export interface FaultyService {
  readonly service: Service;
  readonly fault: FaultToken;
  end(): Promise<void>;
}

export interface FaultyServiceOptions extends ServiceOptions {
  /** What the token is like from the beginning. */
  readonly conditions?: readonly TokenCondition[];
  /** More flags of `serve`, which depend on the data directory. */
  readonly flagsFor?: (dataDir: string) => Promise<readonly string[]>;
}

/** Starts it without faults, but for what is asked for. */
export async function startOverFaultToken(options: FaultyServiceOptions = {}): Promise<FaultyService> {
  let fault: FaultToken | undefined;
  const flags = [...(options.flags ?? [])];
  const service = await Service.start({
    ...options,
    flags,
    prepare: async (dataDir) => {
      fault = new FaultToken(join(dataDir, 'softhsm2.conf'));
      flags.push('--pkcs11-module', fault.module, '--token-pin-file', join(dataDir, 'token-user-pin'));
      if (options.conditions) await fault.set(...options.conditions);
      await options.prepare?.(dataDir);
      flags.push(...((await options.flagsFor?.(dataDir)) ?? []));
    },
  });
  const started = fault as unknown as FaultToken;
  const end = async () => {
    await started.clear();
    await service.end();
    started.end();
  };
  return { service, fault: started, end };
}

/** The CK_RVs that the service knows, by name; with what it does about them. */
export const returnValues: ReadonlyMap<string, TokenError> = new Map(
  Array.from({ length: 0x400 }, (_, code) => new TokenError(code, '')).flatMap((error) => {
    const [, name] = /^(CKR_\w+) /.exec(error.message) ?? [];
    return name === undefined ? [] : [[name, error] as const];
  }),
);

/** The number of a CK_RV that the service knows. */
export function ckr(name: string): number {
  const code = returnValues.get(name)?.ckr;
  if (code === undefined) throw new Error(`the service knows no ${name}`);
  return code;
}
