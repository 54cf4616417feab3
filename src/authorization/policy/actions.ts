import type { OperationName } from '../../contract/operation-types.js';

/** One permission, as decisions see it. */
export interface PermissionRule {
  /** IAM action. */
  readonly action: string;
  /**
   * Where the permission works: in the key's policy, in identity policies as far as the key's policy delegates to the
   * account, and in grants (`key-policy`); in a role's trust policy in the same way, but for grants; in identity policies
   * only; or by the rules of retiring a grant.
   */
  readonly permission: 'key-policy' | 'trust-policy' | 'identity-policy' | 'retire-grant';
  /** Whether the resource may be another account's than the caller's. */
  readonly crossAccount: boolean;
}

/** One permission that an operation needs. */
export interface ActionRule extends PermissionRule {
  readonly action: `kms:${string}`;
  /** What it is authorized on: a key, an alias, or nothing (`*`). */
  readonly resource: 'key' | 'alias' | 'none';
  readonly permission: 'key-policy' | 'identity-policy' | 'retire-grant';
  /** Needed only when the request has tags. */
  readonly withTags?: true;
}

type Action = ActionRule['action'];

const keyOfAnyAccount = (action: Action): ActionRule => ({
  action,
  resource: 'key',
  permission: 'key-policy',
  crossAccount: true,
});

const keyOfOwnAccount = (action: Action): ActionRule => ({ ...keyOfAnyAccount(action), crossAccount: false });

const identity = (action: Action, resource: ActionRule['resource'] = 'none'): ActionRule => ({
  action,
  resource,
  permission: 'identity-policy',
  crossAccount: false,
});

/** Tags on a key that is being made: its own policy does not count (KMS guide, "Allow a user to create KMS keys"). */
const tagNewKey: ActionRule = { ...identity('kms:TagResource', 'key'), withTags: true };

/**
 * The permissions of each operation: all of its rules have to be allowed, a rule about keys for each key that has its
 * part in the operation.
 *
 * @see contract A.2; KMS guide, "AWS KMS permissions"
 */
export const actionRules: Readonly<Record<OperationName, readonly ActionRule[]>> = {
  CancelKeyDeletion: [keyOfOwnAccount('kms:CancelKeyDeletion')],
  ConnectCustomKeyStore: [identity('kms:ConnectCustomKeyStore')],
  CreateAlias: [identity('kms:CreateAlias', 'alias'), keyOfOwnAccount('kms:CreateAlias')],
  CreateCustomKeyStore: [identity('kms:CreateCustomKeyStore')],
  CreateGrant: [keyOfAnyAccount('kms:CreateGrant')],
  CreateKey: [identity('kms:CreateKey'), tagNewKey],
  Decapsulate: [keyOfAnyAccount('kms:Decapsulate')],
  Decrypt: [keyOfAnyAccount('kms:Decrypt')],
  DeleteAlias: [identity('kms:DeleteAlias', 'alias'), keyOfOwnAccount('kms:DeleteAlias')],
  DeleteCustomKeyStore: [identity('kms:DeleteCustomKeyStore')],
  DeleteImportedKeyMaterial: [keyOfOwnAccount('kms:DeleteImportedKeyMaterial')],
  DeriveSharedSecret: [keyOfAnyAccount('kms:DeriveSharedSecret')],
  DescribeCustomKeyStores: [identity('kms:DescribeCustomKeyStores')],
  DescribeKey: [keyOfAnyAccount('kms:DescribeKey')],
  DisableKey: [keyOfOwnAccount('kms:DisableKey')],
  DisableKeyRotation: [keyOfOwnAccount('kms:DisableKeyRotation')],
  DisconnectCustomKeyStore: [identity('kms:DisconnectCustomKeyStore')],
  EnableKey: [keyOfOwnAccount('kms:EnableKey')],
  EnableKeyRotation: [keyOfOwnAccount('kms:EnableKeyRotation')],
  Encapsulate: [keyOfAnyAccount('kms:Encapsulate')],
  Encrypt: [keyOfAnyAccount('kms:Encrypt')],
  GenerateDataKey: [keyOfAnyAccount('kms:GenerateDataKey')],
  GenerateDataKeyPair: [keyOfAnyAccount('kms:GenerateDataKeyPair')],
  GenerateDataKeyPairWithoutPlaintext: [keyOfAnyAccount('kms:GenerateDataKeyPairWithoutPlaintext')],
  GenerateDataKeyWithoutPlaintext: [keyOfAnyAccount('kms:GenerateDataKeyWithoutPlaintext')],
  GenerateMac: [keyOfAnyAccount('kms:GenerateMac')],
  GenerateRandom: [identity('kms:GenerateRandom')],
  GetKeyLastUsage: [keyOfOwnAccount('kms:GetKeyLastUsage')],
  GetKeyPolicy: [keyOfOwnAccount('kms:GetKeyPolicy')],
  GetKeyRotationStatus: [keyOfAnyAccount('kms:GetKeyRotationStatus')],
  GetParametersForImport: [keyOfOwnAccount('kms:GetParametersForImport')],
  GetPublicKey: [keyOfAnyAccount('kms:GetPublicKey')],
  ImportKeyMaterial: [keyOfOwnAccount('kms:ImportKeyMaterial')],
  ListAliases: [identity('kms:ListAliases')],
  ListGrants: [keyOfAnyAccount('kms:ListGrants')],
  ListKeyPolicies: [keyOfOwnAccount('kms:ListKeyPolicies')],
  ListKeyRotations: [keyOfOwnAccount('kms:ListKeyRotations')],
  ListKeys: [identity('kms:ListKeys')],
  ListResourceTags: [keyOfOwnAccount('kms:ListResourceTags')],
  ListRetirableGrants: [identity('kms:ListRetirableGrants')],
  PutKeyPolicy: [keyOfOwnAccount('kms:PutKeyPolicy')],
  ReEncrypt: [keyOfAnyAccount('kms:ReEncryptFrom'), keyOfAnyAccount('kms:ReEncryptTo')],
  ReplicateKey: [keyOfOwnAccount('kms:ReplicateKey'), identity('kms:CreateKey'), tagNewKey],
  RetireGrant: [{ ...keyOfAnyAccount('kms:RetireGrant'), permission: 'retire-grant' }],
  RevokeGrant: [keyOfAnyAccount('kms:RevokeGrant')],
  RotateKeyOnDemand: [keyOfOwnAccount('kms:RotateKeyOnDemand')],
  ScheduleKeyDeletion: [keyOfOwnAccount('kms:ScheduleKeyDeletion')],
  Sign: [keyOfAnyAccount('kms:Sign')],
  TagResource: [keyOfOwnAccount('kms:TagResource')],
  UntagResource: [keyOfOwnAccount('kms:UntagResource')],
  UpdateAlias: [identity('kms:UpdateAlias', 'alias'), keyOfOwnAccount('kms:UpdateAlias')],
  UpdateCustomKeyStore: [identity('kms:UpdateCustomKeyStore')],
  UpdateKeyDescription: [keyOfOwnAccount('kms:UpdateKeyDescription')],
  UpdatePrimaryRegion: [keyOfOwnAccount('kms:UpdatePrimaryRegion')],
  Verify: [keyOfAnyAccount('kms:Verify')],
  VerifyMac: [keyOfAnyAccount('kms:VerifyMac')],
};

/** An operation and one of the permissions that it needs. */
export interface OperationPermission {
  readonly operation: OperationName;
  readonly rule: ActionRule;
}

/**
 * The operation that an action is for, and its rule, for who knows the action and not the operation (`hsm-kms explain`).
 *
 * @param action in any case: kms:decrypt
 */
export function findActionRule(action: string, resource: ActionRule['resource']): OperationPermission | undefined {
  const folded = action.toLowerCase();
  const all = (Object.entries(actionRules) as [OperationName, readonly ActionRule[]][]).flatMap(([operation, rules]) =>
    rules.map((rule) => ({ operation, rule })),
  );
  const matching = all.filter(({ rule }) => rule.action.toLowerCase() === folded && rule.resource === resource);
  // kms:CreateKey is asked for by ReplicateKey too, kms:TagResource by CreateKey
  return matching.find(({ operation, rule }) => rule.action === `kms:${operation}`) ?? matching[0];
}
