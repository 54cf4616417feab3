import { expect, test } from '@jest/globals';
import { KmsError } from '../../src/contract/kms-error.js';
import { isSurelyUncommitted, StaleKeyError } from '../../src/keys/key-repository.js';

const coded = (code: string) => Object.assign(new Error(code), { code });

test.each([
  { title: 'was refused in its transaction', error: new KmsError('LimitExceededException'), isSure: true },
  { title: 'met another change of the key', error: new StaleKeyError('changed'), isSure: true },
  { title: 'found the disk full', error: coded('SQLITE_FULL'), isSure: true },
  { title: 'found a disk that fails', error: coded('SQLITE_IOERR_FSYNC'), isSure: false },
  { title: 'lost its connection', error: coded('ECONNRESET'), isSure: false },
  { title: 'was ended by a server that stops', error: coded('57P01'), isSure: false },
  { title: 'was not answered in time', error: new Error('Query read timeout'), isSure: false },
])('of a change that $title it is sure that it was not made: $isSure', ({ error, isSure }) => {
  expect(isSurelyUncommitted(error)).toBe(isSure);
});
