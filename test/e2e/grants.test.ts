import type { CreateGrantRequest, GrantOperation, KeySpec, KeyUsageType, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call } from '../service/http.js';
import { makePrincipals } from '../service/identities.js';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, Service } from '../service/service.js';

let service: Service;
let kms: KMS;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  service = await Service.start();
  kms = service.kms;
  await makePrincipals(service, user, `${user}2`, retirer, `${retirer}2`);
  ({ KeyId, Arn } = await service.newKey());
});
afterAll(() => service.end());

const user = `arn:aws:iam::${accountId}:user/alice`;
const retirer = `arn:aws:iam::${accountId}:role/retirer`;
const grant = (changes: Partial<CreateGrantRequest> = {}): CreateGrantRequest => ({
  KeyId,
  GranteePrincipal: user,
  Operations: ['Encrypt'],
  ...changes,
});
const validation = (call: Promise<unknown>) => expect(refusalName(call)).resolves.toBe('ValidationException');
const entry = async (GrantId: string | undefined) => (await kms.listGrants({ KeyId, GrantId })).Grants?.[0];

test('a grant is created and listed with all that was said of it', async () => {
  const before = Date.now();
  const { GrantId, GrantToken } = await kms.createGrant({
    KeyId,
    GranteePrincipal: user,
    RetiringPrincipal: retirer,
    Operations: ['GenerateDataKey', 'Decrypt', 'RetireGrant', 'Decrypt'],
    Constraints: { EncryptionContextSubset: { Department: 'IT' } },
    Name: 'all/of:it_1-2',
  });
  expect(GrantId).toMatch(/^[0-9a-f]{64}$/);
  expect(GrantToken).toMatch(/^[\w-]{100,8192}$/);
  const listed = await entry(GrantId);
  expect(listed).toEqual({
    KeyId: Arn,
    GrantId,
    Name: 'all/of:it_1-2',
    CreationDate: expect.any(Date),
    GranteePrincipal: user,
    RetiringPrincipal: retirer,
    IssuingAccount: `arn:aws:iam::${accountId}:root`,
    Operations: ['Decrypt', 'GenerateDataKey', 'RetireGrant'],
    Constraints: { EncryptionContextSubset: { Department: 'IT' } },
  });
  expect(listed?.CreationDate?.getTime()).toBeGreaterThanOrEqual(before);
});

test('without a name and constraints it has an empty name and no constraints, and is another grant each time', async () => {
  const made = [await kms.createGrant(grant()), await kms.createGrant(grant({ Constraints: {} }))];
  expect(made[0]?.GrantId).not.toBe(made[1]?.GrantId);
  for (const { GrantId } of made) {
    const listed = await entry(GrantId);
    expect(listed).toMatchObject({ Name: '', Operations: ['Encrypt'] });
    expect(listed).not.toHaveProperty('Constraints');
    expect(listed).not.toHaveProperty('RetiringPrincipal');
  }
});

describe('a name makes creation idempotent', () => {
  const named = grant({
    Name: 'named',
    RetiringPrincipal: retirer,
    Operations: ['Encrypt', 'Decrypt'],
    Constraints: { EncryptionContextEquals: { a: '1', b: '2' } },
  });
  const create = async (changes: Partial<CreateGrantRequest> = {}) =>
    (await kms.createGrant({ ...named, KeyId, ...changes })).GrantId;
  let original: string | undefined;
  beforeAll(async () => {
    original = await create();
  });

  test('the same parameters, in whichever order, give the same grant, and a new token', async () => {
    const reordered = { EncryptionContextEquals: { b: '2', a: '1' } };
    expect(await create({ Operations: ['Decrypt', 'Encrypt'], Constraints: reordered })).toBe(original);
    const tokens = await Promise.all(
      [1, 2, 3, 4].map(async () => (await kms.createGrant({ ...named, KeyId })).GrantToken),
    );
    expect(new Set(tokens).size).toBe(4);
    const { Grants } = await kms.listGrants({ KeyId, GranteePrincipal: user, Limit: 100 });
    expect(Grants?.filter(({ Name }) => Name === 'named')).toHaveLength(1);
  });

  test.each<[string, Partial<CreateGrantRequest>]>([
    ['name', { Name: 'Named' }],
    ['grantee', { GranteePrincipal: `${user}2` }],
    ['retiring principal', { RetiringPrincipal: `${retirer}2` }],
    ['lack of a retiring principal', { RetiringPrincipal: undefined }],
    ['operations', { Operations: ['Encrypt'] }],
    ['constraint', { Constraints: { EncryptionContextSubset: { a: '1', b: '2' } } }],
    ['constraint value', { Constraints: { EncryptionContextEquals: { a: '1', b: '3' } } }],
    ['lack of constraints', { Constraints: undefined }],
  ])('another %s gives another grant', async (_what, changes) => {
    const other = await create(changes);
    expect(other).not.toBe(original);
    expect(await create(changes)).toBe(other);
  });

  test('of many requests at the same time, one creates it', async () => {
    const ids = await Promise.all(Array.from({ length: 16 }, () => create({ Name: 'race' })));
    expect(new Set(ids).size).toBe(1);
  });
});

describe('which operations suit which key', () => {
  const all: GrantOperation[] = [
    ...(['Decrypt', 'Encrypt', 'GenerateDataKey', 'GenerateDataKeyWithoutPlaintext', 'ReEncryptFrom'] as const),
    ...(['ReEncryptTo', 'Sign', 'Verify', 'GetPublicKey', 'CreateGrant', 'RetireGrant', 'DescribeKey'] as const),
    ...(['GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext', 'GenerateMac', 'VerifyMac'] as const),
    ...(['DeriveSharedSecret', 'Encapsulate', 'Decapsulate'] as const),
  ];
  const always: GrantOperation[] = ['CreateGrant', 'RetireGrant', 'DescribeKey'];
  const reEncryption: GrantOperation[] = ['Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo'];
  const dataKeys = all.filter((operation) => operation.startsWith('GenerateDataKey'));
  const keys: [KeySpec, KeyUsageType, GrantOperation[]][] = [
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', [...reEncryption, ...dataKeys]],
    ['RSA_2048', 'ENCRYPT_DECRYPT', [...reEncryption, 'GetPublicKey']],
    ['RSA_2048', 'SIGN_VERIFY', ['Sign', 'Verify', 'GetPublicKey']],
    ['ECC_NIST_P256', 'SIGN_VERIFY', ['Sign', 'Verify', 'GetPublicKey']],
    ['ECC_NIST_P256', 'KEY_AGREEMENT', ['DeriveSharedSecret', 'GetPublicKey']],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', ['GenerateMac', 'VerifyMac']],
  ];

  test.each(keys)('%s for %s', async (KeySpec, KeyUsage, suitable) => {
    const { KeyId: id } = await service.newKey({ KeySpec, KeyUsage });
    const { GrantId } = await kms.createGrant(grant({ KeyId: id, Operations: [...suitable, ...always] }));
    const { Grants } = await kms.listGrants({ KeyId: id, GrantId });
    expect(Grants?.[0]?.Operations).toEqual([...suitable, ...always].sort());
    for (const operation of all.filter((each) => !suitable.includes(each) && !always.includes(each))) {
      const { name, message } = await refusal(
        kms.createGrant(grant({ KeyId: id, Operations: ['DescribeKey', operation] })),
      );
      expect([operation, name]).toEqual([operation, 'ValidationException']);
      expect(message).toContain(operation);
    }
    if (KeySpec === 'SYMMETRIC_DEFAULT') return;
    for (const Constraints of [{ EncryptionContextEquals: { a: 'b' } }, { EncryptionContextSubset: { a: 'b' } }]) {
      await validation(kms.createGrant(grant({ KeyId: id, Operations: ['DescribeKey'], Constraints })));
    }
    const SourceArn = 'arn:aws:ec2:us-east-1:111122223333:instance/i-1';
    await kms.createGrant(grant({ KeyId: id, Operations: ['DescribeKey'], Constraints: { SourceArn } }));
  });

  test('none is too few', () => validation(kms.createGrant(grant({ Operations: [] }))));

  test('CreateGrant alone is too few', async () => {
    expect(await refusal(kms.createGrant(grant({ Operations: ['CreateGrant'] })))).toEqual({
      name: 'ValidationException',
      message: 'Grants must not contain only the CreateGrant operation.',
    });
  });
});

describe('principals', () => {
  test.each([
    'arn:aws:iam::111122223333:root',
    'arn:aws:iam::111122223333:user/division/team/Bob.B+x=y,z@w-1',
    'arn:aws:iam::111122223333:role/aws-service-role/x.amazonaws.com/R',
    'arn:aws:sts::111122223333:assumed-role/Role/session',
    'arn:aws:sts::111122223333:federated-user/Bob',
  ])('takes %s', async (principal) => {
    const { GrantId } = await kms.createGrant(grant({ GranteePrincipal: principal, RetiringPrincipal: principal }));
    expect(await entry(GrantId)).toMatchObject({ GranteePrincipal: principal, RetiringPrincipal: principal });
  });

  test.each([
    'alice',
    '111122223333',
    'ec2.amazonaws.com',
    'arn:aws:iam::111122223333:group/g',
    'arn:aws:iam::111122223333:user/',
    'arn:aws:iam::111122223333:user',
    'arn:aws:iam::11112222333:root',
    'arn:aws:iam::111122223333:root/x',
    'arn:aws:sts::111122223333:assumed-role/Role',
    'arn:aws:s3:::bucket',
    `arn:aws:iam::111122223333:role/${'r'.repeat(65)}`,
  ])('refuses %s, wherever a principal is named', async (principal) => {
    const expected = { name: 'InvalidArnException', message: `ARN does not refer to a valid principal: ${principal}` };
    expect(await refusal(kms.createGrant(grant({ GranteePrincipal: principal })))).toEqual(expected);
    expect(await refusal(kms.createGrant(grant({ RetiringPrincipal: principal })))).toEqual(expected);
    expect(await refusal(kms.listGrants({ KeyId, GranteePrincipal: principal }))).toEqual(expected);
    expect(await refusal(kms.listRetirableGrants({ RetiringPrincipal: principal }))).toEqual(expected);
  });

  const SourceArn = 'arn:aws:ec2:us-east-1:111122223333:instance/i-1';
  const toService = {
    GranteePrincipal: undefined,
    GranteeServicePrincipal: 'ec2.amazonaws.com',
    RetiringServicePrincipal: 'ebs.amazonaws.com',
    Constraints: { SourceArn },
  };

  test('a service may be grantee and retiring principal', async () => {
    const { GrantId } = await kms.createGrant(grant(toService));
    const listed = await entry(GrantId);
    expect(listed).toMatchObject({
      GranteeServicePrincipal: 'ec2.amazonaws.com',
      RetiringServicePrincipal: 'ebs.amazonaws.com',
      Constraints: { SourceArn },
    });
    expect(listed).not.toHaveProperty('GranteePrincipal');
    expect(listed).not.toHaveProperty('RetiringPrincipal');
    const { Grants } = await kms.listGrants({ KeyId, GranteeServicePrincipal: 'ec2.amazonaws.com' });
    expect(Grants?.map((each) => each.GrantId)).toEqual([GrantId]);
    const retirable = await kms.listRetirableGrants({ RetiringServicePrincipal: 'ebs.amazonaws.com' });
    expect(retirable.Grants?.map((each) => each.GrantId)).toEqual([GrantId]);
    await kms.createGrant(grant({ ...toService, RetiringServicePrincipal: undefined, RetiringPrincipal: user }));
  });

  test.each<[string, Partial<CreateGrantRequest>]>([
    ['no grantee', { GranteePrincipal: undefined }],
    ['two grantees', { ...toService, GranteePrincipal: user }],
    ['two retiring principals', { ...toService, RetiringPrincipal: user }],
    ['a service without SourceArn', { ...toService, Constraints: undefined }],
    ['a service without a retiring principal', { ...toService, RetiringServicePrincipal: undefined }],
  ])('refuses %s', (_what, changes) => validation(kms.createGrant(grant(changes))));

  test('refuses two filters', async () => {
    await validation(kms.listGrants({ KeyId, GranteePrincipal: user, GranteeServicePrincipal: 'ec2.amazonaws.com' }));
  });
});

describe('constraints', () => {
  const pairs = (count: number, value = 'v') =>
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]));

  test.each(['EncryptionContextEquals', 'EncryptionContextSubset'] as const)('%s has its limits', async (name) => {
    const create = (value: Record<string, string>) => kms.createGrant(grant({ Constraints: { [name]: value } }));
    const { GrantId } = await create(pairs(8, 'v'.repeat(384)));
    expect((await entry(GrantId))?.Constraints).toEqual({ [name]: pairs(8, 'v'.repeat(384)) });
    await validation(create(pairs(9)));
    await validation(create(pairs(1, 'v'.repeat(385))));
  });

  test('one on the encryption context is enough; an empty one does not count beside it', async () => {
    const [equals, subset] = [{ EncryptionContextEquals: pairs(1) }, { EncryptionContextSubset: pairs(2) }];
    expect(await refusal(kms.createGrant(grant({ Constraints: { ...equals, ...subset } })))).toEqual({
      name: 'ValidationException',
      message: 'More than one constraint supplied',
    });
    for (const [Constraints, kept] of [
      [{ ...equals, EncryptionContextSubset: {} }, equals],
      [{ ...subset, EncryptionContextEquals: {} }, subset],
      [{ EncryptionContextEquals: {}, EncryptionContextSubset: {} }, { EncryptionContextEquals: {} }],
    ] as const) {
      const { GrantId } = await kms.createGrant(grant({ Constraints }));
      expect((await entry(GrantId))?.Constraints).toEqual(kept);
    }
  });

  test('keys with a meaning in JavaScript are keys like any other', async () => {
    const Constraints = '{"EncryptionContextSubset":{"__proto__":"p","constructor":"c","10":"ten","9":"nine"}}';
    const create = await call(
      service,
      'CreateGrant',
      `${JSON.stringify(grant()).slice(0, -1)},"Constraints":${Constraints}}`,
    );
    const { GrantId } = JSON.parse(create.body);
    const { body } = await call(service, 'ListGrants', { KeyId, GrantId });
    expect(JSON.parse(body).Grants[0].Constraints).toEqual(JSON.parse(Constraints));
    expect(body).toContain('"__proto__":"p"');
  });

  test.each(['arn:aws:s3:::bucket', 'x'])('refuses the SourceArn %s', (SourceArn) =>
    validation(kms.createGrant(grant({ Constraints: { SourceArn } }))),
  );
});

describe('of the key states', () => {
  test('CreateGrant takes an enabled key only; what is granted is still listed, revoked and retired', async () => {
    const { KeyId: id, Arn: arn } = await service.newKey();
    const made = [await kms.createGrant(grant({ KeyId: id })), await kms.createGrant(grant({ KeyId: id }))];
    await kms.disableKey({ KeyId: id });
    expect(await refusal(kms.createGrant(grant({ KeyId: id })))).toEqual({
      name: 'DisabledException',
      message: `${arn} is disabled.`,
    });
    await kms.scheduleKeyDeletion({ KeyId: id });
    expect(await refusal(kms.createGrant(grant({ KeyId: id })))).toEqual({
      name: 'KMSInvalidStateException',
      message: `${arn} is pending deletion.`,
    });
    expect((await kms.listGrants({ KeyId: id })).Grants).toHaveLength(2);
    await kms.revokeGrant({ KeyId: id, GrantId: made[0]?.GrantId });
    await kms.retireGrant({ GrantToken: made[1]?.GrantToken });
    expect((await kms.listGrants({ KeyId: id })).Grants).toEqual([]);
  });

  test('aliases name no key here', async () => {
    await kms.createAlias({ AliasName: 'alias/grants', TargetKeyId: KeyId });
    const byAlias = { KeyId: 'alias/grants' };
    expect(await refusalName(kms.createGrant(grant(byAlias)))).toBe('NotFoundException');
    expect(await refusalName(kms.listGrants(byAlias))).toBe('NotFoundException');
    expect(await refusalName(kms.revokeGrant({ ...byAlias, GrantId: 'a' }))).toBe('NotFoundException');
  });
});
