import type { Mechanism } from './mechanisms.js';
import type { KeyObject } from './object-handles.js';

/**
 * Where a call is made:
 * - `together`: on the main thread, with all others of this turn of the event loop (`call-batch.ts`)
 * - `in turn`: there, too, but only some in a row (`call-turns.ts`)
 * - `elsewhere`: in another thread
 */
export type CallPlace = 'together' | 'in turn' | 'elsewhere';

/** In milliseconds: what is quicker is made together with the others of its turn; what takes longer takes turns. */
const quickMilliseconds = 0.25;
/** What takes longer is made elsewhere, where no turns are taken; another thread costs 0.1 ms or more. */
const longMilliseconds = 0.5;
/** What takes longer takes no turns where it can be made elsewhere. */
const longestTurnMilliseconds = 1;
/** So many calls are looked at together: the fastest of them is what the token takes, others waited for a processor. */
const callsAtOnce = 16;
const bucketBytes = 32;

interface Pace {
  fastest: number;
  calls: number;
  /** In milliseconds; undefined until there were enough. */
  measured: number | undefined;
}

/** What decides where a call is made, besides how long it takes. */
export interface CallTraits {
  readonly key: KeyObject;
  readonly mechanism: Mechanism;
  /** Of the answer or the signature, in bytes: it tells key sizes of one mechanism apart. */
  readonly outputBytes: number;
  /** True for what is taken to be long until it is measured. */
  readonly slow: boolean;
  /** False for verification and key agreement. */
  readonly canBeElsewhere: boolean;
}

/**
 * How long calls take, per mechanism, class of key and size, and where they are made therefore; as long as a connection
 * lasts. ECDSA on P-384 and RSA-2048 in SoftHSM2 take turns or go elsewhere; signatures by a token behind a network go there.
 */
export class CallPaces {
  private readonly paces = new Map<number, Pace>();

  /** @param takesTurns false where another thread has a processor that would be idle */
  constructor(private readonly takesTurns: boolean) {}

  /** Where to make the next call of that kind. */
  placeOf(call: CallTraits): CallPlace {
    const { slow, canBeElsewhere } = call;
    const milliseconds = this.paces.get(nameOf(call))?.measured;
    if (milliseconds === undefined) return slow && canBeElsewhere ? 'elsewhere' : 'together';
    if (milliseconds <= quickMilliseconds) return 'together';
    if (!canBeElsewhere) return 'in turn';
    if (this.takesTurns && milliseconds <= longestTurnMilliseconds) return 'in turn';
    return slow || milliseconds > longMilliseconds ? 'elsewhere' : 'in turn';
  }

  /** A call was made, wherever. */
  note(call: CallTraits, milliseconds: number): void {
    const name = nameOf(call);
    let pace = this.paces.get(name);
    if (pace === undefined) {
      pace = { fastest: milliseconds, calls: 0, measured: undefined };
      this.paces.set(name, pace);
    }
    pace.fastest = Math.min(pace.fastest, milliseconds);
    pace.calls += 1;
    if (pace.calls < callsAtOnce) return;
    pace.measured = pace.fastest;
    pace.calls = 0;
    pace.fastest = Number.POSITIVE_INFINITY;
  }
}

/** RSA takes thirty times longer with the private key. */
const classNumbers = { secret: 0, private: 1, public: 2 } as const;

function nameOf({ key, mechanism: { mechanism }, outputBytes }: CallTraits): number {
  return (mechanism * 4 + classNumbers[key.class]) * 1024 + Math.ceil(outputBytes / bucketBytes);
}
