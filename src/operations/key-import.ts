import type { ImportKeyMaterialRequest } from '@aws-sdk/client-kms';
import { KmsError } from '../contract/kms-error.js';
import { importMaterial } from '../keys/import/import-material.js';
import { removeMaterial } from '../keys/import/material-presence.js';
import { wrappingOf } from '../keys/import/wrapping-algorithms.js';
import type { KeyMaterial, KeyRecord } from '../keys/key-record.js';
import { operation } from './operation.js';

/** How long a wrapping key and its import token can be used. */
const parametersMilliseconds = 24 * 60 * 60 * 1000;
/** The latest end of imported key material. */
const mostValidMilliseconds = 365 * 24 * 60 * 60 * 1000;

/** @throws KmsError UnsupportedOperationException */
function checkIsImported(key: KeyRecord): void {
  if (key.origin !== 'EXTERNAL') {
    throw new KmsError(
      'UnsupportedOperationException',
      `${key.arn} origin is ${key.origin} which is not valid for this operation.`,
    );
  }
}

export const getParametersForImport = operation('GetParametersForImport', {
  keys: { key: { from: 'KeyId' } },
  async run({ WrappingAlgorithm, WrappingKeySpec }, { key, kms }) {
    checkIsImported(key);
    const { imports } = kms;
    const { spec, algorithm, wrappingKeyBits } = wrappingOf(key.spec, WrappingAlgorithm, WrappingKeySpec);
    const { permissions } = await imports.capabilities.way(algorithm, spec.kind);
    const validTo = new Date(kms.now().getTime() + parametersMilliseconds);
    const wrappingKey = await imports.wrappingKeys.create(key.id, wrappingKeyBits, permissions, validTo);
    const ImportToken = await imports.tokens.seal({
      keyId: key.id,
      wrappingKeyId: wrappingKey.id,
      wrappingKeyBits,
      wrappingAlgorithm: algorithm.name,
      expiresAt: validTo.getTime(),
    });
    return { KeyId: key.arn, ImportToken, PublicKey: wrappingKey.publicKey, ParametersValidTo: validTo };
  },
});

type Expiry = Pick<ImportKeyMaterialRequest, 'ExpirationModel' | 'ValidTo'>;

/** When the material expires; undefined for never. @throws KmsError ValidationException */
function expiryOf({ ExpirationModel = 'KEY_MATERIAL_EXPIRES', ValidTo }: Expiry, now: Date): Date | undefined {
  const invalid = (message: string) => new KmsError('ValidationException', message);
  if (ExpirationModel === 'KEY_MATERIAL_DOES_NOT_EXPIRE') {
    if (ValidTo === undefined) return undefined;
    throw invalid(
      'The parameter ValidTo cannot be specified for a key with an expiration model of KEY_MATERIAL_DOES_NOT_EXPIRE',
    );
  }
  if (ValidTo === undefined) {
    throw invalid('A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES');
  }
  if (ValidTo <= now) throw invalid('ValidTo must be in the future');
  if (ValidTo.getTime() > now.getTime() + mostValidMilliseconds) {
    throw invalid('ValidTo must be at most 365 days in the future');
  }
  return ValidTo;
}

type SymmetricOnly = Pick<ImportKeyMaterialRequest, 'ImportType' | 'KeyMaterialDescription' | 'KeyMaterialId'>;

/** What only keys with several materials have. @throws KmsError ValidationException */
function checkNamesMaterial(input: SymmetricOnly, key: KeyRecord): void {
  for (const name of ['ImportType', 'KeyMaterialDescription', 'KeyMaterialId'] as const) {
    if (input[name] !== undefined && key.spec !== 'SYMMETRIC_DEFAULT') {
      throw new KmsError('ValidationException', `${name} can be specified for symmetric encryption keys only.`);
    }
  }
  if (input.ImportType === 'NEW_KEY_MATERIAL' && input.KeyMaterialId !== undefined) {
    throw new KmsError('ValidationException', 'KeyMaterialId cannot be specified with ImportType NEW_KEY_MATERIAL.');
  }
}

/** Only keys that can have several materials name them (contract A.2). */
function materialIdOf(key: KeyRecord, id: string | undefined): { KeyMaterialId?: string } {
  return key.spec === 'SYMMETRIC_DEFAULT' && id !== undefined ? { KeyMaterialId: id } : {};
}

export const importKeyMaterial = operation('ImportKeyMaterial', {
  keys: { key: { from: 'KeyId' } },
  async run(input, { key, kms }) {
    checkIsImported(key);
    checkNamesMaterial(input, key);
    const now = kms.now();
    const context = { imports: kms.imports, keys: kms.keys, keyToken: await kms.tokens.of(key), now };
    const id = await importMaterial(context, key, {
      importToken: input.ImportToken,
      ciphertext: input.EncryptedKeyMaterial,
      expiresAt: expiryOf(input, now),
      type: input.ImportType,
      description: input.KeyMaterialDescription,
      materialId: input.KeyMaterialId,
    });
    return { KeyId: key.arn, ...materialIdOf(key, id) };
  },
});

/** The material that a request names, or the current one. @throws KmsError NotFoundException */
function materialToDelete(key: KeyRecord, id: string | undefined): KeyMaterial | undefined {
  const material = id === undefined ? key.currentMaterial : key.materials.get(id);
  if (id !== undefined && material === undefined) {
    throw new KmsError('NotFoundException', `Key material ${id} is not associated with ${key.arn}.`);
  }
  return material;
}

export const deleteImportedKeyMaterial = operation('DeleteImportedKeyMaterial', {
  keys: { key: { from: 'KeyId' } },
  async run({ KeyMaterialId }, { key, kms }) {
    checkIsImported(key);
    const material = materialToDelete(key, KeyMaterialId);
    if (material?.present) {
      const { token } = await kms.tokens.of(key);
      await removeMaterial(kms.keys, token, key, material);
    }
    return { KeyId: key.arn, ...materialIdOf(key, material?.id) };
  },
});
