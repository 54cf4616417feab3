import type { OperationName } from '../contract/operation-types.js';
import { createAlias, deleteAlias, listAliases, updateAlias } from './aliases.js';
import { createKey } from './create-key.js';
import { customKeyStoreOperations } from './custom-key-stores.js';
import { decrypt } from './decrypt.js';
import { deriveSharedSecret } from './derive-shared-secret.js';
import { describeKey } from './describe-key.js';
import { encrypt } from './encrypt.js';
import { generateDataKey, generateDataKeyWithoutPlaintext } from './generate-data-key.js';
import { generateDataKeyPair, generateDataKeyPairWithoutPlaintext } from './generate-data-key-pair.js';
import { generateMac, verifyMac } from './generate-mac.js';
import { generateRandom } from './generate-random.js';
import { getKeyLastUsage } from './get-key-last-usage.js';
import { getPublicKey } from './get-public-key.js';
import { createGrant, listGrants, listRetirableGrants, retireGrant, revokeGrant } from './grants.js';
import { deleteImportedKeyMaterial, getParametersForImport, importKeyMaterial } from './key-import.js';
import { getKeyPolicy, listKeyPolicies, putKeyPolicy } from './key-policies.js';
import { disableKeyRotation, enableKeyRotation, getKeyRotationStatus, rotateKeyOnDemand } from './key-rotation.js';
import { cancelKeyDeletion, disableKey, enableKey, scheduleKeyDeletion } from './key-state-changes.js';
import { listKeyRotations } from './list-key-rotations.js';
import { listKeys } from './list-keys.js';
import type { Operation } from './operation.js';
import { reEncrypt } from './re-encrypt.js';
import { sign, verify } from './sign.js';
import { listResourceTags, tagResource, untagResource } from './tags.js';
import { unsupportedOperations } from './unsupported.js';
import { updateKeyDescription } from './update-key-description.js';

/** The operations that are done. All others answer UnsupportedOperationException. */
export const operations: ReadonlyMap<OperationName, Operation> = new Map(
  [
    cancelKeyDeletion,
    createAlias,
    createGrant,
    createKey,
    decrypt,
    deleteAlias,
    deleteImportedKeyMaterial,
    deriveSharedSecret,
    describeKey,
    disableKey,
    disableKeyRotation,
    enableKey,
    enableKeyRotation,
    encrypt,
    generateDataKey,
    generateDataKeyPair,
    generateDataKeyPairWithoutPlaintext,
    generateDataKeyWithoutPlaintext,
    generateMac,
    generateRandom,
    getKeyLastUsage,
    getKeyPolicy,
    getKeyRotationStatus,
    getParametersForImport,
    getPublicKey,
    importKeyMaterial,
    listAliases,
    listGrants,
    listKeyPolicies,
    listKeyRotations,
    listKeys,
    listResourceTags,
    listRetirableGrants,
    putKeyPolicy,
    reEncrypt,
    retireGrant,
    revokeGrant,
    rotateKeyOnDemand,
    scheduleKeyDeletion,
    sign,
    tagResource,
    untagResource,
    updateAlias,
    updateKeyDescription,
    verify,
    verifyMac,
    ...customKeyStoreOperations,
    ...unsupportedOperations,
  ].map((operation) => [operation.name, operation]),
);
