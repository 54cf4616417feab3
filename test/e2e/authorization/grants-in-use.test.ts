import type { CreateGrantRequest, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { newUser } from '../../service/identities.js';
import { refusal, refusalName } from '../../service/refusal.js';
import { Service, userArn } from '../../service/service.js';

let service: Service;
let clients: Record<'alice' | 'bob' | 'carol', KMS>;
let KeyId: string;
const Plaintext = Buffer.from('secret');

beforeAll(async () => {
  service = await Service.start();
  const client = async (name: string) => service.newClient(await newUser(service, name));
  clients = { alice: await client('alice'), bob: await client('bob'), carol: await client('carol') };
});
afterAll(() => service?.end());

/** A grant on a new key, to alice unless told. */
async function granted(grant: Partial<CreateGrantRequest>): Promise<{ GrantId: string; GrantToken: string }> {
  ({ KeyId } = await service.newKey());
  const request = { KeyId, GranteePrincipal: userArn('alice'), Operations: ['Encrypt', 'Decrypt'], ...grant };
  const { GrantId, GrantToken } = await service.kms.createGrant(request as CreateGrantRequest);
  return { GrantId: GrantId as string, GrantToken: GrantToken as string };
}

const denied = (call: Promise<unknown>) => expect(refusalName(call)).resolves.toBe('AccessDeniedException');
const encryptAs = (name: keyof typeof clients, EncryptionContext?: Record<string, string>) =>
  clients[name].encrypt({ KeyId, Plaintext, EncryptionContext });

test('a grant allows its operations to its grantee, at once, until it is revoked', async () => {
  const { GrantId } = await granted({});
  const { CiphertextBlob } = await encryptAs('alice');
  expect(Buffer.from((await clients.alice.decrypt({ CiphertextBlob })).Plaintext ?? [])).toEqual(Plaintext);
  await denied(clients.alice.generateDataKey({ KeyId, KeySpec: 'AES_256' }));
  await denied(encryptAs('bob'));
  await service.kms.revokeGrant({ KeyId, GrantId });
  await denied(encryptAs('alice'));
  await denied(clients.alice.decrypt({ CiphertextBlob }));
});

test('a grant is for its key only, and a grant token makes nobody its grantee', async () => {
  const { GrantToken } = await granted({});
  const other = await service.newKey();
  await clients.alice.encrypt({ KeyId, Plaintext, GrantTokens: [GrantToken] });
  await denied(clients.alice.encrypt({ KeyId: other.KeyId, Plaintext, GrantTokens: [GrantToken] }));
  await denied(clients.bob.encrypt({ KeyId, Plaintext, GrantTokens: [GrantToken] }));
});

describe('EncryptionContextEquals', () => {
  const pairs = { tenant: 'acme', purpose: 'backup' };
  beforeAll(() => granted({ Constraints: { EncryptionContextEquals: pairs } }));

  test('allows exactly its pairs, in any order', async () => {
    const { CiphertextBlob } = await encryptAs('alice', { purpose: 'backup', tenant: 'acme' });
    await clients.alice.decrypt({ CiphertextBlob, EncryptionContext: pairs });
  });
  test.each([
    ['none', undefined],
    ['too few', { tenant: 'acme' }],
    ['too many', { ...pairs, more: '' }],
    ['another value', { ...pairs, tenant: 'Acme' }],
    ['a name in another case', { Tenant: 'acme', purpose: 'backup' }],
  ])('denies %s', (_, context) => denied(encryptAs('alice', context)));
});

describe('EncryptionContextSubset', () => {
  beforeAll(() => granted({ Constraints: { EncryptionContextSubset: { tenant: 'acme' } } }));

  test.each([
    ['its pairs', { tenant: 'acme' }],
    ['and more', { tenant: 'acme', purpose: 'backup' }],
  ])('allows %s', async (_, EncryptionContext) => {
    const { CiphertextBlob } = await encryptAs('alice', EncryptionContext);
    await clients.alice.decrypt({ CiphertextBlob, EncryptionContext });
  });
  test.each([
    ['none', undefined],
    ['another value', { tenant: 'other' }],
    ['others only', { purpose: 'backup' }],
  ])('denies %s', (_, context) => denied(encryptAs('alice', context)));
});

test('ReEncrypt needs both halves', async () => {
  await granted({ Operations: ['Encrypt', 'ReEncryptFrom'] });
  const { CiphertextBlob } = await encryptAs('alice');
  const { KeyId: DestinationKeyId } = await service.newKey();
  await denied(clients.alice.reEncrypt({ CiphertextBlob, DestinationKeyId }));
  await service.kms.createGrant({
    KeyId: DestinationKeyId,
    GranteePrincipal: userArn('alice'),
    Operations: ['ReEncryptTo'],
  });
  await clients.alice.reEncrypt({ CiphertextBlob, DestinationKeyId });
  await denied(clients.alice.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId }));
});

describe('who may make grants by a grant', () => {
  const Constraints = { EncryptionContextSubset: { tenant: 'acme' } };
  const child = (grant: Partial<CreateGrantRequest>) =>
    clients.alice.createGrant({
      KeyId,
      GranteePrincipal: userArn('bob'),
      Operations: ['Encrypt'],
      Constraints,
      ...grant,
    });
  beforeAll(() => granted({ Operations: ['Encrypt', 'Decrypt', 'CreateGrant'], Constraints }));

  test('hands on what it has', async () => {
    await child({});
    await encryptAs('bob', { tenant: 'acme', other: 'x' });
    await denied(encryptAs('bob', { other: 'x' }));
  });
  test('or less', () => child({ Constraints: { EncryptionContextEquals: { tenant: 'acme', only: 'this' } } }));
  test('and no further operation', () => denied(child({ Operations: ['GenerateDataKey'] })));
  test('nor a weaker constraint', async () => {
    await denied(child({ Constraints: undefined }));
    await denied(child({ Constraints: { EncryptionContextSubset: { other: 'x' } } }));
  });
});

describe('RetireGrant', () => {
  test('by the retiring principal', async () => {
    const { GrantId } = await granted({ RetiringPrincipal: userArn('carol') });
    await denied(clients.alice.retireGrant({ KeyId, GrantId }));
    await denied(clients.bob.retireGrant({ KeyId, GrantId }));
    await clients.carol.retireGrant({ KeyId, GrantId });
    await denied(encryptAs('alice'));
  });
  test('by the grantee when the grant lists it, by its token', async () => {
    const { GrantToken } = await granted({ Operations: ['Encrypt', 'RetireGrant'] });
    await denied(clients.bob.retireGrant({ GrantToken }));
    await clients.alice.retireGrant({ GrantToken });
  });
  test('by an administrator of the account', async () => {
    const { GrantId } = await granted({ RetiringPrincipal: userArn('carol') });
    await service.kms.retireGrant({ KeyId, GrantId });
  });
  test('not by kms:RetireGrant in the key policy; but a Deny there counts', async () => {
    const { GrantId } = await granted({ RetiringPrincipal: userArn('carol') });
    const policy = (...statements: object[]) =>
      JSON.stringify({
        Version: '2012-10-17',
        Statement: [
          { Effect: 'Allow', Principal: { AWS: '000000000000' }, Action: 'kms:*', Resource: '*' },
          ...statements,
        ],
      });
    const retire = (Effect: string, AWS: string) => ({
      Effect,
      Principal: { AWS },
      Action: 'kms:RetireGrant',
      Resource: '*',
    });
    await service.kms.putKeyPolicy({ KeyId, Policy: policy(retire('Allow', userArn('bob'))) });
    await denied(clients.bob.retireGrant({ KeyId, GrantId }));
    await service.kms.putKeyPolicy({ KeyId, Policy: policy(retire('Deny', userArn('carol'))) });
    await denied(clients.carol.retireGrant({ KeyId, GrantId }));
    await service.kms.putKeyPolicy({ KeyId, Policy: policy() });
    await clients.carol.retireGrant({ KeyId, GrantId });
  });
  test('a grant that does not exist is told to who may retire all, and to nobody else', async () => {
    await granted({});
    const GrantId = 'a'.repeat(64);
    await denied(clients.alice.retireGrant({ KeyId, GrantId }));
    const told = await refusal(service.kms.retireGrant({ KeyId, GrantId }));
    expect(told.name).toBe('NotFoundException');
  });
});

test('a grant to the account is for those whom its identity policies allow', async () => {
  const dave = await newUser(service, 'dave', { Effect: 'Allow', Action: 'kms:Encrypt', Resource: '*' });
  ({ KeyId } = await service.newKey());
  const only = { Effect: 'Allow', Principal: { AWS: userArn('administrator') }, Action: 'kms:*', Resource: '*' };
  await service.kms.putKeyPolicy({ KeyId, Policy: JSON.stringify({ Version: '2012-10-17', Statement: only }) });
  const client = service.newClient(dave);
  await denied(client.encrypt({ KeyId, Plaintext }));
  await service.kms.createGrant({ KeyId, GranteePrincipal: 'arn:aws:iam::000000000000:root', Operations: ['Encrypt'] });
  await client.encrypt({ KeyId, Plaintext });
  await denied(encryptAs('alice'));
});
