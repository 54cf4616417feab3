import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { actionRules } from '../../../src/authorization/policy/actions.js';
import { isGrantable } from '../../../src/authorization/policy/grants.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { operationNames } from '../../../src/contract/operations.js';
import { sql, tokenObjects } from '../../service/database.js';
import { newUser } from '../../service/identities.js';
import { accountId, Service, userArn } from '../../service/service.js';
import { baselines, validRequest } from '../contract/baselines.js';
import { type Reply, Wire } from '../contract/wire.js';
import { type Kind, World } from '../contract/world.js';

/** Who asks: each has its permissions from one source, or has them from all and is denied by one. */
const names = ['nobody', 'identity', 'key', 'grant', 'denied-by-identity', 'denied-by-key'] as const;
type Name = (typeof names)[number];

const everything = { Effect: 'Allow', Action: 'kms:*', Resource: '*' };
const nothing = { Effect: 'Deny', Action: 'kms:*', Resource: '*' };
const identityStatements: Partial<Record<Name, object[]>> = {
  identity: [everything],
  'denied-by-identity': [everything, nothing],
  'denied-by-key': [everything],
};

const always = ['CreateGrant', 'DescribeKey'];
/** What a grant on each kind of key can list. */
const grantable: Record<Kind, string[]> = {
  symmetric: [
    ...[...always, 'Encrypt', 'Decrypt', 'ReEncryptFrom', 'ReEncryptTo', 'GenerateDataKey'],
    ...['GenerateDataKeyWithoutPlaintext', 'GenerateDataKeyPair', 'GenerateDataKeyPairWithoutPlaintext'],
  ],
  signing: [...always, 'Sign', 'Verify', 'GetPublicKey'],
  mac: [...always, 'GenerateMac', 'VerifyMac'],
  agreement: [...always, 'DeriveSharedSecret', 'GetPublicKey'],
  external: [],
  pending: [],
  toggled: [...always, 'Encrypt'],
};

/** Operations that no key here has in a grant: ML-KEM keys cannot be made. */
const withoutKeys: readonly OperationName[] = ['Encapsulate', 'Decapsulate'];

const onKey = (operation: OperationName) =>
  actionRules[operation].filter(({ withTags }) => !withTags).every(({ permission }) => permission === 'key-policy');
const byGrant = (operation: OperationName) =>
  onKey(operation) &&
  !withoutKeys.includes(operation) &&
  actionRules[operation].every(({ action }) => isGrantable(action));

let world: World;
let wires: Record<Name, Wire>;

beforeAll(async () => {
  const service = await Service.start({ flags: ['--log-level', 'warn'] });
  world = await World.over(service, new Wire(service, service.credentials));
  wires = {} as typeof wires;
  for (const name of names) {
    wires[name] = new Wire(service, await newUser(service, name, ...(identityStatements[name] ?? [])));
  }
  world.policy = keyPolicy();
  for (const [kind, { KeyId }] of Object.entries(world.keys)) {
    await world.answer('PutKeyPolicy', { KeyId, Policy: world.policy });
    const Operations = grantable[kind as Kind];
    for (const name of ['grant', 'denied-by-identity', 'denied-by-key'] as const) {
      if (Operations.length === 0) continue;
      await world.answer('CreateGrant', { KeyId, GranteePrincipal: userArn(name), Operations });
    }
  }
});

afterAll(async () => {
  for (const wire of Object.values(wires ?? {})) wire.end();
  await world?.end();
});

function keyPolicy(): string {
  const statement = (Effect: string, AWS: string | string[]) => ({
    Effect,
    Principal: { AWS },
    Action: 'kms:*',
    Resource: '*',
  });
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [
      statement('Allow', `arn:aws:iam::${accountId}:root`),
      statement('Allow', [userArn('key'), userArn('denied-by-identity')]),
      statement('Deny', userArn('denied-by-key')),
    ],
  });
}

const AliasName = 'alias/to-be-deleted';
const makeAlias = () => world.wire.ask('CreateAlias', { AliasName, TargetKeyId: world.keys.symmetric.KeyId });

/** An alias that is there, so that its key and the key's policy have their part. */
async function ask(name: Name, operation: OperationName): Promise<Reply> {
  if (operation !== 'DeleteAlias') return wires[name].ask(operation, validRequest(operation, world));
  await makeAlias();
  return wires[name].ask(operation, { AliasName });
}

const endOf = (operation: OperationName) => (operation === 'DeleteAlias' ? undefined : baselines[operation].ends);

const expectAllowed = (operation: OperationName, reply: Reply) =>
  expect({ operation, name: reply.name, message: reply.message }).toEqual({
    operation,
    name: endOf(operation),
    message: endOf(operation) && reply.message,
  });

const expectDenied = (reply: Reply, why: RegExp) => {
  expect({ name: reply.name, status: reply.status }).toEqual({ name: 'AccessDeniedException', status: 400 });
  expect(reply.message).toMatch(
    /^User: arn:aws:iam::\d{12}:user\/[\w-]+ is not authorized to perform: kms:\w+ on resource: \S+ (?:because|with) /,
  );
  expect(reply.message).toMatch(why);
};

const notAllowed = /because no (?:identity|resource)-based policy allows the kms:\w+ action$/;
const explicitDeny = (sort: 'identity' | 'resource') =>
  new RegExp(
    `with an explicit deny in (?:an|a) ${sort}-based policy$|because the resource does not exist in this Region`,
  );

/** All that the service keeps, without what passes by itself: leases, and when somebody was there last. */
function everythingKept(): unknown {
  const tables = sql<{ name: string }>(world.service, `select name from sqlite_master where type = 'table'`);
  const kept = tables.map(({ name }) => name).filter((name) => !/^(leases|key_uses|access_keys|sqlite_)/.test(name));
  return {
    rows: kept.map((name) => [name, sql(world.service, `select * from "${name}"`)]),
    objects: tokenObjects(world.service),
  };
}

test('there are 56 operations', () => expect(operationNames).toHaveLength(56));

test('whoever has no permission gets AccessDeniedException from each, and leaves no trace in store and token', async () => {
  await makeAlias();
  const before = everythingKept();
  for (const operation of operationNames) expectDenied(await ask('nobody', operation), notAllowed);
  for (const operation of operationNames) {
    expectDenied(await ask('denied-by-identity', operation), explicitDeny('identity'));
  }
  expect(everythingKept()).toEqual(before);
});

describe.each(operationNames)('%s', (operation) => {
  test('is allowed by an identity policy', async () => {
    expectAllowed(operation, await ask('identity', operation));
  });

  test(`is ${onKey(operation) ? 'allowed by' : 'out of the reach of'} the key policy`, async () => {
    const reply = await ask('key', operation);
    if (onKey(operation)) expectAllowed(operation, reply);
    else expectDenied(reply, notAllowed);
  });

  test(`is ${byGrant(operation) ? 'allowed by' : 'out of the reach of'} a grant`, async () => {
    const reply = await ask('grant', operation);
    if (byGrant(operation)) expectAllowed(operation, reply);
    else expectDenied(reply, notAllowed);
  });

  const concernsKey = actionRules[operation].some(({ permission }) => permission !== 'identity-policy');
  test(`a Deny in the key policy ${concernsKey ? 'beats all of them' : 'has no say'}`, async () => {
    const reply = await ask('denied-by-key', operation);
    if (concernsKey) expectDenied(reply, explicitDeny('resource'));
    else expectAllowed(operation, reply);
  });
});
