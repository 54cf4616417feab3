import type { Selectable } from 'kysely';
import type { StoreRevisionTable } from './schema.js';
import { isOfLaterRevision } from './seal/seals.js';

/** Above a store's own numbers: which history of it, or of another in its place, they are of. */
export const revisionsOfHistory = 2 ** 40;
/** What a number can tell apart. */
const mostHistories = 2 ** 12;

/** What of the store's row says how often it was changed. */
export type RevisionRow = Pick<Selectable<StoreRevisionTable>, 'revision' | 'seal'>;

/** What a process has seen of a store's revision. When that goes back, what follows is another history. */
export class SeenRevisions {
  private history = 0;
  private last: number | undefined;

  /** Undefined while it is not known. */
  get revision(): number | undefined {
    return this.last === undefined ? undefined : this.history * revisionsOfHistory + this.last;
  }

  /**
   * What the store's row says. Its number is not believed when its seal is of a later change: somebody has written it.
   *
   * @param asked what `revision` was when the row was asked for
   */
  read(row: RevisionRow | undefined, asked = this.revision): void {
    const isWrittenBack = row?.seal != null && isOfLaterRevision(row.seal, row.revision);
    const revision = isWrittenBack ? undefined : row?.revision;
    if (this.last !== undefined && (revision === undefined || revision < this.last)) {
      // perhaps it was answered before what was heard since
      if (asked !== this.revision) return;
      this.history = (this.history + 1) % mostHistories;
    }
    this.last = revision;
  }

  /** It is at least this, as is known from elsewhere. */
  raise(revision: number): void {
    if (this.last !== undefined && this.last < revision) this.last = revision;
  }

  /** It is not known any more; the next to be seen may be of another store. */
  lose(): void {
    this.read(undefined);
  }
}
