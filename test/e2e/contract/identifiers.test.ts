import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { operationNames } from '../../../src/contract/operations.js';
import { accountId, region } from '../../service/service.js';
import { type Baseline, baselines, validRequest } from './baselines.js';
import { World } from './world.js';

/** Every way to name a key, in every member that names one (contract A.2 and A.3). */

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(() => world?.end());

/** A member of an operation that names a key. */
interface Place {
  readonly operation: OperationName;
  readonly key: NonNullable<Baseline['key']>;
}

const places: Place[] = operationNames.flatMap((operation) => {
  const { key } = baselines[operation];
  return key ? [{ operation, key }] : [];
});
places.push({ operation: 'ReEncrypt', key: { from: 'SourceKeyId', kind: 'symmetric', aliases: true } });

const arnOf = (resource: string, { inRegion = region, account = accountId } = {}) =>
  `arn:aws:kms:${inRegion}:${account}:${resource}`;
const absent = randomUUID();
const absentMultiRegion = `mrk-${absent.replaceAll('-', '')}`;
const notFound = (message: string) => ({ status: 400, name: 'NotFoundException', message });
const invalidKeyId = (text: string) => notFound(`Invalid keyId '${text}'`);
const missingKey = (arn: string) => notFound(`Key '${arn}' does not exist`);

/** Names that are wrong wherever they stand, and what is answered. */
const wrong: [string, object][] = [
  ['x', invalidKeyId('x')],
  ['alias', invalidKeyId('alias')],
  [`key/${absent}`, invalidKeyId(`key/${absent}`)],
  [absent.toUpperCase(), invalidKeyId(absent.toUpperCase())],
  [` ${absent}`, invalidKeyId(` ${absent}`)],
  [`${absent}\n`, invalidKeyId(`${absent}\n`)],
  ['../../etc/passwd', invalidKeyId('../../etc/passwd')],
  [absent, missingKey(arnOf(`key/${absent}`))],
  [absentMultiRegion, missingKey(arnOf(`key/${absentMultiRegion}`))],
  [arnOf(`key/${absent}`), missingKey(arnOf(`key/${absent}`))],
  [arnOf(`key/${absent}`, { inRegion: 'eu-west-1' }), notFound('Invalid arn eu-west-1')],
  [arnOf('alias/symmetric', { inRegion: 'eu-west-1' }), notFound('Invalid arn eu-west-1')],
  ...['arn:', 'arn:aws:s3:::bucket', principalArn(), arnOf(`grant/${absent}`), arnOf('')].map(
    (text): [string, object] => [text, { status: 400, name: 'InvalidArnException', message: `Invalid arn ${text}` }],
  ),
];

function principalArn(): string {
  return `arn:aws:iam::${accountId}:root`;
}

describe.each(places)('$operation, $key.from', ({ operation, key: { from, kind, aliases = false } }) => {
  const ask = async (text: string) => {
    const { status, name, message } = await world.wire.ask(operation, {
      ...validRequest(operation, world),
      [from]: text,
    });
    return { status, name, message };
  };
  const { ends } = baselines[operation];
  const found = ends === undefined ? { status: 200, name: undefined } : { status: 400, name: ends };
  const aliasName = `alias/${kind}`;

  test('key id', async () => expect(await ask(world.keys[kind].KeyId)).toMatchObject(found));
  test('key ARN', async () => expect(await ask(world.keys[kind].Arn)).toMatchObject(found));

  test.each([aliasName, arnOf(aliasName)])('%s', async (text) => {
    expect(await ask(text)).toMatchObject(aliases ? found : invalidKeyId(text));
  });

  test.each(['alias/absent', arnOf('alias/absent'), `${aliasName}x`, aliasName.toUpperCase()])('%s', async (text) => {
    const isAlias = text.includes('alias/');
    const arn = text.startsWith('arn:') ? text : arnOf(text);
    expect(await ask(text)).toEqual(aliases && isAlias ? notFound(`Alias ${arn} is not found.`) : invalidKeyId(text));
  });

  test.each(wrong)('%j', async (text, answer) => expect(await ask(text)).toEqual(answer));

  test('ARN of another account', async () => {
    const arn = arnOf(`key/${world.keys[kind].KeyId}`, { account: '111122223333' });
    expect(await ask(arn)).toEqual(missingKey(arn));
  });

  test('ARN of a key that is here, with another Region', async () => {
    const arn = arnOf(`key/${world.keys[kind].KeyId}`, { inRegion: 'us-west-2' });
    expect(await ask(arn)).toEqual(notFound('Invalid arn us-west-2'));
  });
});
