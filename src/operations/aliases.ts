import { KmsError } from '../contract/kms-error.js';
import type { KeyRecord } from '../keys/key-record.js';
import { aliasArn, aliasPrefix } from '../keys/key-reference.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

/** @throws KmsError ValidationException without the prefix; NotAuthorizedException for names that AWS keeps for itself */
export function checkAliasName(name: string): void {
  if (!name.startsWith(aliasPrefix) || name.length === aliasPrefix.length) {
    throw new KmsError(
      'ValidationException',
      'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html',
    );
  }
  if (name.startsWith('alias/aws/')) {
    throw new KmsError('InvalidAliasNameException', 'Aliases that begin with alias/aws/ are reserved.');
  }
}

/** The key that an alias names. @throws KmsError NotFoundException */
async function targetOf(kms: Kms, name: string): Promise<KeyRecord> {
  checkAliasName(name);
  const alias = await kms.aliases.find(name);
  const key = alias && (await kms.keys.find(alias.keyId));
  if (key === undefined) throw new KmsError('NotFoundException', `Alias ${aliasArn(kms.home, name)} is not found.`);
  return key;
}

export const createAlias = operation('CreateAlias', {
  keys: { key: { from: 'TargetKeyId' } },
  resource: ({ AliasName }, kms) => aliasArn(kms.home, AliasName),
  async run({ AliasName }, { key, kms }) {
    checkAliasName(AliasName);
    await kms.aliases.create(AliasName, key.id, kms.now());
    return undefined;
  },
});

/** Aliases move between keys of one kind only, so that who uses one is not surprised. */
const kindOf = ({ spec }: KeyRecord) =>
  spec === 'SYMMETRIC_DEFAULT' ? 'symmetric' : spec.startsWith('HMAC_') ? 'HMAC' : 'asymmetric';

export const updateAlias = operation('UpdateAlias', {
  keys: {
    current: {
      otherwise: ({ AliasName }, kms) => targetOf(kms, AliasName),
      state: false,
    },
    target: { from: 'TargetKeyId' },
  },
  resource: ({ AliasName }, kms) => aliasArn(kms.home, AliasName),
  async run({ AliasName }, { current, target, kms }) {
    if (kindOf(current) !== kindOf(target) || current.usage !== target.usage) {
      throw new KmsError(
        'ValidationException',
        `Alias ${aliasArn(kms.home, AliasName)} cannot be changed from a ${kindOf(current)} key with key usage ${current.usage} to a ${kindOf(target)} key with key usage ${target.usage}.`,
      );
    }
    await kms.aliases.update(AliasName, target.id, kms.now());
    return undefined;
  },
});

export const deleteAlias = operation('DeleteAlias', {
  keys: {
    key: { otherwise: ({ AliasName }, kms) => targetOf(kms, AliasName) },
  },
  resource: ({ AliasName }, kms) => aliasArn(kms.home, AliasName),
  async run({ AliasName }, { kms }) {
    await kms.aliases.delete(AliasName);
    return undefined;
  },
});

export const listAliases = operation('ListAliases', {
  keys: { key: { from: 'KeyId', optional: true } },
  async run(input, { key, kms }) {
    const asked = pageOf('ListAliases', input, { usual: 50, most: 100 });
    const aliases = await kms.aliases.list(asked.after, asked.limit + 1, key?.id);
    const { page, ...rest } = pageAnswer('ListAliases', asked, aliases, (alias) => alias.name);
    return {
      Aliases: page.map((alias) => ({
        AliasName: alias.name,
        AliasArn: alias.arn,
        TargetKeyId: alias.keyId,
        CreationDate: alias.createdAt,
        LastUpdatedDate: alias.updatedAt,
      })),
      ...rest,
    };
  },
});
