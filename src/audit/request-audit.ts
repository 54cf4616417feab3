import { KmsError } from '../contract/kms-error.js';
import type { EventStream } from './event-stream.js';
import type { EndedRequest, RequestRecords } from './request-record.js';

/** Writes down what becomes of requests. */
export interface RequestAudit {
  /** @throws KmsError KMSInternalException while nothing can be written: nothing is to be done then */
  expectWritable(): void;
  /**
   * Writes a request down.
   *
   * @param isRefusedHere `expectWritable` has refused it: its client is told nothing that would have to wait
   * @returns a promise where its answer has to wait until the event is on the disk; @rejects KmsError
   * KMSInternalException when it could not be written: its answer must not leave
   */
  record(request: EndedRequest, isRefusedHere?: boolean): Promise<void> | undefined;
}

export interface RequestAuditPolicy {
  /** Answers wait until their events are on the disk. */
  readonly durable: boolean;
  /** Requests are answered also while their events cannot be written. */
  readonly failOpen: boolean;
}

/** Writes requests down in the worker's stream. */
export class StreamedRequestAudit implements RequestAudit {
  constructor(
    private readonly stream: EventStream,
    private readonly records: RequestRecords,
    private readonly policy: RequestAuditPolicy,
  ) {}

  expectWritable(): void {
    const { trouble } = this.stream;
    if (trouble && !this.policy.failOpen) throw new UnwrittenError(trouble);
  }

  record(request: EndedRequest, isRefusedHere = false): Promise<void> | undefined {
    const { stream, policy } = this;
    stream.append(() => this.records.record(request));
    if (!policy.durable || isRefusedHere || (policy.failOpen && stream.trouble)) return undefined;
    // in trouble, too: at the next attempt it is written, or its answer is withheld
    return policy.failOpen ? stream.durable().catch(() => {}) : this.durably(request);
  }

  private async durably({ id }: EndedRequest): Promise<void> {
    try {
      await this.stream.durable();
    } catch (error) {
      this.stream.withhold(id);
      throw new UnwrittenError(error as Error);
    }
  }
}

/** What clients are told of each error: never a path. */
const reasons: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full',
  EROFS: 'the disk is read-only',
  EIO: 'the disk fails',
};

/** A request is refused, or its answer withheld, because its event cannot be written: the log says so once for all. */
export class UnwrittenError extends KmsError {
  constructor(cause: Error) {
    const reason = reasons[(cause as NodeJS.ErrnoException).code ?? ''] ?? 'its directory cannot be written to';
    super('KMSInternalException', `The audit log cannot be written: ${reason}.`, { cause });
  }
}
