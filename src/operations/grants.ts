import type { CreateGrantRequest, GrantListEntry, RetireGrantRequest } from '@aws-sdk/client-kms';
import type { NamedPrincipals } from '../authorization/policy/named-principals.js';
import { KmsError } from '../contract/kms-error.js';
import type { GrantRecord, NamedPrincipal } from '../keys/grant-repository.js';
import {
  checkedConstraints,
  checkGrantId,
  checkPrincipal,
  grantOperations,
  invalidPrincipal,
} from '../keys/grant-rules.js';
import type { KeyRecord } from '../keys/key-record.js';
import { keyArn } from '../keys/key-reference.js';
import type { Kms } from './kms.js';
import { operation } from './operation.js';
import { pageAnswer, pageOf } from './paging.js';

const pageSize = { usual: 50, most: 100 } as const;

/**
 * A principal that is given by its ARN or, if it is a service, by its name.
 *
 * @param member name of the parameter for the ARN, without `Principal`: Grantee, Retiring
 * @returns undefined when neither is given
 * @throws KmsError ValidationException when both are; InvalidArnException
 */
function namedPrincipal(
  member: 'Grantee' | 'Retiring',
  arn: string | undefined,
  service: string | undefined,
): NamedPrincipal | undefined {
  if (arn !== undefined && service !== undefined) {
    throw new KmsError(
      'ValidationException',
      `You can specify either ${member}Principal or ${member}ServicePrincipal, but not both.`,
    );
  }
  checkPrincipal(arn);
  const name = arn ?? service;
  return name === undefined ? undefined : { name, isService: arn === undefined };
}

/** @throws KmsError ValidationException, InvalidArnException when the principals of a grant do not fit together */
function checkPrincipals(input: CreateGrantRequest): void {
  const grantee = namedPrincipal('Grantee', input.GranteePrincipal, input.GranteeServicePrincipal);
  const retiring = namedPrincipal('Retiring', input.RetiringPrincipal, input.RetiringServicePrincipal);
  if (grantee === undefined) {
    throw new KmsError(
      'ValidationException',
      'You must specify either GranteePrincipal or GranteeServicePrincipal, but not both.',
    );
  }
  if (!grantee.isService) return;
  if (input.Constraints?.SourceArn === undefined) {
    throw new KmsError('ValidationException', 'A GranteeServicePrincipal needs the grant constraint SourceArn.');
  }
  if (retiring === undefined) {
    throw new KmsError(
      'ValidationException',
      'A GranteeServicePrincipal needs a RetiringPrincipal or a RetiringServicePrincipal.',
    );
  }
}

/** @throws KmsError InvalidArnException for a principal of this account that does not exist */
async function principalsOf({ identities }: Kms, arns: readonly (string | undefined)[]): Promise<NamedPrincipals> {
  const { principals, missing } = await identities.named(arns.filter((arn) => arn !== undefined));
  if (missing[0] !== undefined) throw invalidPrincipal(missing[0]);
  return principals;
}

export const createGrant = operation('CreateGrant', {
  keys: { key: { from: 'KeyId' } },
  async run(input, { key, kms, requester }) {
    checkPrincipals(input);
    const principals = await principalsOf(kms, [input.GranteePrincipal, input.RetiringPrincipal]);
    const operations = grantOperations(key, input.Operations);
    const constraints = input.Constraints && checkedConstraints(key, input.Constraints);
    const grant = {
      keyId: key.id,
      name: input.Name ?? '',
      granteePrincipal: input.GranteePrincipal,
      granteeServicePrincipal: input.GranteeServicePrincipal,
      retiringPrincipal: input.RetiringPrincipal,
      retiringServicePrincipal: input.RetiringServicePrincipal,
      issuingAccount: requester.principal.accountId,
      operations,
      constraints,
      createdAt: kms.now(),
      principals,
    };
    if (input.DryRun) {
      await kms.grants.rehearse(grant);
      return {};
    }
    const GrantId = await kms.grants.create(key, grant);
    return { GrantId, GrantToken: await kms.grantTokens.issue({ keyId: key.id, grantId: GrantId }) };
  },
});

function entryOf(kms: Kms, grant: GrantRecord): GrantListEntry {
  return {
    KeyId: keyArn(kms.home, grant.keyId),
    GrantId: grant.id,
    Name: grant.name,
    CreationDate: grant.createdAt,
    GranteePrincipal: grant.granteePrincipal,
    GranteeServicePrincipal: grant.granteeServicePrincipal,
    RetiringPrincipal: grant.retiringPrincipal,
    RetiringServicePrincipal: grant.retiringServicePrincipal,
    IssuingAccount: `arn:aws:iam::${grant.issuingAccount}:root`,
    Operations: [...grant.operations],
    Constraints: grant.constraints,
  };
}

export const listGrants = operation('ListGrants', {
  keys: { key: { from: 'KeyId' } },
  async run(input, { key, kms }) {
    const asked = pageOf('ListGrants', input, pageSize);
    checkGrantId(input.GrantId);
    const grantee = namedPrincipal('Grantee', input.GranteePrincipal, input.GranteeServicePrincipal);
    const found = await kms.grants.listOfKey(key.id, { id: input.GrantId, grantee }, asked.after, asked.limit + 1);
    const { page, ...rest } = pageAnswer('ListGrants', asked, found, (grant) => grant.id);
    return { Grants: page.map((grant) => entryOf(kms, grant)), ...rest };
  },
});

export const listRetirableGrants = operation('ListRetirableGrants', {
  resource: ({ RetiringPrincipal }) => RetiringPrincipal ?? '*',
  async run(input, { kms, requester }) {
    const asked = pageOf('ListRetirableGrants', input, pageSize);
    const retiring = namedPrincipal('Retiring', input.RetiringPrincipal, input.RetiringServicePrincipal);
    if (retiring === undefined) {
      throw new KmsError(
        'ValidationException',
        'You must specify either RetiringPrincipal or RetiringServicePrincipal, but not both.',
      );
    }
    const { arn, accountId } = requester.principal;
    if (!retiring.isService && !retiring.name.includes(`::${accountId}:`)) {
      throw new KmsError(
        'AccessDeniedException',
        `User: ${arn} is not authorized to perform: kms:ListRetirableGrants on resource: ${retiring.name} because no resource-based policy allows the kms:ListRetirableGrants action`,
      );
    }
    const found = await kms.grants.listRetirable(retiring, asked.after, asked.limit + 1);
    const { page, ...rest } = pageAnswer('ListRetirableGrants', asked, found, (grant) => grant.id);
    return { Grants: page.map((grant) => entryOf(kms, grant)), ...rest };
  },
});

/** @throws KmsError NotFoundException */
function noSuchGrant(id: string): KmsError {
  return new KmsError('NotFoundException', `Grant ID ${id} not found`);
}

export const revokeGrant = operation('RevokeGrant', {
  keys: { key: { from: 'KeyId' } },
  async run({ GrantId, DryRun }, { key, kms }) {
    checkGrantId(GrantId);
    const exists = DryRun ? await kms.grants.find(key.id, GrantId) : await kms.grants.delete(key.id, GrantId);
    if (!exists) throw noSuchGrant(GrantId);
    return undefined;
  },
});

/** How RetireGrant names a grant: by a token, or by its id and its key. */
const tokenOrIds = 'You must specify either a GrantToken, or both a KeyId and a GrantId.';

/** The key whose grant a grant token stands for. @throws KmsError */
async function keyOfGrantToken(kms: Kms, grantToken: string | undefined): Promise<KeyRecord> {
  if (grantToken === undefined) throw new KmsError('ValidationException', tokenOrIds);
  const { keyId, grantId } = await kms.grantTokens.read(grantToken);
  const key = await kms.keys.find(keyId);
  if (key === undefined) throw noSuchGrant(grantId);
  return key;
}

/** The id of the grant that a request names. @throws KmsError */
async function grantIdOf(kms: Kms, { KeyId, GrantToken, GrantId }: RetireGrantRequest): Promise<string> {
  const id = GrantToken === undefined ? GrantId : (await kms.grantTokens.read(GrantToken)).grantId;
  if (id === undefined || (GrantToken !== undefined && (KeyId ?? GrantId) !== undefined)) {
    throw new KmsError('ValidationException', tokenOrIds);
  }
  checkGrantId(id);
  return id;
}

export const retireGrant = operation('RetireGrant', {
  keys: {
    key: {
      from: 'KeyId',
      otherwise: ({ GrantToken }, kms) => keyOfGrantToken(kms, GrantToken),
    },
  },
  retiring: async (input, key, kms) => kms.grants.find(key.id, await grantIdOf(kms, input)),
  async run(input, { key, kms }) {
    const id = await grantIdOf(kms, input);
    const exists = input.DryRun ? await kms.grants.find(key.id, id) : await kms.grants.delete(key.id, id);
    if (!exists) throw noSuchGrant(id);
    return undefined;
  },
});
