import { deleteDueKeys } from '../keys/due-deletions.js';
import { hasDueRotations, rotateDueKeys } from '../keys/due-rotations.js';
import type { Kms } from '../operations/kms.js';
import type { ScheduledTask } from './schedule.js';

/** Names of what is scheduled, in the store's leases as well. */
export type DueTask =
  | 'key deletion'
  | 'key rotation'
  | 'expiry of imported key material'
  | 'destruction of import wrapping keys';

/** What is done when its time has come, whichever worker finds it due. */
export function scheduledTasks(kms: Kms): (ScheduledTask & { readonly name: DueTask })[] {
  const { keys, tokens, imports, now } = kms;
  return [
    {
      name: 'key deletion',
      isDue: async () => (await keys.listDue('deletion_at', now())).length > 0,
      run: () => deleteDueKeys(keys, tokens, imports.wrappingKeys, now()),
    },
    {
      name: 'key rotation',
      isDue: () => hasDueRotations(keys, now()),
      run: () => rotateDueKeys(keys, tokens, now),
    },
    {
      name: 'expiry of imported key material',
      isDue: async () => (await imports.expiry.listDue(now())).length > 0,
      run: () => imports.expiry.carryOut(now()),
    },
    {
      name: 'destruction of import wrapping keys',
      isDue: async () => (await imports.wrappingKeys.listDue(now())).length > 0,
      run: () => imports.wrappingKeys.carryOutDue(now()),
    },
  ];
}
