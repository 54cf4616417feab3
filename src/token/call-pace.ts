import type { Mechanism } from './mechanisms.js';

/** Calls that take longer hold up everybody else's requests, in milliseconds; one in another thread costs 0.1 more. */
const longMilliseconds = 0.5;
/** So many calls are looked at together: the fastest of them is what the token takes, others waited for a processor. */
const callsAtOnce = 16;
const bucketBytes = 32;

interface Pace {
  fastest: number;
  calls: number;
  isLong: boolean;
}

/**
 * How long calls take that are made on the spot, per mechanism and size. What turns out to take long (ECDSA on P-384 in
 * SoftHSM2, everything in a token behind a network) is made in other threads from then on, as long as the connection
 * lasts.
 */
export class CallPaces {
  private readonly paces = new Map<number, Pace>();

  /** @param outputBytes of the call: it tells key sizes of one mechanism apart */
  isLong({ mechanism }: Mechanism, outputBytes: number): boolean {
    return this.paces.get(nameOf(mechanism, outputBytes))?.isLong ?? false;
  }

  /** A call was made on the spot. */
  note({ mechanism }: Mechanism, outputBytes: number, milliseconds: number): void {
    const name = nameOf(mechanism, outputBytes);
    let pace = this.paces.get(name);
    if (pace === undefined) {
      pace = { fastest: milliseconds, calls: 0, isLong: false };
      this.paces.set(name, pace);
    }
    pace.fastest = Math.min(pace.fastest, milliseconds);
    pace.calls += 1;
    if (pace.calls < callsAtOnce) return;
    pace.isLong = pace.fastest > longMilliseconds;
    pace.calls = 0;
    pace.fastest = Number.POSITIVE_INFINITY;
  }
}

function nameOf(mechanism: number, outputBytes: number): number {
  return mechanism * 1024 + Math.ceil(outputBytes / bucketBytes);
}
