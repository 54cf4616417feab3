import type { FromWorker } from './worker-messages.js';

/** How long the supervisor is waited for, in milliseconds: longer than it waits for workers. */
const patienceMilliseconds = 3_000;

/** In a worker: asks the supervisor for everything that the service counts. */
export class MetricsQuestion {
  private readonly waiting = new Map<number, (text: string) => void>();
  private lastId = 0;

  constructor(private readonly tell: (message: FromWorker) => Promise<void>) {}

  /** In Prometheus' text format. @throws Error when the supervisor does not answer */
  ask(): Promise<string> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => {
        this.waiting.delete(id);
        reject(new Error('the supervisor does not answer'));
      }, patienceMilliseconds);
      this.waiting.set(id, (text) => {
        clearTimeout(late);
        this.waiting.delete(id);
        resolve(text);
      });
      void this.tell({ kind: 'metrics', id });
    });
  }

  /** The supervisor has answered. */
  answer(id: number, text: string): void {
    this.waiting.get(id)?.(text);
  }
}
