import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { accountId, region, Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const arnOf = (name: string) => `arn:aws:kms:${region}:${accountId}:${name}`;
const fresh = () => `alias/${randomUUID()}`;
const Plaintext = Buffer.from('x');

test('an alias is made, listed, used, moved and deleted; its key stays', async () => {
  const [first, second] = [await service.newKey(), await service.newKey()];
  const AliasName = 'alias/team/a:b_c-1';
  await service.kms.createAlias({ AliasName, TargetKeyId: first.KeyId });
  expect((await service.kms.listAliases({ KeyId: first.KeyId })).Aliases).toEqual([
    {
      AliasName,
      AliasArn: arnOf(AliasName),
      TargetKeyId: first.KeyId,
      CreationDate: expect.any(Date),
      LastUpdatedDate: expect.any(Date),
    },
  ]);
  expect((await service.kms.encrypt({ KeyId: AliasName, Plaintext })).KeyId).toBe(first.Arn);

  await service.kms.updateAlias({ AliasName, TargetKeyId: second.Arn });
  expect((await service.kms.encrypt({ KeyId: arnOf(AliasName), Plaintext })).KeyId).toBe(second.Arn);
  expect((await service.kms.listAliases({ KeyId: first.KeyId })).Aliases).toEqual([]);
  const [moved] = (await service.kms.listAliases({ KeyId: second.Arn })).Aliases!;
  expect(moved!.LastUpdatedDate!.getTime()).toBeGreaterThanOrEqual(moved!.CreationDate!.getTime());

  await service.kms.deleteAlias({ AliasName });
  expect(await refusal(service.kms.encrypt({ KeyId: AliasName, Plaintext }))).toEqual({
    name: 'NotFoundException',
    message: `Alias ${arnOf(AliasName)} is not found.`,
  });
  expect((await service.kms.encrypt({ KeyId: second.KeyId, Plaintext })).KeyId).toBe(second.Arn);
});

test('names are case-sensitive, and unique', async () => {
  const [first, second] = [await service.newKey(), await service.newKey()];
  await service.kms.createAlias({ AliasName: 'alias/Case', TargetKeyId: first.KeyId });
  await service.kms.createAlias({ AliasName: 'alias/case', TargetKeyId: second.KeyId });
  expect((await service.kms.describeKey({ KeyId: 'alias/Case' })).KeyMetadata?.KeyId).toBe(first.KeyId);
  expect((await service.kms.describeKey({ KeyId: 'alias/case' })).KeyMetadata?.KeyId).toBe(second.KeyId);
  for (const TargetKeyId of [first.KeyId, second.KeyId]) {
    expect(await refusal(service.kms.createAlias({ AliasName: 'alias/Case', TargetKeyId }))).toEqual({
      name: 'AlreadyExistsException',
      message: `An alias with the name ${arnOf('alias/Case')} already exists`,
    });
  }
});

describe('a name', () => {
  const prefixMessage =
    'Alias must start with the prefix "alias/". Please see https://docs.aws.amazon.com/kms/latest/developerguide/kms-alias.html';

  test.each(['name', 'Alias/name', '/alias/name', 'alias/'])(
    '%s needs the prefix and something after it',
    async (AliasName) => {
      const { KeyId } = await service.newKey();
      const refused = { name: 'ValidationException', message: prefixMessage };
      expect(await refusal(service.kms.createAlias({ AliasName, TargetKeyId: KeyId }))).toEqual(refused);
      expect(await refusal(service.kms.updateAlias({ AliasName, TargetKeyId: KeyId }))).toEqual(refused);
      expect(await refusal(service.kms.deleteAlias({ AliasName }))).toEqual(refused);
    },
  );

  test.each(['alias/aws/s3', 'alias/aws/'])('%s is reserved', async (AliasName) => {
    const { KeyId } = await service.newKey();
    const { name } = await refusal(service.kms.createAlias({ AliasName, TargetKeyId: KeyId }));
    expect(['NotAuthorizedException', 'InvalidAliasNameException']).toContain(name);
  });

  test.each(['alias/a b', 'alias/ü', 'alias/a\n', `alias/${'x'.repeat(251)}`, ''])(
    '%j does not fit',
    async (AliasName) => {
      const { KeyId } = await service.newKey();
      const { name, message } = await refusal(service.kms.createAlias({ AliasName, TargetKeyId: KeyId }));
      expect(name).toBe('ValidationException');
      expect(message).toMatch(/ at 'aliasName' failed to satisfy constraint: /);
    },
  );

  test('may have 256 characters', async () => {
    const { KeyId } = await service.newKey();
    const AliasName = `alias/${'x'.repeat(250)}`;
    await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
    expect((await service.kms.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(KeyId);
  });
});

test.each(['updateAlias', 'deleteAlias'] as const)('%s of a name that is not there', async (name) => {
  const { KeyId } = await service.newKey();
  const AliasName = fresh();
  expect(await refusal(service.kms[name]({ AliasName, TargetKeyId: KeyId }))).toEqual({
    name: 'NotFoundException',
    message: `Alias ${arnOf(AliasName)} is not found.`,
  });
});

test('a target is named by id or key ARN, not by alias, and must be there', async () => {
  const { KeyId } = await service.newKey();
  const AliasName = fresh();
  await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
  for (const TargetKeyId of [AliasName, arnOf(AliasName), randomUUID()]) {
    const { name } = await refusal(service.kms.createAlias({ AliasName: fresh(), TargetKeyId }));
    expect(name).toBe('NotFoundException');
    expect((await refusal(service.kms.updateAlias({ AliasName, TargetKeyId }))).name).toBe('NotFoundException');
  }
});

test('an alias does not move to a key of another kind or usage', async () => {
  const symmetric = await service.newKey();
  const hmac = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  const signing = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const agreement = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  const otherSigning = await service.newKey({ KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY' });
  for (const [from, to] of [
    [symmetric, hmac],
    [hmac, symmetric],
    [signing, symmetric],
    [signing, agreement],
  ] as const) {
    const AliasName = fresh();
    await service.kms.createAlias({ AliasName, TargetKeyId: from.KeyId });
    const { name } = await refusal(service.kms.updateAlias({ AliasName, TargetKeyId: to.KeyId }));
    expect(name).toBe('ValidationException');
    expect((await service.kms.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(from.KeyId);
  }
  const AliasName = fresh();
  await service.kms.createAlias({ AliasName, TargetKeyId: signing.KeyId });
  await service.kms.updateAlias({ AliasName, TargetKeyId: otherSigning.KeyId });
  expect((await service.kms.describeKey({ KeyId: AliasName })).KeyMetadata?.KeyId).toBe(otherSigning.KeyId);
});

test('a key has fifty aliases at the most', async () => {
  const { KeyId } = await service.newKey();
  for (let i = 0; i < 50; i++) await service.kms.createAlias({ AliasName: fresh(), TargetKeyId: KeyId });
  const { name } = await refusal(service.kms.createAlias({ AliasName: fresh(), TargetKeyId: KeyId }));
  expect(name).toBe('LimitExceededException');
});

test('an alias moves away from a key that is pending deletion', async () => {
  const [first, second] = [await service.newKey(), await service.newKey()];
  const AliasName = fresh();
  await service.kms.createAlias({ AliasName, TargetKeyId: first.KeyId });
  await service.kms.scheduleKeyDeletion({ KeyId: first.KeyId });
  await service.kms.updateAlias({ AliasName, TargetKeyId: second.KeyId });
  expect((await service.kms.encrypt({ KeyId: AliasName, Plaintext })).KeyId).toBe(second.Arn);
});

test('of many who create one alias at once, one does', async () => {
  const { KeyId } = await service.newKey();
  const AliasName = fresh();
  const calls = Array.from({ length: 10 }, () => service.kms.createAlias({ AliasName, TargetKeyId: KeyId }));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const each of outcomes) if (each.status === 'rejected') expect(each.reason.name).toBe('AlreadyExistsException');
});
