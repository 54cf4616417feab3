import { setTimeout as wait } from 'node:timers/promises';
import { KMS } from '@aws-sdk/client-kms';
import { aliasOperations } from './alias-operations.js';
import { answerMilliseconds } from './answers.js';
import { check, everything, revive, type Sample } from './checks.js';
import { LoadClient } from './client.js';
import { doctor } from './doctor.js';
import { LossError, UnansweredError } from './facet.js';
import { type Kill, kills } from './kills.js';
import { Model } from './model.js';
import { keyOperations, useOperations } from './operations.js';
import { Random } from './random.js';
import { ServiceProcess } from './service-process.js';
import type { CrashStore } from './stores.js';

const operations = [...keyOperations, ...aliasOperations, ...useOperations];
/** Requests that are under way together. */
const concurrency = 6;
/** Between two kills, in milliseconds. */
const pause = { least: 50, most: 2_500 } as const;
/** What is looked at after each start. */
const sampled = { keys: 12, aliases: 6, artefacts: 30 } as const;
/** Every other kill waits so long for a key that is being made, and comes so much later at the most, in milliseconds. */
const aim = { wait: 500, later: 40 } as const;
const making: readonly string[] = ['CreateKey', 'RotateKeyOnDemand', 'ImportKeyMaterial'];
/** So many differences say enough. */
const mostLosses = 20;

export interface CrashOptions {
  readonly seed: number;
  /** SQLite in the data directory where there is none. */
  readonly store?: CrashStore;
}

/** The service under load and under kills, and what its clients were told. */
export class CrashRun {
  readonly model = new Model();
  readonly losses: string[] = [];
  /** Kill -> how often. */
  readonly killed = new Map<string, number>();
  /** Why a request was not answered -> how often. */
  readonly unanswered = new Map<string, number>();
  /** Milliseconds that the starts took. */
  readonly starts: number[] = [];
  private readonly random: Random;
  private readonly ways: readonly Kill[];
  private readonly clients: LoadClient[];
  private readonly sdk: KMS;
  /** Clients wait for it while the service is down, and while it is looked at. */
  private open: Promise<void> = Promise.resolve();
  private going = false;
  /** Clients that have an operation under way, and those of them that have the token make something. */
  private busy = 0;
  private making = 0;

  private constructor(
    readonly service: ServiceProcess,
    { seed, store }: CrashOptions,
  ) {
    this.ways = [...kills, ...(store?.kills ?? [])];
    this.random = new Random(seed);
    this.sdk = this.newSdkClient();
    const principal = 'arn:aws:iam::000000000000:user/administrator';
    this.clients = Array.from({ length: concurrency }, (_, index) => {
      const random = new Random(seed * 1_000 + index);
      return new LoadClient(`client${index}`, this.newSdkClient(), principal, this.model, random);
    });
  }

  static async start(options: CrashOptions): Promise<CrashRun> {
    return new CrashRun(await ServiceProcess.start(options.store?.environment), options);
  }

  /** How many requests were answered and are held to it. */
  get answers(): number {
    return this.clients.reduce((sum, { answers }) => sum + answers, 0);
  }

  get kills(): number {
    return [...this.killed.values()].reduce((sum, each) => sum + each, 0);
  }

  /** Loads the service, and kills it again and again. @returns when the time is over, with the service at rest */
  async load(milliseconds: number): Promise<void> {
    const end = Date.now() + milliseconds;
    await this.loadDuring(async () => {
      while (Date.now() < end && this.losses.length < mostLosses) {
        await wait(this.random.between(pause.least, pause.most));
        if (this.random.next() < 0.5) await this.aimAtNewKey();
        await this.killOnce();
      }
    });
  }

  /** Loads the service in peace until the model says that it is enough. */
  async loadInPeace(isEnough: () => boolean): Promise<void> {
    await this.loadDuring(async () => {
      while (!isEnough() && this.losses.length < mostLosses) await wait(20);
    });
  }

  private async loadDuring(time: () => Promise<void>): Promise<void> {
    this.going = true;
    const lanes = this.clients.map((client) => this.loadBy(client));
    try {
      await time();
    } finally {
      this.going = false;
      await Promise.all(lanes);
    }
  }

  /** Stops, starts again, and looks at everything; then makes every key usable, and looks at that. */
  async checkEverything(): Promise<void> {
    await this.service.signal('SIGTERM');
    await this.restart();
    const lost = (loss: LossError) => this.lose(loss);
    await check(this.sdk, this.model, everything(this.model), lost);
    await revive(this.sdk, this.model, lost);
    await check(this.sdk, this.model, everything(this.model), lost);
  }

  /**
   * Stops, and has the doctor destroy what killed processes have left in the token without a row; then there is no such
   * object any more.
   *
   * @returns how many there were
   */
  async destroyOrphans(): Promise<number> {
    await this.service.signal('SIGTERM');
    await this.service.survivors();
    const repaired = await doctor(this.service, '--repair', '--most-orphans', '10000');
    const after = await doctor(this.service);
    for (const { what } of after.filter(({ severity }) => severity !== 'ok')) {
      this.lose(new LossError(`doctor, after --repair: ${what}`));
    }
    return repaired.flatMap(({ done = [] }) => done).length;
  }

  /** Ends the service. Processes of it that do not end are told as a loss. */
  async end(): Promise<void> {
    await this.service.signal('SIGTERM');
    for (const pid of await this.service.survivors()) {
      this.losses.push(`the process ${pid} of the service did not end`);
      process.kill(pid, 'SIGKILL');
    }
    for (const { kms } of this.clients) kms.destroy();
    this.sdk.destroy();
  }

  private newSdkClient(): KMS {
    const requestHandler = { requestTimeout: answerMilliseconds, throwOnRequestTimeout: true };
    return new KMS({
      // another port after each start
      endpoint: async () => {
        const { hostname, port } = new URL(this.service.url);
        return { protocol: 'http:', hostname, port: Number(port), path: '/' };
      },
      ...{ region: 'us-east-1', credentials: this.service.credentials, maxAttempts: 1, requestHandler },
    });
  }

  private async loadBy(client: LoadClient): Promise<void> {
    while (this.going) {
      await this.open;
      const operation = client.random.weighted(operations);
      this.busy += 1;
      const isMaking = making.includes(operation.name) ? 1 : 0;
      this.making += isMaking;
      try {
        await operation.run(client);
      } catch (error) {
        this.hear(operation.name, error);
      } finally {
        this.busy -= 1;
        this.making -= isMaking;
      }
    }
  }

  private hear(operation: string, error: unknown): void {
    if (error instanceof UnansweredError) {
      this.unanswered.set(error.message, (this.unanswered.get(error.message) ?? 0) + 1);
    } else if (error instanceof LossError) this.lose(new LossError(`${operation}: ${error.message}`));
    else throw error;
  }

  private lose({ message }: LossError): void {
    if (this.losses.length < mostLosses) this.losses.push(message);
  }

  /** Between the object in the token and its row is what half made things come from. */
  private async aimAtNewKey(): Promise<void> {
    const end = Date.now() + aim.wait;
    while (this.making === 0 && Date.now() < end) await wait(1);
    await wait(this.random.between(0, aim.later));
  }

  private async killOnce(): Promise<void> {
    const kill = this.random.weighted(this.ways);
    this.killed.set(kill.name, (this.killed.get(kill.name) ?? 0) + 1);
    if (!kill.ends) return kill.run(this.service, this.random);
    let reopen: () => void = () => {};
    const killing = kill.run(this.service, this.random);
    this.open = new Promise((resolve) => {
      reopen = resolve;
    });
    await killing;
    await this.restart();
    // what is under way with workers whose supervisor is gone is still answered
    while (this.busy > 0) await wait(5);
    await check(this.sdk, this.model, this.sample(), (loss) => this.lose(loss));
    reopen();
  }

  /** No operator, and no second attempt. */
  private async restart(): Promise<void> {
    const before = performance.now();
    await this.service.serve();
    this.starts.push(performance.now() - before);
  }

  private sample(): Sample {
    const some = <T>(from: readonly T[], count: number) =>
      from.length === 0 ? [] : [...new Set(Array.from({ length: count }, () => this.random.pick(from)))];
    const { keys, aliases, artefacts } = everything(this.model);
    return {
      keys: some(keys, sampled.keys),
      aliases: some(aliases, sampled.aliases),
      artefacts: some(artefacts, sampled.artefacts),
    };
  }
}
