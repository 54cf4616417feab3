import { generateKeyPairSync, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { accountId, region, Service } from '../service/service.js';

let service: Service;
const keys: Record<string, { KeyId: string; Arn: string }> = {};
beforeAll(async () => {
  service = await Service.start();
  keys.symmetric = await service.newKey();
  keys.signing = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  keys.mac = await service.newKey({ KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' });
  keys.agreement = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' });
  for (const [kind, { KeyId }] of Object.entries(keys)) {
    await service.kms.createAlias({ AliasName: `alias/${kind}`, TargetKeyId: KeyId });
  }
});
afterAll(() => service?.end());

const Message = Buffer.from('m');
const ecdsa = { SigningAlgorithm: 'ECDSA_SHA_256' } as const;
const hmac = { MacAlgorithm: 'HMAC_SHA_256' } as const;
const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
const keyArnOf = (id: string) => `arn:aws:kms:${region}:${accountId}:key/${id}`;
const aliasArnOf = (name: string) => `arn:aws:kms:${region}:${accountId}:alias/${name}`;

type Call = (KeyId: string) => Promise<unknown>;
const encrypted = async () =>
  (await service.kms.encrypt({ KeyId: keys.symmetric!.KeyId, Plaintext: Message })).CiphertextBlob;

/** Operations that take aliases, and with a key of which kind. */
const takingAliases: [string, string, Call][] = [
  ['DescribeKey', 'symmetric', (KeyId) => service.kms.describeKey({ KeyId })],
  ['Encrypt', 'symmetric', (KeyId) => service.kms.encrypt({ KeyId, Plaintext: Message })],
  ['Decrypt', 'symmetric', async (KeyId) => service.kms.decrypt({ KeyId, CiphertextBlob: await encrypted() })],
  [
    'ReEncrypt, source',
    'symmetric',
    async (SourceKeyId) =>
      service.kms.reEncrypt({
        SourceKeyId,
        CiphertextBlob: await encrypted(),
        DestinationKeyId: keys.symmetric!.KeyId,
      }),
  ],
  [
    'ReEncrypt, destination',
    'symmetric',
    async (DestinationKeyId) => service.kms.reEncrypt({ DestinationKeyId, CiphertextBlob: await encrypted() }),
  ],
  ['GenerateDataKey', 'symmetric', (KeyId) => service.kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })],
  [
    'GenerateDataKeyWithoutPlaintext',
    'symmetric',
    (KeyId) => service.kms.generateDataKeyWithoutPlaintext({ KeyId, KeySpec: 'AES_256' }),
  ],
  [
    'GenerateDataKeyPair',
    'symmetric',
    (KeyId) => service.kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  ],
  [
    'GenerateDataKeyPairWithoutPlaintext',
    'symmetric',
    (KeyId) => service.kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
  ],
  ['GetPublicKey', 'signing', (KeyId) => service.kms.getPublicKey({ KeyId })],
  ['Sign', 'signing', (KeyId) => service.kms.sign({ KeyId, Message, ...ecdsa })],
  [
    'Verify',
    'signing',
    async (KeyId) => {
      const { Signature } = await service.kms.sign({ KeyId: keys.signing!.KeyId, Message, ...ecdsa });
      return service.kms.verify({ KeyId, Message, Signature, ...ecdsa });
    },
  ],
  ['GenerateMac', 'mac', (KeyId) => service.kms.generateMac({ KeyId, Message, ...hmac })],
  [
    'VerifyMac',
    'mac',
    async (KeyId) => {
      const { Mac } = await service.kms.generateMac({ KeyId: keys.mac!.KeyId, Message, ...hmac });
      return service.kms.verifyMac({ KeyId, Message, Mac, ...hmac });
    },
  ],
  [
    'DeriveSharedSecret',
    'agreement',
    (KeyId) => service.kms.deriveSharedSecret({ KeyId, PublicKey: peer, KeyAgreementAlgorithm: 'ECDH' }),
  ],
];

/** Operations that take ids and key ARNs only. */
const takingKeysOnly: [string, string, Call][] = [
  ['EnableKey', 'symmetric', (KeyId) => service.kms.enableKey({ KeyId })],
  ['ListAliases', 'symmetric', (KeyId) => service.kms.listAliases({ KeyId })],
  [
    'CreateAlias',
    'symmetric',
    (TargetKeyId) => service.kms.createAlias({ AliasName: `alias/${randomUUID()}`, TargetKeyId }),
  ],
  ['UpdateAlias', 'symmetric', (TargetKeyId) => service.kms.updateAlias({ AliasName: 'alias/symmetric', TargetKeyId })],
];
const refusedOnly: [string, Call][] = [
  ['DisableKey', (KeyId) => service.kms.disableKey({ KeyId })],
  ['ScheduleKeyDeletion', (KeyId) => service.kms.scheduleKeyDeletion({ KeyId })],
  ['CancelKeyDeletion', (KeyId) => service.kms.cancelKeyDeletion({ KeyId })],
];

describe.each(takingAliases)('%s', (_name, kind, call) => {
  test('takes key id, key ARN, alias name and alias ARN', async () => {
    const { KeyId, Arn } = keys[kind]!;
    for (const text of [KeyId, Arn, `alias/${kind}`, aliasArnOf(kind)]) await call(text);
  });
});

describe.each(takingKeysOnly)('%s', (_name, kind, call) => {
  test('takes key id and key ARN', async () => {
    const { KeyId, Arn } = keys[kind]!;
    for (const text of [KeyId, Arn]) await call(text);
  });
});

test.each([...takingKeysOnly.map(([name, , call]) => [name, call] as const), ...refusedOnly])(
  '%s knows no aliases',
  async (_name, call) => {
    for (const text of ['alias/symmetric', aliasArnOf('symmetric')]) {
      expect(await refusal(call(text))).toEqual({ name: 'NotFoundException', message: `Invalid keyId '${text}'` });
    }
  },
);

const absent = randomUUID();
const everywhere: [string, Call][] = [
  ...takingAliases.map(([name, , call]): [string, Call] => [name, call]),
  ...takingKeysOnly.map(([name, , call]): [string, Call] => [name, call]),
  ...refusedOnly,
];

test.each(everywhere)('%s spells the ARN of a key that is not there', async (_name, call) => {
  for (const text of [absent, keyArnOf(absent)]) {
    expect(await refusal(call(text))).toEqual({
      name: 'NotFoundException',
      message: `Key '${keyArnOf(absent)}' does not exist`,
    });
  }
});

test.each(takingAliases.map(([name, , call]) => [name, call] as const))(
  '%s spells the ARN of an alias that is not there',
  async (_name, call) => {
    for (const text of ['alias/absent', aliasArnOf('absent')]) {
      expect(await refusal(call(text))).toEqual({
        name: 'NotFoundException',
        message: `Alias ${aliasArnOf('absent')} is not found.`,
      });
    }
  },
);

const describeKey = (KeyId: string) => refusal(service.kms.describeKey({ KeyId }));

test.each([
  'x',
  'alias',
  absent.toUpperCase(),
  absent.slice(1),
  `mrk-${'0'.repeat(31)}`,
  `MRK-${'0'.repeat(32)}`,
  `key/${absent}`,
  `${absent}\n`,
  '../../etc/passwd',
  '__proto__',
])('%j is no key id', async (text) => {
  expect(await describeKey(text)).toEqual({ name: 'NotFoundException', message: `Invalid keyId '${text}'` });
});

test('a key of another Region is not here', async () => {
  const { name, message } = await describeKey(`arn:aws:kms:eu-west-1:${accountId}:key/${keys.symmetric!.KeyId}`);
  expect({ name, message }).toEqual({ name: 'NotFoundException', message: 'Invalid arn eu-west-1' });
});

test('a key of another account is not here', async () => {
  const foreign = `arn:aws:kms:${region}:111122223333:key/${keys.symmetric!.KeyId}`;
  expect((await describeKey(foreign)).name).toMatch(/^(NotFoundException|AccessDeniedException)$/);
});

test.each([
  'arn:aws:s3:::bucket',
  'arn:aws:kms',
  'arn:',
  `arn:aws:kms:${region}:${accountId}:grant/1`,
  `arn:aws:kms:${region}:${accountId}`,
  `arn:aws:iam::${accountId}:root`,
])('%s is no ARN of a key', async (text) => {
  expect((await describeKey(text)).name).toMatch(/^(InvalidArnException|NotFoundException)$/);
});

test('a key id of 2,048 characters is looked at, a longer one is not', async () => {
  expect((await describeKey('x'.repeat(2048))).name).toBe('NotFoundException');
  expect((await describeKey('x'.repeat(2049))).name).toBe('ValidationException');
});
