import type { KeyEventName } from '../audit/service-record.js';
import { deleteDueKeys } from '../keys/due-deletions.js';
import { hasDueRotations, rotateDueKeys } from '../keys/due-rotations.js';
import { keyArn } from '../keys/key-reference.js';
import type { Kms } from '../operations/kms.js';
import type { ScheduledTask } from './schedule.js';

/** Names of what is scheduled, in the store's leases as well. */
export type DueTask =
  | 'key deletion'
  | 'key rotation'
  | 'expiry of imported key material'
  | 'destruction of import wrapping keys';

/** Is told what was done to a key by itself, for the audit log. */
export type KeyEventSink = (event: KeyEventName, keyArn: string, details: object) => void;

/** What is done when its time has come, whichever worker finds it due. */
export function scheduledTasks(kms: Kms, tell: KeyEventSink): (ScheduledTask & { readonly name: DueTask })[] {
  const { keys, tokens, imports, now, home } = kms;
  const telling =
    (event: KeyEventName, more: object = {}) =>
    (keyId: string) =>
      tell(event, keyArn(home, keyId), { keyId, ...more });
  return [
    {
      name: 'key deletion',
      isDue: async () => (await keys.listDue('deletion_at', now())).length > 0,
      run: () => deleteDueKeys(keys, tokens, imports.wrappingKeys, now(), telling('DeleteKey')),
    },
    {
      name: 'key rotation',
      isDue: () => hasDueRotations(keys, now()),
      run: () => rotateDueKeys(keys, tokens, now, telling('RotateKey', { rotationType: 'AUTOMATIC' })),
    },
    {
      name: 'expiry of imported key material',
      isDue: async () => (await imports.expiry.listDue(now())).length > 0,
      run: () =>
        imports.expiry.carryOut(now(), (keyId, keyMaterialId) =>
          telling('DeleteExpiredKeyMaterial', { keyMaterialId })(keyId),
        ),
    },
    {
      name: 'destruction of import wrapping keys',
      isDue: async () => (await imports.wrappingKeys.listDue(now())).length > 0,
      run: () => imports.wrappingKeys.carryOutDue(now()),
    },
  ];
}
