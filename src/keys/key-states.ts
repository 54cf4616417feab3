import type { KeyState } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import type { OperationName } from '../contract/operation-types.js';
import type { KeyRecord } from './key-record.js';

/** What a state does to an operation: lets it pass, or refuses it as disabled or as in the wrong state. */
type Verdict = 'pass' | 'disabled' | 'invalid';
type StateRow = Readonly<Record<KeyState, Verdict>>;

const everyState: StateRow = {
  Enabled: 'pass',
  Disabled: 'pass',
  Creating: 'pass',
  PendingDeletion: 'pass',
  PendingReplicaDeletion: 'pass',
  PendingImport: 'pass',
  Unavailable: 'pass',
  Updating: 'pass',
};
const pendingDeletionRefused = { PendingDeletion: 'invalid', PendingReplicaDeletion: 'invalid' } as const;

/** Uses of the key's material. */
const cryptographic: StateRow = {
  ...everyState,
  ...pendingDeletionRefused,
  Disabled: 'disabled',
  Creating: 'invalid',
  PendingImport: 'invalid',
  Unavailable: 'invalid',
};
/** Changes of what is written about the key. */
const descriptive: StateRow = { ...everyState, ...pendingDeletionRefused };
const enabling: StateRow = {
  ...everyState,
  ...pendingDeletionRefused,
  Creating: 'invalid',
  PendingImport: 'invalid',
  Updating: 'invalid',
};
const scheduling: StateRow = { ...everyState, ...pendingDeletionRefused, Updating: 'invalid' };
/** Changes of a key's material; not uses of it. Keys of custom key stores are refused for what they are. */
const rotating: StateRow = { ...cryptographic, Unavailable: 'pass' };
/** Likewise keys with imported material. */
const settingRotation: StateRow = { ...rotating, PendingImport: 'pass' };
const granting: StateRow = { ...cryptographic, Unavailable: 'pass' };
const importing: StateRow = { ...everyState, ...pendingDeletionRefused, Creating: 'invalid' };
const unimporting: StateRow = { ...everyState, Creating: 'invalid', Updating: 'invalid' };
const onlyPendingDeletion: StateRow = {
  Enabled: 'invalid',
  Disabled: 'invalid',
  Creating: 'invalid',
  PendingDeletion: 'pass',
  PendingReplicaDeletion: 'pass',
  PendingImport: 'invalid',
  Unavailable: 'invalid',
  Updating: 'invalid',
};

/** Operation x key state (contract A.4). An operation that is not listed passes in every state. */
const stateTable: { readonly [N in OperationName]?: StateRow } = {
  Encrypt: cryptographic,
  Decrypt: cryptographic,
  ReEncrypt: cryptographic,
  GenerateDataKey: cryptographic,
  GenerateDataKeyPair: cryptographic,
  GenerateDataKeyPairWithoutPlaintext: cryptographic,
  GenerateDataKeyWithoutPlaintext: cryptographic,
  Sign: cryptographic,
  Verify: cryptographic,
  GenerateMac: cryptographic,
  VerifyMac: cryptographic,
  DeriveSharedSecret: cryptographic,
  GetPublicKey: cryptographic,
  Encapsulate: cryptographic,
  Decapsulate: cryptographic,
  CreateGrant: granting,
  EnableKeyRotation: settingRotation,
  DisableKeyRotation: settingRotation,
  RotateKeyOnDemand: rotating,
  GetParametersForImport: importing,
  ImportKeyMaterial: importing,
  DeleteImportedKeyMaterial: unimporting,
  CreateAlias: descriptive,
  TagResource: descriptive,
  UntagResource: descriptive,
  UpdateKeyDescription: descriptive,
  UpdateAlias: descriptive,
  EnableKey: enabling,
  DisableKey: enabling,
  ScheduleKeyDeletion: scheduling,
  CancelKeyDeletion: onlyPendingDeletion,
};

/** True for operations that use key material; GetPublicKey only reads what is public. */
export function isCryptographic(operation: OperationName): boolean {
  return stateTable[operation] === cryptographic && operation !== 'GetPublicKey';
}

/** What AWS says of a key that is in the wrong state. */
const stateWords: { readonly [S in KeyState]?: string } = {
  PendingDeletion: 'is pending deletion.',
  PendingReplicaDeletion: 'is pending replica deletion.',
  PendingImport: 'is pending import.',
  Unavailable: 'is unavailable.',
  Creating: 'is creating.',
  Updating: 'is updating.',
};

/** @throws KmsError DisabledException, KMSInvalidStateException when the key's state does not allow the operation */
export function checkKeyState(operation: OperationName, key: KeyRecord): void {
  const row = stateTable[operation];
  if (row === undefined) return;
  const verdict = row[key.state];
  if (verdict === 'pass') return;
  if (verdict === 'disabled') throw new KmsError('DisabledException', `${key.arn} is disabled.`);
  const words = row === onlyPendingDeletion ? 'is not pending deletion.' : stateWords[key.state];
  throw new KmsError('KMSInvalidStateException', `${key.arn} ${words ?? `is ${key.state}.`}`);
}
