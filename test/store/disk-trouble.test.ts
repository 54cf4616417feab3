import { describe, expect, test } from '@jest/globals';
import { DiskError, diskError } from '../../src/store/disk-trouble.js';

describe('what an error says of the disk', () => {
  test.each([
    { code: 'SQLITE_FULL', trouble: 'full', isSurelyUnwritten: true },
    { code: 'SQLITE_IOERR_SHMSIZE', trouble: 'full', isSurelyUnwritten: true },
    { code: 'ENOSPC', trouble: 'full', isSurelyUnwritten: true },
    { code: '53100', trouble: 'full', isSurelyUnwritten: true },
    { code: 'SQLITE_READONLY_DBMOVED', trouble: 'read-only', isSurelyUnwritten: true },
    { code: 'EROFS', trouble: 'read-only', isSurelyUnwritten: true },
    { code: 'SQLITE_IOERR_FSYNC', trouble: 'failing', isSurelyUnwritten: false },
    { code: 'EIO', trouble: 'failing', isSurelyUnwritten: false },
  ])('$code: it is $trouble', ({ code, ...expected }) => {
    const cause = Object.assign(new Error('why'), { code });
    const error = diskError(cause, 'It cannot be written.');
    expect(error).toBeInstanceOf(DiskError);
    expect(error).toMatchObject({ ...expected, cause });
    expect(error?.message).toMatch(/^It cannot be written\. The disk /);
  });

  test.each([{ code: 'SQLITE_BUSY' }, { code: 5 }, {}])('%j: nothing', (facts) => {
    expect(diskError(Object.assign(new Error('why'), facts), '')).toBeUndefined();
  });
});
