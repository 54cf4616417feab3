import { isDeepStrictEqual } from 'node:util';
import type { KMS } from '@aws-sdk/client-kms';

/** The service does not hold what a client was told. */
export class LossError extends Error {
  override readonly name = 'LossError';
}

/** Nobody can tell whether the request was carried out: its connection broke, or its answer was a server's fault. */
export class UnansweredError extends Error {
  override readonly name = 'UnansweredError';
}

/**
 * One thing that is true of the service, as its clients know it: one value, or after a change that was not answered,
 * the value before and the one after. Nothing in between is allowed.
 */
export class Facet<V> {
  private possible: readonly V[];
  private readers = 0;
  private hasWriter = false;

  /**
   * @param what names it in a report
   * @param read asks the service; throws UnansweredError
   */
  constructor(
    readonly what: string,
    value: V,
    private readonly read: (kms: KMS) => Promise<V>,
  ) {
    this.possible = [value];
  }

  get isCertain(): boolean {
    return this.possible.length === 1;
  }

  /** What it is, without asking; undefined while that is not certain. */
  get certain(): V | undefined {
    return this.isCertain ? this.possible[0] : undefined;
  }

  /** A change to this value is under way. */
  mayBecome(value: V): void {
    this.possible = [...this.possible, value];
  }

  /** A client was told so. */
  becomes(value: V): void {
    this.possible = [value];
  }

  /** What it is; asks the service where that is not certain. @throws LossError, UnansweredError */
  async known(kms: KMS): Promise<V> {
    return this.isCertain ? (this.possible[0] as V) : this.look(kms);
  }

  /** Asks the service. @throws LossError when that cannot be; UnansweredError */
  async look(kms: KMS): Promise<V> {
    try {
      return this.found(await this.read(kms));
    } catch (error) {
      if (!(error instanceof LossError) || error.message.startsWith(this.what)) throw error;
      throw new LossError(`${this.what}: ${error.message}`);
    }
  }

  /** What the service shows. @throws LossError when that cannot be */
  found(value: V): V {
    const { possible } = this;
    // said once
    this.possible = [value];
    if (possible.some((each) => isDeepStrictEqual(each, value))) return value;
    const told = possible.map((each) => JSON.stringify(each)).join(' or ');
    throw new LossError(`${this.what} is ${JSON.stringify(value)}, and clients were told ${told}`);
  }

  /** Keeps changes away while it is used. @returns what ends that; undefined while it is being changed */
  share(): (() => void) | undefined {
    if (this.hasWriter) return undefined;
    this.readers += 1;
    return () => {
      this.readers -= 1;
    };
  }

  /** Keeps everybody else away. @returns what ends that; undefined while others use it */
  own(): (() => void) | undefined {
    if (this.hasWriter || this.readers > 0) return undefined;
    this.hasWriter = true;
    return () => {
      this.hasWriter = false;
    };
  }
}

/** Takes all or none. @returns what gives them back */
export function takeAll(takes: readonly (() => (() => void) | undefined)[]): (() => void) | undefined {
  const taken: (() => void)[] = [];
  const release = () => {
    for (const each of taken) each();
  };
  for (const take of takes) {
    const one = take();
    if (one === undefined) {
      release();
      return undefined;
    }
    taken.push(one);
  }
  return release;
}
