/** More than usually comes between two writes, in bytes. */
const chunkBytes = 2 ** 20;
/** A character of a JavaScript string takes no more in UTF-8, in bytes. */
const mostBytes = 3;
const nothing: Uint8Array = new Uint8Array(0);

/**
 * Lines that wait to be written, as the bytes that they will be: strings that wait would have to be moved about by the
 * garbage collector.
 */
export class LineBuffer {
  private chunk = Buffer.allocUnsafeSlow(chunkBytes);
  /** What waits of the chunk: from here ... */
  private begin = 0;
  /** ... to here. */
  private end = 0;
  private full: Buffer[] = [];
  private fullBytes = 0;

  /** How much waits, in bytes. */
  get length(): number {
    return this.fullBytes + this.end - this.begin;
  }

  /**
   * Adds a line.
   *
   * @param text without the LF
   * @param beginning what comes before it, in UTF-8
   * @returns its bytes without the LF, which stay as they are until it is taken
   */
  add(text: string, beginning = nothing): Buffer {
    const most = beginning.length + text.length * mostBytes + 1;
    if (this.chunk.length - this.end < most) this.renew(most);
    const start = this.end;
    this.chunk.set(beginning, start);
    this.end += beginning.length;
    this.end += this.chunk.write(text, this.end);
    const bytes = this.chunk.subarray(start, this.end);
    this.chunk[this.end] = 0x0a;
    this.end += 1;
    return bytes;
  }

  /** Takes all that waits. Its bytes stay as they are until `reuse`. */
  take(): Buffer[] {
    const taken = this.full;
    if (this.end > this.begin) taken.push(this.chunk.subarray(this.begin, this.end));
    this.begin = this.end;
    this.full = [];
    this.fullBytes = 0;
    return taken;
  }

  /** What was taken is not needed any more. */
  reuse(): void {
    if (this.begin !== this.end || this.full.length > 0) return;
    this.begin = 0;
    this.end = 0;
  }

  private renew(most: number): void {
    if (this.end > this.begin) {
      this.full.push(this.chunk.subarray(this.begin, this.end));
      this.fullBytes += this.end - this.begin;
    }
    this.chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, most));
    this.begin = 0;
    this.end = 0;
  }
}
