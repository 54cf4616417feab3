/** Blocks the thread: what waits for a token that is being written must not let anything else happen before it. */
export function sleep(milliseconds: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, milliseconds);
}
