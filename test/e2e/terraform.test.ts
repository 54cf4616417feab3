import type { KeyMetadata, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, region, Service, userArn } from '../service/service.js';

/**
 * What the Terraform AWS provider sends for aws_kms_key, aws_kms_alias, aws_kms_grant and aws_kms_replica_key, in its
 * order (internal/service/kms of hashicorp/terraform-provider-aws): each create and update is followed by the reads that
 * must show it, and a delete by the read that must not find it any more.
 */

let service: Service;
let kms: KMS;
beforeAll(async () => {
  service = await Service.start();
  kms = service.kms;
});
afterAll(() => service?.end());

const root = `arn:aws:iam::${accountId}:root`;
const statement = { Effect: 'Allow', Principal: { AWS: root }, Action: 'kms:*', Resource: '*' };
const policyOf = (...Sids: string[]) =>
  JSON.stringify({ Version: '2012-10-17', Statement: Sids.map((Sid) => ({ Sid, ...statement })) });

/** What the provider reads of a key, each time it refreshes it. */
async function read(KeyId: string) {
  const { KeyMetadata } = await kms.describeKey({ KeyId });
  if (KeyMetadata?.KeyState === 'PendingDeletion') return undefined;
  const { Policy = '' } = await kms.getKeyPolicy({ KeyId, PolicyName: 'default' });
  const { KeyRotationEnabled, RotationPeriodInDays } = await kms.getKeyRotationStatus({ KeyId });
  const { Tags = [] } = await kms.listResourceTags({ KeyId });
  return {
    metadata: KeyMetadata as KeyMetadata,
    policy: JSON.parse(Policy),
    rotation: { enabled: KeyRotationEnabled, period: RotationPeriodInDays },
    tags: Object.fromEntries(Tags.map(({ TagKey, TagValue }) => [TagKey, TagValue])),
  };
}

test('aws_kms_key', async () => {
  // create: description, policy and tags at once, the rest after it
  const created = await kms.createKey({
    BypassPolicyLockoutSafetyCheck: false,
    CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT',
    Description: 'made',
    KeyUsage: 'ENCRYPT_DECRYPT',
    Policy: policyOf('first'),
    Tags: [
      { TagKey: 'Name', TagValue: 'key' },
      { TagKey: 'Gone', TagValue: 'soon' },
    ],
  });
  const KeyId = created.KeyMetadata?.KeyId as string;
  await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 90 });
  expect(await read(KeyId)).toMatchObject({
    metadata: {
      ...{ KeyId, Arn: `arn:aws:kms:${region}:${accountId}:key/${KeyId}`, AWSAccountId: accountId },
      ...{ Description: 'made', Enabled: true, KeyState: 'Enabled', KeyManager: 'CUSTOMER', Origin: 'AWS_KMS' },
      ...{ KeySpec: 'SYMMETRIC_DEFAULT', CustomerMasterKeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' },
      MultiRegion: false,
    },
    policy: JSON.parse(policyOf('first')),
    rotation: { enabled: true, period: 90 },
    tags: { Name: 'key', Gone: 'soon' },
  });

  // update: tags, enabled if it is to be, rotation, description, policy, disabled if it is to be
  await kms.untagResource({ KeyId, TagKeys: ['Gone'] });
  await kms.tagResource({ KeyId, Tags: [{ TagKey: 'Name', TagValue: 'renamed' }] });
  await kms.enableKeyRotation({ KeyId, RotationPeriodInDays: 180 });
  await kms.updateKeyDescription({ KeyId, Description: 'updated' });
  const updated = policyOf('first', 'second');
  await kms.putKeyPolicy({ KeyId, PolicyName: 'default', Policy: updated, BypassPolicyLockoutSafetyCheck: false });
  await kms.disableKey({ KeyId });
  expect(await read(KeyId)).toMatchObject({
    metadata: { Description: 'updated', Enabled: false, KeyState: 'Disabled' },
    policy: JSON.parse(updated),
    rotation: { enabled: true, period: 180 },
  });
  expect((await read(KeyId))?.tags).toEqual({ Name: 'renamed' });

  // update back: rotation of a disabled key cannot be changed, so it is enabled first
  expect(await refusalName(kms.disableKeyRotation({ KeyId }))).toBe('DisabledException');
  await kms.enableKey({ KeyId });
  await kms.disableKeyRotation({ KeyId });
  await kms.updateKeyDescription({ KeyId, Description: '' });
  const back = await read(KeyId);
  expect(back).toMatchObject({ metadata: { Description: '', Enabled: true }, rotation: { enabled: false } });
  expect(back?.rotation.period).toBeUndefined();

  // delete, and once more by somebody who does not know
  const { DeletionDate, KeyState, PendingWindowInDays } = await kms.scheduleKeyDeletion({
    KeyId,
    PendingWindowInDays: 7,
  });
  expect({ KeyState, PendingWindowInDays }).toEqual({ KeyState: 'PendingDeletion', PendingWindowInDays: 7 });
  expect((DeletionDate as Date).getTime()).toBeGreaterThan(Date.now() + 6 * 24 * 3600 * 1000);
  expect(await read(KeyId)).toBeUndefined();
  expect(await refusal(kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 }))).toEqual({
    name: 'KMSInvalidStateException',
    message: `${created.KeyMetadata?.Arn} is pending deletion.`,
  });
});

/** The provider finds an alias by listing, as KMS has no other way. */
async function findAlias(name: string) {
  let Marker: string | undefined;
  do {
    const page = await kms.listAliases({ Limit: 1, ...(Marker !== undefined && { Marker }) });
    const found = page.Aliases?.find(({ AliasName }) => AliasName === name);
    if (found) return found;
    Marker = page.NextMarker;
  } while (Marker !== undefined);
  return undefined;
}

test('aws_kms_alias', async () => {
  const [first, second, last] = [await service.newKey(), await service.newKey(), await service.newKey()];
  await kms.createAlias({ AliasName: 'alias/before', TargetKeyId: last.KeyId });
  const AliasName = 'alias/terraform';
  await kms.createAlias({ AliasName, TargetKeyId: first.KeyId });
  expect(await findAlias(AliasName)).toMatchObject({
    AliasArn: `arn:aws:kms:${region}:${accountId}:${AliasName}`,
    TargetKeyId: first.KeyId,
  });
  expect(await refusalName(kms.createAlias({ AliasName, TargetKeyId: second.Arn }))).toBe('AlreadyExistsException');
  // the provider sends what its configuration says: an ARN, mostly
  await kms.updateAlias({ AliasName, TargetKeyId: second.Arn });
  expect(await findAlias(AliasName)).toMatchObject({ TargetKeyId: second.KeyId });
  await kms.deleteAlias({ AliasName });
  expect(await findAlias(AliasName)).toBeUndefined();
  expect(await refusalName(kms.deleteAlias({ AliasName }))).toBe('NotFoundException');
});

test('aws_kms_grant', async () => {
  const { KeyId, Arn } = await service.newKey();
  const grantee = userArn('administrator');
  const { GrantId, GrantToken } = await kms.createGrant({
    KeyId: Arn,
    Name: 'terraform',
    GranteePrincipal: grantee,
    RetiringPrincipal: root,
    Operations: ['Encrypt', 'Decrypt'],
    // it sends what the configuration leaves out as an empty map
    Constraints: { EncryptionContextEquals: { Department: 'Finance' }, EncryptionContextSubset: {} },
  });
  expect(GrantToken).not.toBe('');
  const find = async () =>
    (await kms.listGrants({ KeyId, Limit: 100 })).Grants?.find((each) => each.GrantId === GrantId);
  const { Operations, ...grant } = (await find()) ?? {};
  expect(grant).toMatchObject({
    ...{ KeyId: Arn, Name: 'terraform', GranteePrincipal: grantee, RetiringPrincipal: root, IssuingAccount: root },
  });
  expect(grant.Constraints).toEqual({ EncryptionContextEquals: { Department: 'Finance' } });
  expect(Operations?.toSorted()).toEqual(['Decrypt', 'Encrypt']);
  await kms.revokeGrant({ KeyId, GrantId });
  expect(await find()).toBeUndefined();
  expect(await refusalName(kms.revokeGrant({ KeyId, GrantId }))).toBe('NotFoundException');
});

test('aws_kms_grant that is retired on delete', async () => {
  const { KeyId, Arn } = await service.newKey();
  const { GrantId } = await kms.createGrant({ KeyId, GranteePrincipal: root, Operations: ['DescribeKey'] });
  await kms.retireGrant({ KeyId: Arn, GrantId });
  expect((await kms.listGrants({ KeyId })).Grants).toEqual([]);
});

test('aws_kms_replica_key is refused with the reason, and the primary key is as before', async () => {
  const { KeyId, Arn } = await service.newKey({ MultiRegion: true });
  expect(KeyId).toMatch(/^mrk-[0-9a-f]{32}$/);
  const { name, message } = await refusal(kms.replicateKey({ KeyId, ReplicaRegion: 'eu-west-1', Description: 'copy' }));
  expect(name).toBe('UnsupportedOperationException');
  expect(message).toMatch(/^Key material does not leave its token/);
  expect((await read(KeyId))?.metadata).toMatchObject({
    MultiRegion: true,
    MultiRegionConfiguration: {
      MultiRegionKeyType: 'PRIMARY',
      PrimaryKey: { Arn, Region: region },
      ReplicaKeys: [],
    },
  });
  const single = await service.newKey();
  expect(await refusal(kms.replicateKey({ KeyId: single.KeyId, ReplicaRegion: 'eu-west-1' }))).toEqual({
    name: 'UnsupportedOperationException',
    message: `${single.Arn} is not a multi-region primary key.`,
  });
});
