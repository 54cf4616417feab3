import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { sql } from '../service/database.js';
import { call } from '../service/http.js';
import {
  databaseBytes,
  identity,
  identityJson,
  identityRefusal,
  newAccessKey,
  newUser,
  policyText,
  putPolicy,
} from '../service/identities.js';
import { refusal, refusalName } from '../service/refusal.js';
import { accountId, type Credentials, hsmKms, Service, userArn } from '../service/service.js';
import { patience } from '../service/within.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--uses-milliseconds', '100'] });
});
afterAll(() => service?.end());

const listKeys = (credentials: Credentials) => service.newClient(credentials).listKeys({});
/** Clients on connections of their own, which the supervisor hands to its workers in turn. */
const ofEachWorker = async <T>(call: () => Promise<T>): Promise<T[]> => [await call(), await call()];

describe('a user', () => {
  let credentials: Credentials;
  const refusedEverywhere = async () => ofEachWorker(() => refusal(listKeys(credentials)));

  test('is known with its first access key, and may do nothing', async () => {
    credentials = await newUser(service, 'alice');
    for (const { name, message } of await refusedEverywhere()) {
      expect(name).toBe('AccessDeniedException');
      expect(message).toBe(
        `User: ${userArn('alice')} is not authorized to perform: kms:ListKeys on resource: * because no identity-based policy allows the kms:ListKeys action`,
      );
    }
  });

  test('may do what its policy allows as soon as it has it, and no longer than that', async () => {
    await putPolicy(service, 'user', 'alice', 'list', { Action: 'kms:ListKeys' });
    await ofEachWorker(() => listKeys(credentials));
    expect(await refusalName(service.newClient(credentials).listAliases({}))).toBe('AccessDeniedException');
    await identity(service, 'delete-user-policy', '--user-name', 'alice', '--policy-name', 'list');
    for (const { name } of await refusedEverywhere()) expect(name).toBe('AccessDeniedException');
  });

  test('may do what a managed policy allows, in the version of the moment', async () => {
    const { Policy } = await identityJson(
      ...([service, 'create-policy', '--policy-name', 'listing'] as const),
      ...['--policy-document', policyText({ Action: 'kms:ListKeys' })],
    );
    const attach = ['attach-user-policy', '--user-name', 'alice', '--policy-arn', Policy.Arn];
    await identity(service, ...attach);
    await ofEachWorker(() => listKeys(credentials));
    await identity(
      ...([service, 'create-policy-version', '--policy-arn', Policy.Arn, '--set-as-default'] as const),
      ...['--policy-document', policyText({ Action: 'kms:ListAliases' })],
    );
    for (const { name } of await refusedEverywhere()) expect(name).toBe('AccessDeniedException');
    await service.newClient(credentials).listAliases({});
    await identity(service, 'detach-user-policy', '--user-name', 'alice', '--policy-arn', Policy.Arn);
  });

  test('is an administrator with AdministratorAccess, within its permissions boundary', async () => {
    const administrator = ['--user-name', 'alice', '--policy-arn', 'arn:aws:iam::aws:policy/AdministratorAccess'];
    await identity(service, 'attach-user-policy', ...administrator);
    const { KeyMetadata } = await service.newClient(credentials).createKey({});
    const powerUser = 'arn:aws:iam::aws:policy/AWSKeyManagementServicePowerUser';
    const boundary = ['--user-name', 'alice', '--permissions-boundary', powerUser];
    await identity(service, 'put-user-permissions-boundary', ...boundary);
    await ofEachWorker(() => listKeys(credentials));
    const KeyId = KeyMetadata?.KeyId as string;
    const { message } = await refusal(service.newClient(credentials).disableKey({ KeyId }));
    expect(message).toMatch(/because no permissions boundary allows the kms:DisableKey action$/);
    await identity(service, 'delete-user-permissions-boundary', '--user-name', 'alice');
    await service.newClient(credentials).disableKey({ KeyId });
    await identity(service, 'detach-user-policy', ...administrator);
    for (const { name } of await refusedEverywhere()) expect(name).toBe('AccessDeniedException');
  });

  test('is judged by its tags of the moment', async () => {
    const Condition = { StringEquals: { 'aws:PrincipalTag/team': 'red' } };
    await putPolicy(service, 'user', 'alice', 'red', { Action: 'kms:ListKeys', Condition });
    for (const { name } of await refusedEverywhere()) expect(name).toBe('AccessDeniedException');
    await identity(service, 'tag-user', '--user-name', 'alice', '--tags', 'Key=team,Value=red', 'Key=a,Value=b=c:d');
    await ofEachWorker(() => listKeys(credentials));
    expect((await identityJson(service, 'list-user-tags', '--user-name', 'alice')).Tags).toEqual([
      { Key: 'a', Value: 'b=c:d' },
      { Key: 'team', Value: 'red' },
    ]);
    await identity(service, 'untag-user', '--user-name', 'alice', '--tag-keys', 'team', 'a');
    for (const { name } of await refusedEverywhere()) expect(name).toBe('AccessDeniedException');
  });

  test('that a hand edit broke the policy of may do nothing, and the log says why', async () => {
    await putPolicy(service, 'user', 'alice', 'all', { Action: 'kms:*' });
    await ofEachWorker(() => listKeys(credentials));
    sql(service, "update inline_policies set document = replace(document, 'Allow', 'Permit') where name = 'all'");
    for (const { message } of await refusedEverywhere()) {
      expect(message).toMatch(/ with an explicit deny in an identity-based policy$/);
    }
    const [line = '{}'] = await service.logged(/is not understood/);
    expect(JSON.parse(line)).toMatchObject({ level: 50, owner: `all of ${userArn('alice')}`, kind: 'identity' });
  });
});

describe('an access key', () => {
  let first: Credentials;
  beforeAll(async () => {
    first = await newUser(service, 'bob', { Action: 'kms:ListKeys' });
  });
  const setStatus = (status: string) =>
    identity(service, 'update-access-key', '--access-key-id', first.accessKeyId, '--status', status);

  test('that is inactive is as unknown as one that never was; active again, it is good again', async () => {
    await ofEachWorker(() => listKeys(first));
    await setStatus('Inactive');
    for (const error of await ofEachWorker(() => refusal(listKeys(first)))) {
      expect(error).toEqual({
        name: 'UnrecognizedClientException',
        message: 'The security token included in the request is invalid.',
      });
    }
    await setStatus('Active');
    await ofEachWorker(() => listKeys(first));
  });

  test('has one beside it at the most; both are good, and deleting one leaves the other', async () => {
    const second = await newAccessKey(service, 'bob');
    await ofEachWorker(() => listKeys(second));
    await ofEachWorker(() => listKeys(first));
    expect(await identityRefusal(service, 'create-access-key', '--user-name', 'bob')).toBe(
      'An error occurred (LimitExceeded) when calling the CreateAccessKey operation: Cannot exceed quota for AccessKeysPerUser: 2',
    );
    await identity(service, 'delete-access-key', '--user-name', 'bob', '--access-key-id', second.accessKeyId);
    for (const name of await ofEachWorker(() => refusalName(listKeys(second)))) {
      expect(name).toBe('UnrecognizedClientException');
    }
    await ofEachWorker(() => listKeys(first));
  });

  test('shows when it was last used, and for what; a request with a wrong signature is no use of it', async () => {
    const unused = await newUser(service, 'carol');
    expect(await refusalName(listKeys({ ...unused, secretAccessKey: 'wrong' }))).toBe('InvalidSignatureException');
    const before = Date.now() - 1_000;
    await listKeys(first);
    const lastUsed = async ({ accessKeyId }: Credentials) =>
      (await identityJson(service, 'get-access-key-last-used', '--access-key-id', accessKeyId)).AccessKeyLastUsed;
    let used = await lastUsed(first);
    for (const until = Date.now() + patience; Date.now() < until && !(Date.parse(used.LastUsedDate) > before); ) {
      used = await lastUsed(first);
    }
    expect(Date.parse(used.LastUsedDate)).toBeGreaterThan(before);
    expect(used).toEqual({ LastUsedDate: expect.any(String), ServiceName: 'kms', Region: 'us-east-1' });
    expect(await lastUsed(unused)).toEqual({ ServiceName: 'N/A', Region: 'N/A' });
    const { AccessKeyMetadata } = await identityJson(service, 'list-access-keys', '--user-name', 'bob');
    expect(AccessKeyMetadata).toEqual([
      {
        ...{ UserName: 'bob', AccessKeyId: first.accessKeyId, Status: 'Active', CreateDate: expect.any(String) },
        AccessKeyLastUsed: used,
      },
    ]);
  });

  test('is printed once, as a section that clients read, and its secret is nowhere else', async () => {
    const text = await identity(service, 'create-access-key', '--user-name', 'carol', '--profile', 'for carol');
    expect(text).toMatch(
      /^\[for carol\]\naws_access_key_id = AKIA[A-Z2-7]{16}\naws_secret_access_key = [\w+/]{40}\nregion = us-east-1\n$/,
    );
    const { accessKeyId = '', secretAccessKey = '' } =
      /key_id = (?<accessKeyId>.+)\n.+ = (?<secretAccessKey>.+)/.exec(text)?.groups ?? {};
    await refusal(listKeys({ accessKeyId, secretAccessKey }));
    await call(service, 'ListKeys', { Marker: secretAccessKey });
    const written = databaseBytes(service).toString('latin1') + service.stdout + service.stderr;
    expect(written).toContain(accessKeyId);
    for (const secret of [secretAccessKey, service.credentials.secretAccessKey]) {
      expect(written).not.toContain(secret);
      expect(written).not.toContain(Buffer.from(secret).toString('base64').replace(/=+$/, ''));
      expect(written).not.toContain(Buffer.from(secret).toString('hex'));
    }
    expect(await identity(service, 'list-access-keys')).not.toContain(secretAccessKey);
  });

  test('of a user that is deleted goes first, and who is named so again is somebody else', async () => {
    const credentials = await newUser(service, 'dave', { Action: 'kms:ListKeys' });
    const { User: before } = await identityJson(service, 'get-user', '--user-name', 'dave');
    expect(await identityRefusal(service, 'delete-user', '--user-name', 'dave')).toMatch(
      /DeleteConflict.+access keys first\.$/,
    );
    await identity(service, 'delete-access-key', '--access-key-id', credentials.accessKeyId);
    await identity(service, 'delete-user-policy', '--user-name', 'dave', '--policy-name', 'inline');
    await identity(service, 'delete-user', '--user-name', 'dave');
    expect(await refusalName(listKeys(credentials))).toBe('UnrecognizedClientException');
    const { User: after } = await identityJson(service, 'create-user', '--user-name', 'dave');
    expect(after.Arn).toBe(before.Arn);
    expect(after.UserId).not.toBe(before.UserId);
  });
});

test('deleting somebody whom key policies and grants name says so', async () => {
  await identity(service, 'create-user', '--user-name', 'erin');
  const { KeyId } = await service.newKey({
    Policy: policyText(
      { Principal: { AWS: `arn:aws:iam::${accountId}:root` }, Action: 'kms:*' },
      { Principal: { AWS: userArn('erin') }, Action: 'kms:Decrypt' },
    ),
  });
  await service.kms.createGrant({ KeyId, GranteePrincipal: userArn('erin'), Operations: ['Encrypt'] });
  const trust = policyText({ Principal: { AWS: userArn('erin') }, Action: 'sts:AssumeRole', Resource: undefined });
  await identity(service, 'create-role', '--role-name', 'of-erin', '--assume-role-policy-document', trust);
  const warning = await identity(service, 'delete-user', '--user-name', 'erin');
  expect(warning).toBe(
    `hsm-kms: ${userArn('erin')} is still named by key policies (1), trust policies (1) and grants (1): they mean nobody from now on, also when somebody gets this name again.\n`,
  );
});

test('taking the last administrator is told, wherever it is done; init makes no other', async () => {
  const { accessKeyId } = service.credentials;
  const warning = /^hsm-kms: No user with the policy AdministratorAccess has an active access key any more/;
  const inactive = ['update-access-key', '--access-key-id', accessKeyId, '--status'];
  expect(await identity(service, ...inactive, 'Inactive')).toMatch(warning);
  expect(await identity(service, ...inactive, 'Inactive')).toBe('');
  const { code, output } = await hsmKms('init', '--data-dir', service.dataDir);
  expect([code, output]).toEqual([0, '']);
  expect(await identity(service, ...inactive, 'Active')).toBe('');
  const detach = ['--user-name', 'administrator', '--policy-arn', 'arn:aws:iam::aws:policy/AdministratorAccess'];
  expect(await identity(service, 'detach-user-policy', ...detach)).toMatch(warning);
  expect(await refusalName(service.kms.listKeys({}))).toBe('AccessDeniedException');
  expect(await identity(service, 'attach-user-policy', ...detach)).toBe('');
  await service.kms.listKeys({});
});

test('a data directory that is not there is named, and not made', async () => {
  const { code, output } = await hsmKms('identity', 'list-users', '--data-dir', `${service.dataDir}/nowhere`);
  expect(code).toBe(1);
  expect(output).toMatch(/^hsm-kms: The data directory .+nowhere is not initialised\. Type: hsm-kms init\n$/);
});
