import type { LabelledObject } from '../token/object-index.js';
import { isKeyId } from './key-reference.js';

/** Whose an object in the token is. */
export type ObjectOwner =
  /** A KMS key's: its label is the key id. */
  | { readonly kind: 'key'; readonly keyId: string }
  /** An import's, for a KMS key. */
  | { readonly kind: 'wrapping key'; readonly keyId: string }
  /** The service's own. */
  | { readonly kind: 'service' }
  /** Of whom else uses the token. */
  | { readonly kind: 'stranger' };

const idBytes = 32;
const ofImport = 'import ';
const ofService = 'hsm-kms ';

/** Told by what this service gives to each object that it makes: a CKA_ID of 32 bytes, and a label. */
export function ownerOf({ id, label }: Pick<LabelledObject, 'id' | 'label'>): ObjectOwner {
  if (id.length !== idBytes) return { kind: 'stranger' };
  if (isKeyId(label)) return { kind: 'key', keyId: label };
  const imported = label.startsWith(ofImport) ? label.slice(ofImport.length) : '';
  if (isKeyId(imported)) return { kind: 'wrapping key', keyId: imported };
  return { kind: label.startsWith(ofService) ? 'service' : 'stranger' };
}
