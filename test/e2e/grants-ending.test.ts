import {
  type CreateGrantRequest,
  type KMS,
  paginateListGrants,
  paginateListRetirableGrants,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { makePrincipals } from '../service/identities.js';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, Service, userArn } from '../service/service.js';

let service: Service;
let kms: KMS;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  service = await Service.start({ flags: ['--grants-per-key', '120'] });
  kms = service.kms;
  await makePrincipals(service, user, bob, retirer);
});
afterAll(() => service.end());
beforeEach(async () => {
  ({ KeyId, Arn } = await service.newKey());
});

const user = userArn('alice');
const bob = userArn('bob');
const retirer = `arn:aws:iam::${accountId}:role/path/retirer`;
const grant = (changes: Partial<CreateGrantRequest> = {}): CreateGrantRequest => ({
  KeyId,
  GranteePrincipal: user,
  Operations: ['Encrypt'],
  ...changes,
});
const grantIds = async () => (await kms.listGrants({ KeyId })).Grants?.map(({ GrantId }) => GrantId);
const absent = 'a'.repeat(64);
const dryRun = {
  name: 'DryRunOperationException',
  message: 'The request would have succeeded, but the DryRun option is set.',
};

describe('RevokeGrant', () => {
  test('ends a grant, once', async () => {
    const { GrantId } = await kms.createGrant(grant());
    const { GrantId: other } = await kms.createGrant(grant());
    expect(await refusal(kms.revokeGrant({ KeyId, GrantId, DryRun: true }))).toEqual(dryRun);
    await kms.revokeGrant({ KeyId: Arn, GrantId });
    expect(await grantIds()).toEqual([other]);
    expect(await refusalName(kms.revokeGrant({ KeyId, GrantId }))).toBe('NotFoundException');
    expect(await refusalName(kms.revokeGrant({ KeyId, GrantId, DryRun: true }))).toBe('NotFoundException');
  });

  test("does not end another key's grant, nor what has no id of a grant", async () => {
    const { GrantId } = await kms.createGrant(grant());
    const { KeyId: other } = await service.newKey();
    expect(await refusalName(kms.revokeGrant({ KeyId: other, GrantId }))).toBe('NotFoundException');
    for (const wrong of ['a', absent.toUpperCase(), `${absent}a`]) {
      expect(await refusalName(kms.revokeGrant({ KeyId, GrantId: wrong }))).toBe('InvalidGrantIdException');
      expect(await refusalName(kms.listGrants({ KeyId, GrantId: wrong }))).toBe('InvalidGrantIdException');
    }
    expect(await grantIds()).toEqual([GrantId]);
  });
});

describe('RetireGrant', () => {
  test.each([
    ['its token', ({ GrantToken }: { GrantToken?: string }) => ({ GrantToken })],
    ['key ARN and grant id', ({ GrantId }: { GrantId?: string }) => ({ KeyId: Arn, GrantId })],
    ['key id and grant id', ({ GrantId }: { GrantId?: string }) => ({ KeyId, GrantId })],
  ])('ends a grant by %s, once', async (_what, by) => {
    const made = (await kms.createGrant(grant())) as { GrantToken: string; GrantId: string };
    expect(await refusal(kms.retireGrant({ ...by(made), DryRun: true }))).toEqual(dryRun);
    expect(await grantIds()).toEqual([made.GrantId]);
    await kms.retireGrant(by(made));
    expect(await grantIds()).toEqual([]);
    expect(await refusalName(kms.retireGrant(by(made)))).toBe('NotFoundException');
    expect(await refusalName(kms.retireGrant({ ...by(made), DryRun: true }))).toBe('NotFoundException');
  });

  test('by any token of the grant', async () => {
    const named = grant({ Name: 'twice' });
    const { GrantToken } = await kms.createGrant(named);
    await kms.createGrant(named);
    await kms.retireGrant({ GrantToken });
    expect(await grantIds()).toEqual([]);
  });

  test('takes either a token, or both ids', async () => {
    const { GrantId, GrantToken } = await kms.createGrant(grant());
    const wrong = [
      {},
      { KeyId },
      { GrantId },
      { KeyId, GrantToken },
      { GrantId, GrantToken },
      { KeyId, GrantId, GrantToken },
    ];
    for (const input of wrong) {
      expect([input, await refusalName(kms.retireGrant(input))]).toEqual([input, 'ValidationException']);
    }
    expect(await refusalName(kms.retireGrant({ KeyId, GrantId: 'x' }))).toBe('InvalidGrantIdException');
    expect(await refusalName(kms.retireGrant({ KeyId, GrantId: absent }))).toBe('NotFoundException');
    expect(await grantIds()).toEqual([GrantId]);
  });
});

describe('grant tokens', () => {
  const Plaintext = Buffer.from('hello');
  const encrypt = (...GrantTokens: string[]) => kms.encrypt({ KeyId, Plaintext, GrantTokens });
  const changedAt = (token: string, index: number) =>
    token.slice(0, index) + (token[index] === 'A' ? 'B' : 'A') + token.slice(index + 1);

  test('are taken with any operation, before and after a restart, also when their grant has ended', async () => {
    const { GrantId, GrantToken = '' } = await kms.createGrant(grant());
    await encrypt(GrantToken);
    await encrypt(...Array(10).fill(GrantToken));
    await kms.describeKey({ KeyId, GrantTokens: [GrantToken] });
    await kms.createGrant(grant({ GrantTokens: [GrantToken] }));
    await service.restart();
    kms = service.kms;
    await encrypt(GrantToken);
    await kms.revokeGrant({ KeyId, GrantId });
    await encrypt(GrantToken);
  });

  test('must be tokens of this service', async () => {
    const { GrantToken = '' } = await kms.createGrant(grant());
    const stranger = await Service.start({ unlikeOthers: true });
    const { KeyId: theirs } = await stranger.newKey();
    const { GrantToken: foreign = '' } = await stranger.kms.createGrant(
      grant({ KeyId: theirs, GranteePrincipal: userArn('administrator') }),
    );
    await stranger.end();
    const forged = [
      ...['x', 'AAAA', 'not base64!', absent, foreign, 'A'.repeat(8192)],
      ...[`${GrantToken}AAAA`, `${GrantToken}=`, ` ${GrantToken}`, GrantToken.slice(0, -4)],
      ...[0, 2, 20, 60, GrantToken.length - 3].map((index) => changedAt(GrantToken, index)),
    ];
    for (const token of forged) {
      expect([token, await refusalName(encrypt(token))]).toEqual([token, 'InvalidGrantTokenException']);
      expect(await refusalName(kms.retireGrant({ GrantToken: token }))).toBe('InvalidGrantTokenException');
    }
    expect(await refusalName(encrypt(GrantToken, 'x'))).toBe('InvalidGrantTokenException');
    expect(await refusalName(encrypt(...Array(11).fill(GrantToken)))).toBe('ValidationException');
    expect(await refusalName(encrypt(''))).toBe('ValidationException');
  });
});

describe('lists and limits', () => {
  const create = (count: number) => Promise.all(Array.from({ length: count }, () => kms.createGrant(grant())));

  test('a key has as many grants as the setting grantsPerKey says', async () => {
    await kms.createGrant(grant({ Name: 'first' }));
    expect(await refusal(kms.createGrant(grant({ DryRun: true })))).toEqual(dryRun);
    const outcomes = await Promise.allSettled(Array.from({ length: 125 }, () => kms.createGrant(grant())));
    expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(119);
    expect(await refusalName(kms.createGrant(grant()))).toBe('LimitExceededException');
    expect(await refusalName(kms.createGrant(grant({ DryRun: true })))).toBe('LimitExceededException');
    await kms.createGrant(grant({ Name: 'first' }));
    const { KeyId: other } = await service.newKey();
    await kms.createGrant(grant({ KeyId: other }));
    await kms.revokeGrant({ KeyId, GrantId: (await grantIds())?.[0] });
    await kms.createGrant(grant());
  });

  test('a dry run creates nothing, and meets the refusals of a real one', async () => {
    expect(await refusal(kms.createGrant(grant({ DryRun: true })))).toEqual(dryRun);
    expect(await grantIds()).toEqual([]);
    expect(await refusalName(kms.createGrant(grant({ DryRun: true, Operations: ['Sign'] })))).toBe(
      'ValidationException',
    );
  });

  test('ListGrants gives 50 at a time unless told, 100 at the most, and all in the end while grants go', async () => {
    const made = (await create(110)).map(({ GrantId }) => GrantId as string);
    expect(await grantIds()).toHaveLength(50);
    expect((await kms.listGrants({ KeyId, Limit: 100 })).Truncated).toBe(true);
    expect(await refusalName(kms.listGrants({ KeyId, Limit: 101 }))).toBe('ValidationException');
    const seen: string[] = [];
    for await (const { Grants = [] } of paginateListGrants({ client: kms, pageSize: 30 }, { KeyId })) {
      const last = Grants.at(-1)?.GrantId as string;
      if (seen.length === 0) await kms.revokeGrant({ KeyId, GrantId: last });
      seen.push(...Grants.map(({ GrantId }) => GrantId as string));
    }
    expect(seen).toEqual([...made].sort());
    expect(await refusalName(kms.listGrants({ KeyId, Marker: 'x' }))).toBe('InvalidMarkerException');
  });

  test('ListGrants finds by id and by grantee', async () => {
    const [one] = await create(3);
    const { GrantId: his } = await kms.createGrant(grant({ GranteePrincipal: bob }));
    const idsOf = async (filter: object) =>
      (await kms.listGrants({ KeyId, ...filter })).Grants?.map(({ GrantId }) => GrantId);
    expect(await idsOf({ GrantId: one?.GrantId })).toEqual([one?.GrantId]);
    expect(await idsOf({ GrantId: absent })).toEqual([]);
    expect(await idsOf({ GranteePrincipal: bob })).toEqual([his]);
    expect(await idsOf({ GranteePrincipal: bob, GrantId: one?.GrantId })).toEqual([]);
    expect(await idsOf({ GranteePrincipal: user })).toHaveLength(3);
    expect(await idsOf({ GranteePrincipal: `${bob}by` })).toEqual([]);
  });

  test('ListRetirableGrants finds the grants of all keys by their retiring principal', async () => {
    const RetiringPrincipal = retirer;
    const { KeyId: other, Arn: otherArn } = await service.newKey();
    await create(2);
    const retirable = [
      ...[0, 1, 2].map(() => kms.createGrant(grant({ RetiringPrincipal }))),
      kms.createGrant(grant({ RetiringPrincipal, KeyId: other })),
    ];
    const ids = (await Promise.all(retirable)).map(({ GrantId }) => GrantId as string).sort();
    const { Grants, Truncated } = await kms.listRetirableGrants({ RetiringPrincipal });
    expect(Grants?.map(({ GrantId }) => GrantId)).toEqual(ids);
    expect(Grants?.filter((each) => each.KeyId === otherArn)).toHaveLength(1);
    expect(Truncated).toBe(false);
    const seen: unknown[] = [];
    const pages = paginateListRetirableGrants({ client: kms, pageSize: 3 }, { RetiringPrincipal });
    for await (const page of pages) seen.push(...(page.Grants ?? []).map(({ GrantId }) => GrantId));
    expect(seen).toEqual(ids);
    expect(await refusalName(kms.listRetirableGrants({ RetiringPrincipal, Limit: 101 }))).toBe('ValidationException');
    expect(await refusalName(kms.listRetirableGrants({}))).toBe('ValidationException');
    const both = { RetiringPrincipal, RetiringServicePrincipal: 'ec2.amazonaws.com' };
    expect(await refusalName(kms.listRetirableGrants(both))).toBe('ValidationException');
    const foreign = { RetiringPrincipal: 'arn:aws:iam::111122223333:role/r' };
    expect(await refusalName(kms.listRetirableGrants(foreign))).toBe('AccessDeniedException');
  });
});
