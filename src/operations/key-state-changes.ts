import { KmsError } from '../contract/kms-error.js';
import { stateByMaterials } from '../keys/import/material-presence.js';
import { operation } from './operation.js';

const dayMilliseconds = 24 * 60 * 60 * 1000;
/** ScheduleKeyDeletion's waiting period, in days; the service model allows 1 to 365, the service does not. */
const pendingWindow = { least: 7, most: 30, usual: 30 } as const;

export const enableKey = operation('EnableKey', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    if (key.state !== 'Enabled') await kms.keys.change(key, { state: 'Enabled' });
    return undefined;
  },
});

export const disableKey = operation('DisableKey', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    if (key.state !== 'Disabled') await kms.keys.change(key, { state: 'Disabled' });
    return undefined;
  },
});

export const scheduleKeyDeletion = operation('ScheduleKeyDeletion', {
  keys: { key: { from: 'KeyId' } },
  async run({ PendingWindowInDays = pendingWindow.usual }, { key, kms }) {
    if (PendingWindowInDays < pendingWindow.least || PendingWindowInDays > pendingWindow.most) {
      throw new KmsError(
        'ValidationException',
        `PendingWindowInDays must be between ${pendingWindow.least} and ${pendingWindow.most} (inclusive).`,
      );
    }
    const deletionAt = new Date(kms.now().getTime() + PendingWindowInDays * dayMilliseconds);
    await kms.keys.change(key, { state: 'PendingDeletion', deletionAt, pendingWindowDays: PendingWindowInDays });
    return { KeyId: key.arn, DeletionDate: deletionAt, KeyState: 'PendingDeletion', PendingWindowInDays };
  },
});

export const cancelKeyDeletion = operation('CancelKeyDeletion', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    if (key.deletionAt && key.deletionAt <= kms.now()) {
      throw new KmsError('KMSInvalidStateException', `${key.arn} is being deleted: its waiting period is over.`);
    }
    // imported material may have gone while the key waited
    const state = stateByMaterials({ ...key, state: 'Disabled' }, key.materials.values());
    await kms.keys.change(key, { state, deletionAt: undefined, pendingWindowDays: undefined });
    return { KeyId: key.arn };
  },
});
