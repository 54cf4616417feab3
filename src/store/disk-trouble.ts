/** What keeps a disk from being written to. */
type Trouble = 'full' | 'read-only' | 'failing';

/** What the store, the file system and PostgreSQL say of it: codes, or how they begin. */
const saidOf: readonly { readonly code: RegExp; readonly trouble: Trouble }[] = [
  { code: /^(SQLITE_FULL|SQLITE_IOERR_SHMSIZE|ENOSPC|EDQUOT|53100)$/, trouble: 'full' },
  { code: /^(SQLITE_READONLY.*|EROFS)$/, trouble: 'read-only' },
  { code: /^(SQLITE_IOERR.*|EIO|58030)$/, trouble: 'failing' },
];

const advice: Readonly<Record<Trouble, string>> = {
  full: 'The disk is full: make room; what is running goes on by itself.',
  'read-only':
    'The disk is read-only: check it, as a file system that finds an error makes itself read-only, mount it writable, and restart the service.',
  failing:
    'The disk fails, or has made itself read-only: look into the system log, check it, mount it writable, and restart the service.',
};

/** Something could not be written to a disk. */
export class DiskError extends Error {
  override readonly name = 'DiskError';

  /** @param what could not be done; a sentence */
  constructor(
    what: string,
    readonly trouble: Trouble,
    cause: unknown,
  ) {
    super(`${what} ${advice[trouble]}`, { cause });
  }

  /**
   * False where the whole of it may be on the disk, and found there after a crash: SQLite's log may hold a commit that
   * it could not have confirmed.
   */
  get isSurelyUnwritten(): boolean {
    return this.trouble !== 'failing';
  }
}

/**
 * What an error says of the disk below.
 *
 * @param error of SQLite, PostgreSQL or a file system
 * @param what could not be done; a sentence
 * @returns undefined when it is about something else
 */
export function diskError(error: unknown, what: string): DiskError | undefined {
  const { code } = error as { readonly code?: unknown };
  if (typeof code !== 'string') return undefined;
  const trouble = saidOf.find((row) => row.code.test(code))?.trouble;
  return trouble && new DiskError(what, trouble, error);
}
