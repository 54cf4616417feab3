import type { KeyState } from '@aws-sdk/client-kms';
import { describe, expect, test } from '@jest/globals';
import { KmsError } from '../../src/contract/kms-error.js';
import type { OperationName } from '../../src/contract/operation-types.js';
import { operationNames } from '../../src/contract/operations.js';
import type { KeyRecord } from '../../src/keys/key-record.js';
import { checkKeyState } from '../../src/keys/key-states.js';

const arn = 'arn:aws:kms:us-east-1:000000000000:key/x';
/** '' where the operation passes, else the answer. */
function outcome(operation: OperationName, state: KeyState): string {
  try {
    checkKeyState(operation, { arn, state } as KeyRecord);
    return '';
  } catch (error) {
    if (error instanceof KmsError) return `${error.name}: ${error.message}`;
    throw error;
  }
}
const invalid = (words: string) => `KMSInvalidStateException: ${arn} ${words}`;
const disabled = `DisabledException: ${arn} is disabled.`;

/** Rows of contract A.4 that no running service can be brought into from outside yet. */
describe.each<[OperationName, Partial<Record<KeyState, string>>]>([
  [
    'Encrypt',
    {
      Creating: invalid('is creating.'),
      PendingImport: invalid('is pending import.'),
      Unavailable: invalid('is unavailable.'),
      PendingDeletion: invalid('is pending deletion.'),
      PendingReplicaDeletion: invalid('is pending replica deletion.'),
      Updating: '',
      Disabled: disabled,
    },
  ],
  ['Sign', { Creating: invalid('is creating.'), PendingImport: invalid('is pending import.'), Updating: '' }],
  ['CreateAlias', { PendingImport: '', Creating: '', PendingDeletion: invalid('is pending deletion.') }],
  ['EnableKey', { PendingImport: invalid('is pending import.'), Updating: invalid('is updating.'), Unavailable: '' }],
  ['ScheduleKeyDeletion', { PendingImport: '', Creating: '', Updating: invalid('is updating.') }],
  [
    'CancelKeyDeletion',
    {
      Enabled: invalid('is not pending deletion.'),
      PendingImport: invalid('is not pending deletion.'),
      PendingDeletion: '',
    },
  ],
])('%s', (operation, states) => {
  test.each(Object.entries(states))('on a key that is %s', (state, expected) => {
    expect(outcome(operation, state as KeyState)).toBe(expected);
  });
});

test('every operation passes on an enabled key, but CancelKeyDeletion', () => {
  expect(operationNames.filter((name) => outcome(name, 'Enabled') !== '')).toEqual(['CancelKeyDeletion']);
});
