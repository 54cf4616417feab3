import type { LogEvent } from 'kysely';

/** `transaction`: its begin, with the wait for its lock, and its end. */
export type QueryKind = 'read' | 'change' | 'transaction';

/** Who counts queries; this folder knows no metrics. */
export interface StoreMeter {
  queried(kind: QueryKind, milliseconds: number, failed: boolean): void;
}

/** How often a cache had what was asked for, and how often not. */
export interface CacheUses {
  hits: number;
  misses: number;
}

/** What Kysely tells of a query, for a meter. */
export function meterQuery(meter: StoreMeter, { level, query, queryDurationMillis }: LogEvent): void {
  const { kind } = query.query;
  const sort = kind === 'SelectQueryNode' ? 'read' : kind === 'RawNode' ? 'transaction' : 'change';
  meter.queried(sort, queryDurationMillis, level === 'error');
}
