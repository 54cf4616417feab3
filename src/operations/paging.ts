import { KmsError } from '../contract/kms-error.js';
import type { OperationName } from '../contract/operation-types.js';

/** Page sizes of the list operations (contract A.16). */
export interface PageSize {
  readonly usual: number;
  readonly most: number;
}

/** Where a page begins, and how long it is. */
export interface Page {
  /** The last element of the page before; '' for the first page. */
  readonly after: string;
  readonly limit: number;
}

/**
 * Reads Limit and Marker.
 *
 * @throws KmsError ValidationException for a Limit above the operation's; InvalidMarkerException
 */
export function pageOf(
  operation: OperationName,
  { Limit, Marker }: { Limit?: number | undefined; Marker?: string | undefined },
  { usual, most }: PageSize,
): Page {
  if (Limit !== undefined && Limit > most) {
    throw new KmsError(
      'ValidationException',
      `1 validation error detected: Value '${Limit}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to ${most}`,
    );
  }
  return { after: Marker === undefined ? '' : readMarker(operation, Marker), limit: Limit ?? usual };
}

/**
 * The members that every list answer ends with.
 *
 * @param found up to limit + 1 elements: one more than fits shows that there are more
 * @param positionOf what the next page begins after
 */
export function pageAnswer<T>(
  operation: OperationName,
  { limit }: Page,
  found: readonly T[],
  positionOf: (element: T) => string,
): { page: T[]; Truncated: boolean; NextMarker?: string } {
  const page = found.slice(0, limit);
  const last = page.at(-1);
  if (found.length <= limit || last === undefined) return { page, Truncated: false };
  return { page, Truncated: true, NextMarker: writeMarker(operation, positionOf(last)) };
}

/** Markers name an element and not a count, so they hold while others come and go. */
function writeMarker(operation: OperationName, position: string): string {
  return Buffer.from(`${operation}\n${position}\n`).toString('base64url');
}

function readMarker(operation: OperationName, marker: string): string {
  const position = Buffer.from(marker, 'base64url').toString('utf8').slice(`${operation}\n`.length, -1);
  if (writeMarker(operation, position) === marker) return position;
  throw new KmsError('InvalidMarkerException', 'The marker is not one that this operation has returned.');
}
