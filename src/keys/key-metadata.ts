import type { KeyMetadata } from '@aws-sdk/client-kms';
import type { Capabilities } from './capabilities.js';
import type { KeyMaterial, KeyRecord } from './key-record.js';
import type { Home } from './key-reference.js';
import type { SupportedUsage } from './key-specs.js';

/** Where KeyMetadata and GetPublicKey list the algorithms of a usage. */
const algorithmLists: Record<SupportedUsage, string> = {
  ENCRYPT_DECRYPT: 'EncryptionAlgorithms',
  SIGN_VERIFY: 'SigningAlgorithms',
  GENERATE_VERIFY_MAC: 'MacAlgorithms',
  KEY_AGREEMENT: 'KeyAgreementAlgorithms',
};

/** The list of the key's algorithms, under the name that its usage gives it; the other lists are absent. */
export function algorithmList(key: KeyRecord, capabilities: Capabilities): Record<string, string[]> {
  const usage = key.usage as SupportedUsage;
  return { [algorithmLists[usage]]: capabilities.offered(key.spec, usage) };
}

/** When imported material ends, as long as it is there. */
function expirationOf(material: KeyMaterial | undefined): Pick<KeyMetadata, 'ExpirationModel' | 'ValidTo'> {
  if (!material?.present) return {};
  const { expiresAt } = material;
  return expiresAt
    ? { ExpirationModel: 'KEY_MATERIAL_EXPIRES', ValidTo: expiresAt }
    : { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE' };
}

/** What DescribeKey and CreateKey tell of a key (contract A.2, KeyMetadata). */
export function keyMetadata(key: KeyRecord, home: Home, capabilities: Capabilities): KeyMetadata {
  return {
    AWSAccountId: home.accountId,
    KeyId: key.id,
    Arn: key.arn,
    CreationDate: key.createdAt,
    Enabled: key.state === 'Enabled',
    Description: key.description,
    KeyUsage: key.usage,
    KeyState: key.state,
    DeletionDate: key.deletionAt,
    Origin: key.origin,
    CustomKeyStoreId: key.customKeyStoreId,
    CloudHsmClusterId: key.cloudHsmClusterId,
    ...expirationOf(key.origin === 'EXTERNAL' ? key.currentMaterial : undefined),
    KeyManager: 'CUSTOMER',
    CustomerMasterKeySpec: key.spec as KeyMetadata['CustomerMasterKeySpec'],
    KeySpec: key.spec,
    ...algorithmList(key, capabilities),
    MultiRegion: key.multiRegion,
    MultiRegionConfiguration: key.multiRegion
      ? { MultiRegionKeyType: 'PRIMARY', PrimaryKey: { Arn: key.arn, Region: home.region }, ReplicaKeys: [] }
      : undefined,
    // keys in custom key stores cannot be rotated, so AWS names no material of theirs
    CurrentKeyMaterialId:
      key.spec === 'SYMMETRIC_DEFAULT' && key.customKeyStoreId === undefined ? key.currentMaterial?.id : undefined,
  };
}
