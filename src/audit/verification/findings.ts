/** What is wrong with a log. */
export type FindingKind =
  /** A line is not as it was when it was chained or signed. */
  | 'changed'
  /** Lines are missing. */
  | 'removed'
  /** A line stands where it does not belong: inserted, repeated, or in another order. */
  | 'misplaced'
  /** The end of what was signed is missing. */
  | 'truncated'
  /** A whole file is missing, and nothing says that it was removed for its age. */
  | 'missing-file'
  /** Not a line of an audit log. */
  | 'malformed'
  /** A checkpoint that the audit key has not signed. */
  | 'bad-signature'
  /** Something that a checkpoint should cover is in none. */
  | 'unsigned';

/** Where in the log. */
export interface Place {
  readonly file?: string;
  /** From 1. */
  readonly line?: number;
  readonly stream?: string;
  /** Of the event, or of the checkpoint. */
  readonly sequence?: number;
}

/** One thing that is wrong, and where. */
export interface Finding extends Place {
  readonly what: FindingKind;
  readonly message: string;
}

/** So many are told one by one: who rewrites a log leaves as many as it has lines. */
const mostFindings = 1_000;

/** What was found, in the order of reading. */
export class Findings {
  readonly all: Finding[] = [];
  count = 0;

  add(what: FindingKind, message: string, place: Place): void {
    this.count += 1;
    if (this.all.length < mostFindings) this.all.push({ what, message, ...place });
  }
}
