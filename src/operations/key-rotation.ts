import { KmsError } from '../contract/kms-error.js';
import { rotationFrom } from '../keys/due-rotations.js';
import type { KeyMaterial, KeyRecord } from '../keys/key-record.js';
import { StaleKeyError } from '../keys/key-repository.js';
import { rotateToImportedMaterial, rotateToNewMaterial } from '../keys/rotation.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';

/** EnableKeyRotation's period when it names none, in days. */
export const usualPeriodDays = 365;
const mostOnDemandRotations = 25;
/** So long before an automatic rotation no other begins, in milliseconds. */
const conflictMilliseconds = 20 * 60 * 1000;

/** What of a key decides whether it can be rotated. */
type RotatedKey = Pick<KeyRecord, 'arn' | 'spec' | 'origin' | 'customKeyStoreId'>;

/** Keys that have several materials. @throws KmsError UnsupportedOperationException for all others */
export function checkHasRotations(key: Omit<RotatedKey, 'origin'>): void {
  if (key.spec !== 'SYMMETRIC_DEFAULT') {
    throw new KmsError('UnsupportedOperationException', `${key.arn} is not a symmetric encryption key.`);
  }
  if (key.customKeyStoreId !== undefined) {
    throw new KmsError('UnsupportedOperationException', `${key.arn} is in a custom key store.`);
  }
}

/** Keys that can be rotated automatically. @throws KmsError UnsupportedOperationException for all others */
export function checkHasAutomaticRotation(key: RotatedKey): void {
  checkHasRotations(key);
  if (key.origin !== 'AWS_KMS') {
    throw new KmsError('UnsupportedOperationException', `${key.arn} origin is ${key.origin}: only AWS_KMS is rotated.`);
  }
}

export const enableKeyRotation = operation('EnableKeyRotation', {
  keys: { key: { from: 'KeyId' } },
  async run({ RotationPeriodInDays = usualPeriodDays }, { key, kms }) {
    checkHasAutomaticRotation(key);
    // who enables it every day does not put the rotation off for ever
    if (key.rotation?.periodDays !== RotationPeriodInDays) {
      await kms.keys.change(key, { rotation: rotationFrom(kms.now(), RotationPeriodInDays) });
    }
    return undefined;
  },
});

export const disableKeyRotation = operation('DisableKeyRotation', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    checkHasAutomaticRotation(key);
    if (key.rotation) await kms.keys.change(key, { rotation: undefined });
    return undefined;
  },
});

export const getKeyRotationStatus = operation('GetKeyRotationStatus', {
  keys: { key: { from: 'KeyId' } },
  run(_input, { key }) {
    // Terraform asks this of asymmetric and HMAC keys too, and AWS answers that they are not rotated
    if (key.customKeyStoreId !== undefined) checkHasRotations(key);
    const { rotation } = key;
    if (rotation === undefined || key.state === 'PendingDeletion') return { KeyId: key.arn, KeyRotationEnabled: false };
    return {
      KeyId: key.arn,
      KeyRotationEnabled: true,
      RotationPeriodInDays: rotation.periodDays,
      NextRotationDate: rotation.nextAt,
    };
  },
});

export const rotateKeyOnDemand = operation('RotateKeyOnDemand', {
  keys: { key: { from: 'KeyId' } },
  async run(_input, { key, kms }) {
    checkHasRotations(key);
    checkRotationsLeft(key);
    const at = kms.now();
    if (key.rotation && key.rotation.nextAt.getTime() <= at.getTime() + conflictMilliseconds) throw conflict(key);
    try {
      await rotate(kms, key, at);
    } catch (error) {
      if (error instanceof StaleKeyError) await checkNotRotated(kms, key);
      throw error;
    }
    return { KeyId: key.arn };
  },
});

async function rotate(kms: Kms, key: KeyRecord, at: Date): Promise<void> {
  const keyToken = await kms.tokens.of(key);
  return key.origin === 'EXTERNAL'
    ? rotateToImportedMaterial(kms.keys, keyToken, key, pendingMaterial(key), at)
    : rotateToNewMaterial(kms.keys, keyToken, key, { type: 'ON_DEMAND', at, schedule: key.rotation });
}

/** @throws KmsError LimitExceededException */
function checkRotationsLeft(key: KeyRecord): void {
  const done = [...key.materials.values()].filter(({ rotationType }) => rotationType === 'ON_DEMAND');
  if (done.length >= mostOnDemandRotations) {
    throw new KmsError(
      'LimitExceededException',
      `The on-demand rotations limit has been reached for the given keyId. No more on-demand rotations can be performed for this key: ${key.arn}`,
    );
  }
}

/** The imported material that waits for its rotation. @throws KmsError KMSInvalidStateException */
function pendingMaterial(key: KeyRecord): KeyMaterial {
  for (const material of key.materials.values()) {
    if (material.state === 'PENDING_ROTATION' && material.present) return material;
  }
  throw new KmsError('KMSInvalidStateException', `No available key material pending rotation for the key: ${key.arn}.`);
}

/** A key that was rotated under this request is not rotated again for it. @throws KmsError ConflictException */
async function checkNotRotated(kms: Kms, key: KeyRecord): Promise<void> {
  const now = await kms.keys.find(key.id);
  if (now && now.currentMaterial?.id !== key.currentMaterial?.id) throw conflict(key);
}

function conflict({ arn }: KeyRecord): KmsError {
  return new KmsError(
    'ConflictException',
    `A rotation of the key is in progress, or an automatic one is scheduled to begin within the next 20 minutes: ${arn}`,
  );
}
