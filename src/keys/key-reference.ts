import { KmsError } from '../contract/kms-error.js';

/** The account and Region whose keys this service holds. */
export interface Home {
  readonly region: string;
  readonly accountId: string;
}

/** What a KeyId parameter names. */
export type KeyReference =
  | { readonly kind: 'key'; readonly id: string; readonly arn: string }
  | { readonly kind: 'alias'; readonly name: string; readonly arn: string }
  /** Of another account, so it cannot be here. */
  | { readonly kind: 'foreign'; readonly arn: string };

const keyIdPattern = /^(?:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|mrk-[0-9a-f]{32})$/;
const arnPattern = /^arn:aws:kms:([a-z0-9-]+):(\d{12}):(key\/[^/]+|alias\/.+)$/;
const keyResource = 'key/';

export const aliasPrefix = 'alias/';

export function keyArn({ region, accountId }: Home, id: string): string {
  return `arn:aws:kms:${region}:${accountId}:${keyResource}${id}`;
}

/** @param name with its prefix: alias/... */
export function aliasArn({ region, accountId }: Home, name: string): string {
  return `arn:aws:kms:${region}:${accountId}:${name}`;
}

/** True for what can be the id of a key: a UUID, or mrk- and 32 hexadecimal digits, in lower case. */
export function isKeyId(text: string): boolean {
  return keyIdPattern.test(text);
}

/**
 * Reads a key id, key ARN, alias name or alias ARN (contract A.3).
 *
 * @throws KmsError NotFoundException for what can be no key of this Region; InvalidArnException
 */
export function parseKeyReference(text: string, home: Home): KeyReference {
  if (!text.startsWith('arn:')) return localReference(text, text, home);
  const [, region, accountId, resource = ''] = arnPattern.exec(text) ?? [];
  if (region === undefined) throw new KmsError('InvalidArnException', `Invalid arn ${text.slice(0, 256)}`);
  if (region !== home.region) throw new KmsError('NotFoundException', `Invalid arn ${region}`);
  if (accountId !== home.accountId) return { kind: 'foreign', arn: text };
  return localReference(resource.startsWith(keyResource) ? resource.slice(keyResource.length) : resource, text, home);
}

function localReference(name: string, text: string, home: Home): KeyReference {
  if (name.startsWith(aliasPrefix)) return { kind: 'alias', name, arn: aliasArn(home, name) };
  if (isKeyId(name)) return { kind: 'key', id: name, arn: keyArn(home, name) };
  throw new KmsError('NotFoundException', `Invalid keyId '${text.slice(0, 256)}'`);
}
