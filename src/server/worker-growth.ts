/** At most one worker is replaced in so many milliseconds: what grows so fast is no leak. */
const pauseMilliseconds = 60_000;
const mebibyte = 2 ** 20;

/**
 * Tells which workers have grown so much that new ones are to take their places. PKCS#11 modules lose memory with what
 * they are used for, SoftHSM2 with each session object, and nobody can have it back from a process that goes on.
 */
export class WorkerGrowth {
  private readonly atFirst = new WeakMap<object, number>();
  private nextAt = 0;

  /** @param most in MiB; 0 for any */
  constructor(private readonly most: number) {}

  /**
   * When it is, no other is for a minute.
   *
   * @param worker that is ready
   * @param residentBytes its memory that is in RAM
   * @param now in milliseconds, of a clock that is not set
   */
  isToBeReplaced(worker: object, residentBytes: number, now = performance.now()): boolean {
    if (this.most === 0) return false;
    const atFirst = this.atFirst.get(worker) ?? residentBytes;
    this.atFirst.set(worker, atFirst);
    if (residentBytes - atFirst <= this.most * mebibyte || now < this.nextAt) return false;
    this.nextAt = now + pauseMilliseconds;
    return true;
  }
}
