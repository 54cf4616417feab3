import type { CreateKeyRequest, KeySpec, KeyUsageType } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type StringShape, shapeNamed } from '../../../src/contract/model.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { offeredRows } from '../../service/tested-token.js';
import { validRequest } from './baselines.js';
import { World } from './world.js';

/** Every operation that uses key material, on keys of every usage and spec, with every algorithm (contract A.5). */

interface KeyRow {
  readonly KeySpec: KeySpec;
  readonly KeyUsage: KeyUsageType;
  /** Of A.5. */
  readonly algorithms: readonly string[];
}

const rsaSigning = ['PSS', 'PKCS1_V1_5'].flatMap((padding) =>
  [256, 384, 512].map((bits) => `RSASSA_${padding}_SHA_${bits}`),
);
const everyKey: readonly KeyRow[] = [
  { KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', algorithms: ['SYMMETRIC_DEFAULT'] },
  { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT', algorithms: ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] },
  { KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY', algorithms: rsaSigning },
  { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_256'] },
  { KeySpec: 'ECC_NIST_P384', KeyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_384'] },
  { KeySpec: 'ECC_NIST_P521', KeyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_512'] },
  { KeySpec: 'ECC_SECG_P256K1', KeyUsage: 'SIGN_VERIFY', algorithms: ['ECDSA_SHA_256'] },
  {
    KeySpec: 'ECC_NIST_EDWARDS25519',
    KeyUsage: 'SIGN_VERIFY',
    algorithms: ['ED25519_SHA_512', 'ED25519_PH_SHA_512'],
  },
  { KeySpec: 'HMAC_224', KeyUsage: 'GENERATE_VERIFY_MAC', algorithms: ['HMAC_SHA_224'] },
  { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC', algorithms: ['HMAC_SHA_256'] },
  { KeySpec: 'HMAC_384', KeyUsage: 'GENERATE_VERIFY_MAC', algorithms: ['HMAC_SHA_384'] },
  { KeySpec: 'HMAC_512', KeyUsage: 'GENERATE_VERIFY_MAC', algorithms: ['HMAC_SHA_512'] },
  { KeySpec: 'ECC_NIST_P384', KeyUsage: 'KEY_AGREEMENT', algorithms: ['ECDH'] },
];
const table = offeredRows(everyKey, ({ KeySpec }) => KeySpec);
const rowName = ({ KeySpec, KeyUsage }: KeyRow) => `${KeySpec} ${KeyUsage}`;

let world: World;
const keys: Record<string, { KeyId: string; Arn: string }> = {};
beforeAll(async () => {
  world = await World.make();
  for (const row of table) {
    const { algorithms: _, ...input } = row;
    keys[rowName(row)] = await world.service.newKey(input satisfies CreateKeyRequest);
  }
});
afterAll(() => world?.end());

async function ask(operation: OperationName, input: object) {
  const { status, name, message } = await world.wire.ask(operation, { ...validRequest(operation, world), ...input });
  return { status, name, message };
}

const wrongUse = (message: string) => ({ status: 400, name: 'InvalidKeyUsageException', message });

const wrongData = Buffer.alloc(64, 1).toString('base64');
/** A ciphertext that names no key: one of another key would be told first, as IncorrectKeyException. */
const namesNoKey = { CiphertextBlob: wrongData };

/** What is done with keys of one usage: the member that names the key, and what KMS calls the operation then. */
const uses: [KeyUsageType, OperationName, { from?: string; as?: string; other?: object }?][] = [
  ['ENCRYPT_DECRYPT', 'Encrypt'],
  ['ENCRYPT_DECRYPT', 'Decrypt', { other: namesNoKey }],
  ['ENCRYPT_DECRYPT', 'ReEncrypt', { from: 'SourceKeyId', as: 'ReEncryptFrom', other: namesNoKey }],
  ['ENCRYPT_DECRYPT', 'ReEncrypt', { from: 'DestinationKeyId', as: 'ReEncryptTo' }],
  ['ENCRYPT_DECRYPT', 'GenerateDataKey'],
  ['ENCRYPT_DECRYPT', 'GenerateDataKeyWithoutPlaintext'],
  ['ENCRYPT_DECRYPT', 'GenerateDataKeyPair'],
  ['ENCRYPT_DECRYPT', 'GenerateDataKeyPairWithoutPlaintext'],
  ['SIGN_VERIFY', 'Sign'],
  ['SIGN_VERIFY', 'Verify'],
  ['GENERATE_VERIFY_MAC', 'GenerateMac'],
  ['GENERATE_VERIFY_MAC', 'VerifyMac'],
  ['KEY_AGREEMENT', 'DeriveSharedSecret'],
];

describe.each(uses)('%s: %s %o', (usage, operation, { from = 'KeyId', as = operation, other = {} } = {}) => {
  const others = table.filter(({ KeyUsage }) => KeyUsage !== usage);

  test.each(others.map((row) => [rowName(row), row] as const))('not with %s', async (name, { KeyUsage }) => {
    const { KeyId, Arn } = keys[name]!;
    expect(await ask(operation, { ...other, [from]: KeyId })).toEqual(
      wrongUse(`${Arn} key usage is ${KeyUsage} which is not valid for ${as}.`),
    );
  });
});

/** The members that choose an algorithm, and how a request ends whose algorithm is right but whose data is not. */
const choices: [OperationName, KeyUsageType, string, string, string | undefined][] = [
  ['Encrypt', 'ENCRYPT_DECRYPT', 'EncryptionAlgorithm', 'EncryptionAlgorithmSpec', undefined],
  ['Decrypt', 'ENCRYPT_DECRYPT', 'EncryptionAlgorithm', 'EncryptionAlgorithmSpec', 'InvalidCiphertextException'],
  ['Sign', 'SIGN_VERIFY', 'SigningAlgorithm', 'SigningAlgorithmSpec', undefined],
  ['Verify', 'SIGN_VERIFY', 'SigningAlgorithm', 'SigningAlgorithmSpec', 'KMSInvalidSignatureException'],
  ['GenerateMac', 'GENERATE_VERIFY_MAC', 'MacAlgorithm', 'MacAlgorithmSpec', undefined],
  ['VerifyMac', 'GENERATE_VERIFY_MAC', 'MacAlgorithm', 'MacAlgorithmSpec', 'KMSInvalidMacException'],
];
const data: Partial<Record<OperationName, object>> = {
  Decrypt: { CiphertextBlob: wrongData },
  Verify: { Signature: wrongData },
  VerifyMac: { Mac: wrongData },
};
/** What no token that is tested does. */
const notInToken: ReadonlySet<string> = new Set(['ED25519_PH_SHA_512']);

describe.each(choices)('%s', (operation, usage, member, shape, ends) => {
  const algorithms = (shapeNamed(shape) as StringShape).enum as readonly string[];
  const rows = table.filter(({ KeyUsage }) => KeyUsage === usage);

  test.each(rows.flatMap((row) => algorithms.map((algorithm) => [row.KeySpec, algorithm, row] as const)))(
    '%s with %s',
    async (KeySpec, algorithm, row) => {
      const { KeyId } = keys[rowName(row)]!;
      const answer = await ask(operation, { ...data[operation], KeyId, [member]: algorithm });
      if (!row.algorithms.includes(algorithm)) {
        expect(answer).toEqual(wrongUse(`Algorithm ${algorithm} is incompatible with key spec ${KeySpec}.`));
      } else if (notInToken.has(algorithm)) {
        expect(answer).toMatchObject({ status: 400, name: 'UnsupportedOperationException' });
      } else {
        expect(answer).toEqual({ status: ends === undefined ? 200 : 400, name: ends, message: undefined });
      }
    },
  );
});

describe('keys that are not symmetric encryption keys', () => {
  const others = table.filter(({ KeySpec }) => KeySpec !== 'SYMMETRIC_DEFAULT').map((row) => [rowName(row)] as const);
  const rotations = ['EnableKeyRotation', 'DisableKeyRotation', 'RotateKeyOnDemand', 'ListKeyRotations'] as const;

  describe.each(rotations)('%s', (operation) => {
    test.each(others)('%s', async (name) => {
      const { KeyId } = keys[name]!;
      expect(await ask(operation, { KeyId })).toMatchObject({ status: 400, name: 'UnsupportedOperationException' });
    });
  });

  test.each([
    'GenerateDataKey',
    'GenerateDataKeyWithoutPlaintext',
    'GenerateDataKeyPair',
    'GenerateDataKeyPairWithoutPlaintext',
  ] as const)('%s under an RSA key', async (operation) => {
    const { KeyId } = keys['RSA_2048 ENCRYPT_DECRYPT']!;
    expect(await ask(operation, { KeyId })).toEqual(
      wrongUse('Algorithm SYMMETRIC_DEFAULT is incompatible with key spec RSA_2048.'),
    );
  });
});

describe.each(['GetParametersForImport', 'ImportKeyMaterial', 'DeleteImportedKeyMaterial'] as const)(
  '%s',
  (operation) => {
    test.each(table.map((row) => [rowName(row)] as const))('not for %s of origin AWS_KMS', async (name) => {
      const { KeyId, Arn } = keys[name]!;
      expect(await ask(operation, { KeyId })).toEqual({
        status: 400,
        name: 'UnsupportedOperationException',
        message: `${Arn} origin is AWS_KMS which is not valid for this operation.`,
      });
    });
  },
);

describe('GetPublicKey', () => {
  test.each(table.map((row) => [rowName(row), row] as const))('%s', async (name, { KeySpec }) => {
    const { KeyId } = keys[name]!;
    const isPair = KeySpec.startsWith('RSA') || KeySpec.startsWith('ECC');
    expect(await ask('GetPublicKey', { KeyId })).toMatchObject(
      isPair ? { status: 200 } : { status: 400, name: 'UnsupportedOperationException' },
    );
  });
});
