import { KmsError } from '../contract/kms-error.js';
import type { OperationName } from '../contract/operation-types.js';
import type { KeyRecord } from '../keys/key-record.js';
import { type Operation, operation } from './operation.js';

const unreachable = 'ML-KEM needs C_EncapsulateKey and C_DecapsulateKey of PKCS#11 3.2, which pkcs11js does not reach.';

/** Operations of KMS that are refused whatever they ask, and why; the key must be there all the same. */
export const refusals = {
  Encapsulate: unreachable,
  Decapsulate: unreachable,
  ReplicateKey: 'Key material does not leave its token, so it cannot be replicated into another Region.',
  UpdatePrimaryRegion: 'Keys have no replicas in other Regions here.',
} as const satisfies { readonly [N in OperationName]?: string };

export const encapsulate = operation('Encapsulate', {
  keys: { key: { from: 'KeyId', aliases: true } },
  run: () => refuse(refusals.Encapsulate),
});

export const decapsulate = operation('Decapsulate', {
  keys: { key: { from: 'KeyId', aliases: true } },
  run: () => refuse(refusals.Decapsulate),
});

export const replicateKey = operation('ReplicateKey', {
  keys: { key: { from: 'KeyId' } },
  run: (_input, { key }) => refuseForPrimary(key, refusals.ReplicateKey),
});

export const updatePrimaryRegion = operation('UpdatePrimaryRegion', {
  keys: { key: { from: 'KeyId' } },
  run: (_input, { key }) => refuseForPrimary(key, refusals.UpdatePrimaryRegion),
});

export const unsupportedOperations: readonly Operation[] = [
  encapsulate,
  decapsulate,
  replicateKey,
  updatePrimaryRegion,
];

/** A key that is no multi-Region key is told so, as AWS does, before it is told that there are no replicas. */
function refuseForPrimary(key: KeyRecord, reason: string): never {
  return refuse(key.multiRegion ? reason : `${key.arn} is not a multi-region primary key.`);
}

function refuse(reason: string): never {
  throw new KmsError('UnsupportedOperationException', reason);
}
