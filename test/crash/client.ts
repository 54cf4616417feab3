import type { KMS } from '@aws-sdk/client-kms';
import { answered, refusedAs } from './answers.js';
import { type Facet, takeAll } from './facet.js';
import type { Artefact, KeyModel, Model, State } from './model.js';
import type { Random } from './random.js';

/** How many keys are looked at for one that an operation can use now. */
const attempts = 12;

/** What an operation asks of the key that it uses. */
export interface Wanted {
  readonly state?: State;
  readonly also?: (key: KeyModel) => boolean;
  /** What of the key is changed. */
  readonly changes?: (key: KeyModel) => Facet<unknown>[];
}

/** A client of the service in the load: one request at a time. */
export class LoadClient {
  private lastName = 0;
  answers = 0;

  /**
   * @param kms gives the SDK client for the service as it runs now
   * @param principal ARN that the client signs as
   */
  constructor(
    private readonly title: string,
    readonly kms: KMS,
    readonly principal: string,
    readonly model: Model,
    readonly random: Random,
  ) {}

  /** A name that no other client uses, and this one once. */
  newName(): string {
    this.lastName += 1;
    return `${this.title}-${this.lastName}`;
  }

  /** @throws UnansweredError, LossError */
  async ask<T>(request: Promise<T>): Promise<T> {
    const answer = await answered(request);
    this.answers += 1;
    return answer;
  }

  /** @throws UnansweredError, LossError when it is not refused so */
  async refused(name: string, request: Promise<unknown>, what: string): Promise<void> {
    await refusedAs(name, request, what);
    this.answers += 1;
  }

  /** Changes one thing: it is so when it was answered, and may be when not. */
  async change<V, T>(facet: Facet<V>, wanted: V, request: () => Promise<T>): Promise<T> {
    facet.mayBecome(wanted);
    const answer = await this.ask(request());
    facet.becomes(wanted);
    return answer;
  }

  /**
   * Does something with a key that nobody else changes meanwhile.
   *
   * @returns false when none was found that is so, and free
   */
  async withKey(wanted: Wanted, work: (key: KeyModel) => Promise<void>): Promise<boolean> {
    const keys = [...this.model.keys.values()];
    for (let attempt = 0; attempt < attempts && keys.length > 0; attempt++) {
      if (await this.withThisKey(this.random.pick(keys), wanted, work)) return true;
    }
    return false;
  }

  async withThisKey(
    key: KeyModel,
    { state = 'Enabled', also = () => true, changes = () => [] }: Wanted,
    work: (key: KeyModel) => Promise<void>,
  ): Promise<boolean> {
    const wrongState = () => key.state.isCertain && key.state.certain !== state;
    if (wrongState() || !also(key)) return false;
    const changed = changes(key);
    const isStateChanged = changed.includes(key.state as Facet<unknown>);
    const release = takeAll([
      ...changed.map((facet) => () => facet.own()),
      ...(isStateChanged ? [] : [() => key.state.share()]),
    ]);
    if (release === undefined) return false;
    try {
      if ((await key.state.known(this.kms)) !== state) return false;
      for (const facet of changed) await facet.known(this.kms);
      await work(key);
      return true;
    } finally {
      release();
    }
  }

  keep(artefact: Artefact): void {
    this.model.artefacts.push(artefact);
  }

  /** An artefact that can be looked at now. */
  async withArtefact(kind: Artefact['kind'], work: (artefact: Artefact) => Promise<void>): Promise<boolean> {
    const { artefacts } = this.model;
    for (let attempt = 0; attempt < attempts && artefacts.length > 0; attempt++) {
      const artefact = this.random.pick(artefacts);
      if (artefact.kind !== kind) continue;
      if (await this.withThisKey(artefact.key, {}, () => work(artefact))) return true;
    }
    return false;
  }
}
