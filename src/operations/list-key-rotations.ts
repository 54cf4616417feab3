import type { RotationsListEntry } from '@aws-sdk/client-kms';
import type { KeyMaterial, KeyRecord } from '../keys/key-record.js';
import { checkHasRotations } from './key-rotation.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

/** Wide enough for the milliseconds since the epoch of every date, in digits. */
const instantDigits = 16;

/** Where a material stands in the list, as text: the first one, then the rotations by their date, then what is pending. */
function positionOf({ id, state, rotatedAt }: KeyMaterial): string {
  if (state === 'PENDING_ROTATION') return `pending/${id}`;
  if (rotatedAt === undefined) return `0/${id}`;
  return `at/${String(rotatedAt.getTime()).padStart(instantDigits, '0')}/${id}`;
}

/** What is told of imported material only. */
function importOf({ description, present, expiresAt }: KeyMaterial): Partial<RotationsListEntry> {
  return {
    KeyMaterialDescription: description,
    ImportState: present ? 'IMPORTED' : 'PENDING_IMPORT',
    ...(present && { ExpirationModel: expiresAt ? 'KEY_MATERIAL_EXPIRES' : 'KEY_MATERIAL_DOES_NOT_EXPIRE' }),
    ...(present && expiresAt && { ValidTo: expiresAt }),
  };
}

function entryOf(key: KeyRecord, material: KeyMaterial): RotationsListEntry {
  return {
    KeyId: key.id,
    KeyMaterialId: material.id,
    KeyMaterialState: material.state,
    ...(key.origin === 'EXTERNAL' && importOf(material)),
    RotationDate: material.rotatedAt,
    RotationType: material.rotationType,
  };
}

export const listKeyRotations = operation('ListKeyRotations', {
  keys: { key: { from: 'KeyId' } },
  run(input, { key }) {
    checkHasRotations(key);
    const asked = pageOf('ListKeyRotations', input, { usual: 100, most: 1000 });
    const found = [...key.materials.values()]
      .filter(({ rotatedAt }) => input.IncludeKeyMaterial === 'ALL_KEY_MATERIAL' || rotatedAt !== undefined)
      .map((material) => ({ material, position: positionOf(material) }))
      .filter(({ position }) => position > asked.after)
      .sort((one, other) => (one.position < other.position ? -1 : 1));
    const { page, ...rest } = pageAnswer('ListKeyRotations', asked, found, ({ position }) => position);
    return { Rotations: page.map(({ material }) => entryOf(key, material)), ...rest };
  },
});
