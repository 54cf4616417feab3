import { beforeEach, describe, expect, test } from '@jest/globals';
import { parsePolicy } from '../../../src/authorization/policy/document.js';
import type { Role } from '../../../src/authorization/principal.js';
import type { Session } from '../../../src/authorization/sessions/session.js';
import { Sessions, type TemporaryCredentials } from '../../../src/authorization/sessions/sessions.js';
import { StoredPolicies } from '../../../src/authorization/stored-policies.js';
import { NodeSealer } from './node-sealer.js';

const roleArn = 'arn:aws:iam::111122223333:role/path/app';
const allow = (Action: string) =>
  parsePolicy(
    JSON.stringify({ Version: '2012-10-17', Statement: { Effect: 'Allow', Action, Resource: '*' } }),
    'identity',
  );
const trustPolicy = parsePolicy('{"Statement":{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}}', 'trust');
const managedArn = 'arn:aws:iam::111122223333:policy/managed';

const role: Role = {
  arn: roleArn,
  accountId: '111122223333',
  uniqueId: 'AROAAAAAAAAAAAAAAAAA',
  name: 'app',
  tags: new Map([
    ['Department', 'from the role'],
    ['only', 'the role has it'],
  ]),
  identityPolicies: [allow('kms:*')],
  policyNames: ['all'],
  permissionsBoundary: undefined,
  trustPolicy,
  trustedPrincipals: new Map(),
  maxSessionSeconds: 3_600,
};

const session: Session = {
  roleArn,
  roleId: role.uniqueId,
  sessionName: 'one',
  issuedAt: new Date('2026-01-02T03:04:05Z'),
  expiresAt: new Date('2026-01-02T04:04:05Z'),
  sourceIdentity: 'alice',
  tags: new Map([['department', 'from the session']]),
  transitiveTagKeys: ['department'],
  policy: undefined,
  policyArns: [],
};

let now: number;
let roles: Map<string, Role>;
let managed: ReturnType<typeof allow>;
let sealer: NodeSealer;
let sessions: Sessions;
let credentials: TemporaryCredentials;

beforeEach(async () => {
  now = session.issuedAt.getTime();
  roles = new Map([[roleArn, role]]);
  managed = allow('kms:Decrypt');
  sealer = new NodeSealer();
  const identities = { findRole: (arn: string) => roles.get(arn), managedPolicy: async () => managed };
  sessions = new Sessions(sealer, identities, new StoredPolicies(() => {}), () => now);
  credentials = await sessions.issue(session);
});

const find = (accessKeyId = credentials.accessKeyId, token = credentials.sessionToken) =>
  sessions.find(accessKeyId, token);

describe('the access key of a session', () => {
  test('is its role, with its name, tags and times', async () => {
    const accessKey = await find();
    expect(accessKey).toMatchObject({ accessKeyId: credentials.accessKeyId, temporary: true });
    expect(accessKey?.secretAccessKey.toString()).toBe(credentials.secretAccessKey);
    expect(accessKey?.principal).toEqual({
      arn: 'arn:aws:sts::111122223333:assumed-role/app/one',
      accountId: '111122223333',
      kind: 'role-session',
      uniqueId: 'AROAAAAAAAAAAAAAAAAA:one',
      name: 'app',
      tags: new Map([
        ['only', 'the role has it'],
        ['department', 'from the session'],
      ]),
      roleArn,
      sessionName: 'one',
      identityPolicies: role.identityPolicies,
      policyNames: ['all'],
      permissionsBoundary: undefined,
      sessionPolicies: undefined,
      tokenIssuedAt: session.issuedAt,
      sourceIdentity: 'alice',
      transitiveTagKeys: ['department'],
    });
  });

  test('looks as those of AWS, and differs each time', async () => {
    expect(credentials.accessKeyId).toMatch(/^ASIA[A-Z2-7]{16}$/);
    expect(credentials.secretAccessKey).toMatch(/^[A-Za-z0-9+/]{40}$/);
    expect(credentials.sessionToken).toMatch(/^[\w-]{100,1000}$/);
    expect(credentials.expiration).toEqual(session.expiresAt);
    const other = await sessions.issue(session);
    for (const name of ['accessKeyId', 'secretAccessKey', 'sessionToken'] as const) {
      expect(other[name]).not.toBe(credentials[name]);
    }
  });

  test('is there at once after its first use, with the same secret', async () => {
    const first = await find();
    expect(find()).toBe(first);
    expect(sealer.opened).toBe(1);
  });

  test('has what its role has at the moment, without opening the token again', async () => {
    const first = await find();
    roles.set(roleArn, { ...role, identityPolicies: [], tags: new Map() });
    const second = await find();
    expect(second?.principal.identityPolicies).toEqual([]);
    expect(second?.principal.tags).toEqual(session.tags);
    expect(second?.secretAccessKey).toBe(first?.secretAccessKey);
    expect(sealer.opened).toBe(1);
  });

  test('is limited by its session policies, by managed ones as they are', async () => {
    const policy = '{"Statement":{"Effect":"Allow","Action":"kms:Sign","Resource":"*"}}';
    const limited = await sessions.issue({ ...session, policy, policyArns: [managedArn] });
    const allowed = async () => {
      const accessKey = await find(limited.accessKeyId, limited.sessionToken);
      return ['kms:Sign', 'kms:Decrypt', 'kms:Encrypt'].filter((action) =>
        accessKey?.principal.sessionPolicies?.some((each) => each.concerning(action).length > 0),
      );
    };
    expect(await allowed()).toEqual(['kms:Sign', 'kms:Decrypt']);
    managed = allow('kms:Encrypt');
    roles.set(roleArn, { ...role });
    expect(await allowed()).toEqual(['kms:Sign', 'kms:Encrypt']);
  });
});

describe('there is no access key', () => {
  test('with another access key id, before and after the first use', async () => {
    const other = await sessions.issue(session);
    expect(await find(other.accessKeyId)).toBeUndefined();
    await find();
    await find(other.accessKeyId, other.sessionToken);
    expect(await find(other.accessKeyId)).toBeUndefined();
    expect(await find('AKIAAAAAAAAAAAAAAAAA')).toBeUndefined();
  });

  test.each([
    ['a changed character', (token: string) => (token.startsWith('B') ? 'C' : 'B') + token.slice(1)],
    ['a changed end', (token: string) => token.slice(0, -1) + (token.endsWith('A') ? 'Q' : 'A')],
    ['a cut', (token: string) => token.slice(0, -4)],
    ['more behind it', (token: string) => `${token}AAAA`],
    ['another spelling', (token: string) => `${token}=`],
    ['nothing', () => ''],
    ['something else', () => 'FwoGZXIvYXdzEAEaD'],
    ['something endless', () => 'A'.repeat(1_000_000)],
  ])('for a token with %s', async (_what, tamper) => {
    expect(await find(credentials.accessKeyId, tamper(credentials.sessionToken))).toBeUndefined();
  });

  test('for a token with any bit changed', async () => {
    const sealed = Buffer.from(credentials.sessionToken, 'base64url');
    for (let bit = 0; bit < sealed.length * 8; bit++) {
      const changed = Buffer.from(sealed);
      changed[bit >> 3]! ^= 1 << (bit & 7);
      expect(await find(credentials.accessKeyId, changed.toString('base64url'))).toBeUndefined();
    }
  });

  test('for a token of another sealing key', async () => {
    const elsewhere = new Sessions(
      new NodeSealer(),
      { findRole: () => role, managedPolicy: async () => managed },
      new StoredPolicies(() => {}),
    );
    const { accessKeyId, sessionToken } = await elsewhere.issue(session);
    expect(await find(accessKeyId, sessionToken)).toBeUndefined();
  });

  test('once the role is deleted, also when another gets its name', async () => {
    await find();
    roles.delete(roleArn);
    expect(await find()).toBeUndefined();
    roles.set(roleArn, { ...role, uniqueId: 'AROABBBBBBBBBBBBBBBB' });
    expect(await find()).toBeUndefined();
    roles.set(roleArn, role);
    expect(await find()).toBeDefined();
  });
});

describe('the end of a session', () => {
  const expired = { name: 'ExpiredTokenException', message: 'The security token included in the request is expired' };

  test('is the second that was said, also for one in use', async () => {
    await find();
    now = session.expiresAt.getTime() - 1;
    expect(await find()).toBeDefined();
    now += 1;
    expect(() => find()).toThrow(expect.objectContaining(expired));
  });

  test('is told of a session that was never used here', async () => {
    now = session.expiresAt.getTime() + 1_000;
    await expect(find()).rejects.toMatchObject(expired);
  });
});

test('keeps a bounded number of sessions', async () => {
  const { length } = credentials.sessionToken;
  const identities = { findRole: () => role, managedPolicy: async () => managed };
  const few = new Sessions(sealer, identities, new StoredPolicies(() => {}), () => now, 3 * length);
  await few.find(credentials.accessKeyId, credentials.sessionToken);
  const others = await Promise.all([1, 2, 3].map(() => few.issue(session)));
  const openedBy = async (each: TemporaryCredentials) => {
    const before = sealer.opened;
    await few.find(each.accessKeyId, each.sessionToken);
    return sealer.opened - before;
  };
  for (const each of others) expect(await openedBy(each)).toBe(1);
  // with the fourth, the others went
  expect(await openedBy(others[2]!)).toBe(0);
  expect(await openedBy(credentials)).toBe(1);
});
