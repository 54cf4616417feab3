import type { StreamHead, UnsignedCheckpoint } from '../../audit/format.js';
import type { FromWorker, ToWorker } from '../worker-messages.js';

/** A worker that writes to the audit log. */
export interface AuditedWorker {
  /** It hears what it is told: one that starts does not yet. */
  readonly listens: boolean;
  /** It can sign. */
  readonly isReady: boolean;
  send(message: ToWorker): void;
}

/** How long a worker has for an answer, in milliseconds. */
const answerMilliseconds = 5_000;

type AuditAnswer = Extract<FromWorker, { kind: 'audit head' | 'checkpoint' }>;
export type AuditMessage = AuditAnswer | Extract<FromWorker, { kind: 'audit stream' }>;

interface Question {
  readonly worker: AuditedWorker;
  readonly answer: (answer: AuditAnswer | undefined) => void;
}

/** Asks workers for the ends of their streams, and for signatures. */
export class AuditedWorkers {
  private readonly questions = new Map<number, Question>();
  /** The ends of streams that have ended, until a checkpoint covers them. */
  private readonly ended = new Map<string, StreamHead>();
  private lastId = 0;

  /** Those that there are. */
  fleet: () => readonly AuditedWorker[] = () => [];

  /** @param streamBegan told the name of each stream that a worker begins */
  constructor(private readonly streamBegan: (stream: string) => void) {}

  hear(message: AuditMessage): void {
    if (message.kind === 'audit stream') {
      this.streamBegan(message.stream);
      return;
    }
    const question = this.questions.get(message.id);
    if (question) question.answer(message);
    else if (message.kind === 'audit head' && message.head) this.ended.set(message.head.stream, message.head);
  }

  /** Nobody waits for a worker that has ended. */
  gone(worker: AuditedWorker): void {
    for (const question of this.questions.values()) if (question.worker === worker) question.answer(undefined);
  }

  /** The ends of the streams of all workers that answer, and of those that have ended in order. */
  async heads(): Promise<{ readonly told: Map<string, StreamHead>; readonly areAllHeard: boolean }> {
    const asked = this.fleet().map((worker) => this.ask(worker, (id) => ({ kind: 'audit head', id })));
    const answers = await Promise.all(asked);
    const told = new Map(this.ended);
    for (const answer of answers) {
      if (answer?.kind === 'audit head' && answer.head) told.set(answer.head.stream, answer.head);
    }
    return { told, areAllHeard: answers.every((answer) => answer !== undefined) };
  }

  /** @returns the line of the checkpoint. @throws Error when no worker signs */
  async sign(checkpoint: UnsignedCheckpoint): Promise<string> {
    let failure = 'no worker is ready to sign';
    for (const worker of this.fleet().filter(({ isReady }) => isReady)) {
      const answer = await this.ask(worker, (id) => ({ kind: 'sign checkpoint', id, checkpoint }));
      if (answer?.kind !== 'checkpoint') continue;
      if (answer.line !== undefined) return answer.line;
      failure = answer.failure ?? failure;
    }
    throw new Error(failure);
  }

  /** Streams that have ended, and that a checkpoint covers. */
  forget(heads: readonly StreamHead[]): void {
    for (const { stream } of heads) this.ended.delete(stream);
  }

  private ask(worker: AuditedWorker, question: (id: number) => ToWorker): Promise<AuditAnswer | undefined> {
    this.lastId += 1;
    const id = this.lastId;
    return new Promise((resolve) => {
      const answer = (given: AuditAnswer | undefined) => {
        clearTimeout(late);
        this.questions.delete(id);
        resolve(given);
      };
      const late = setTimeout(() => answer(undefined), answerMilliseconds);
      this.questions.set(id, { worker, answer });
      if (worker.listens) worker.send(question(id));
      else answer(undefined);
    });
  }
}
