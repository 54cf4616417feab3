import { createPublicKey, randomBytes } from 'node:crypto';
import type {
  AlgorithmSpec,
  ImportKeyMaterialRequest,
  KeySpec,
  KeyUsageType,
  WrappingKeySpec,
} from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { importInto, newPair, type Parameters, pkcs8, wrap } from '../service/byok.js';
import { sql } from '../service/database.js';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { offeredRows, testWith } from '../service/tested-token.js';
import { flipped, p256, refusalInToken, wrongMaterial } from '../service/wrong-key-material.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const newKey = (KeySpec: KeySpec, KeyUsage: KeyUsageType) => service.newKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' });
const symmetric = () => newKey('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
const parametersFor = async (
  KeyId: string,
  WrappingAlgorithm: AlgorithmSpec = 'RSAES_OAEP_SHA_256',
  WrappingKeySpec: WrappingKeySpec = 'RSA_2048',
) => (await service.kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec })) as Required<Parameters>;
const sent = (KeyId: string, parameters: Parameters, EncryptedKeyMaterial: Buffer, more: object = {}) =>
  service.kms.importKeyMaterial({
    KeyId,
    ImportToken: parameters.ImportToken,
    EncryptedKeyMaterial,
    ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
    ...more,
  } as ImportKeyMaterialRequest);
describe('GetParametersForImport', () => {
  test.each([
    ['RSA_2048', 2048],
    ['RSA_3072', 3072],
    ['RSA_4096', 4096],
  ] as [WrappingKeySpec, number][])('gives a public key %s and a token for 24 hours', async (WrappingKeySpec, bits) => {
    const { KeyId, Arn } = await symmetric();
    const given = await service.kms.getParametersForImport({
      KeyId,
      WrappingAlgorithm: 'RSAES_OAEP_SHA_256',
      WrappingKeySpec,
    });
    expect(given.KeyId).toBe(Arn);
    const key = createPublicKey({ key: Buffer.from(given.PublicKey!), format: 'der', type: 'spki' });
    expect(key.asymmetricKeyDetails).toMatchObject({ modulusLength: bits });
    expect(given.ImportToken!.length).toBeLessThanOrEqual(6144);
    const hours = (given.ParametersValidTo!.getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThanOrEqual(24);
  });

  test.each([
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSAES_PKCS1_V1_5', 'RSA_2048'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'SM2PKE', 'SM2'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'SM2PKE', 'RSA_2048'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSAES_OAEP_SHA_256', 'SM2'],
    ['SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT', 'RSA_AES_KEY_WRAP_SHA_256', 'RSA_2048'],
    ['HMAC_256', 'GENERATE_VERIFY_MAC', 'RSA_AES_KEY_WRAP_SHA_1', 'RSA_2048'],
    ['RSA_2048', 'SIGN_VERIFY', 'RSAES_OAEP_SHA_256', 'RSA_4096'],
    ['RSA_2048', 'ENCRYPT_DECRYPT', 'RSAES_OAEP_SHA_1', 'RSA_4096'],
    ['ECC_NIST_P521', 'SIGN_VERIFY', 'RSAES_OAEP_SHA_256', 'RSA_2048'],
    ['ECC_NIST_P521', 'KEY_AGREEMENT', 'RSAES_OAEP_SHA_1', 'RSA_2048'],
  ] as [KeySpec, KeyUsageType, AlgorithmSpec, WrappingKeySpec][])(
    'refuses %s %s with %s and %s',
    async (spec, usage, WrappingAlgorithm, WrappingKeySpec) => {
      const { KeyId } = await newKey(spec, usage);
      const asked = service.kms.getParametersForImport({ KeyId, WrappingAlgorithm, WrappingKeySpec });
      expect(await refusalName(asked)).toBe('UnsupportedOperationException');
    },
  );

  test('and the other two refuse keys of other origins, and those that wait for deletion', async () => {
    const own = await service.newKey();
    const pending = await symmetric();
    const parameters = await parametersFor(pending.KeyId);
    await service.kms.scheduleKeyDeletion({ KeyId: pending.KeyId, PendingWindowInDays: 7 });
    const origin = {
      name: 'UnsupportedOperationException',
      message: `${own.Arn} origin is AWS_KMS which is not valid for this operation.`,
    };
    const state = { name: 'KMSInvalidStateException', message: `${pending.Arn} is pending deletion.` };
    const material = wrap(parameters, 'RSAES_OAEP_SHA_256', randomBytes(32));
    expect(await refusal(parametersFor(own.KeyId))).toEqual(origin);
    expect(await refusal(sent(own.KeyId, parameters, material))).toEqual(origin);
    expect(await refusal(service.kms.deleteImportedKeyMaterial({ KeyId: own.KeyId }))).toEqual(origin);
    expect(await refusal(parametersFor(pending.KeyId))).toEqual(state);
    expect(await refusal(sent(pending.KeyId, parameters, material))).toEqual(state);
  });
});

describe('an import token', () => {
  test('is refused when it is none, another key\u2019s, changed, or used up', async () => {
    const [mine, other] = [await symmetric(), await symmetric()];
    const parameters = await parametersFor(mine.KeyId);
    const others = await parametersFor(other.KeyId);
    const material = wrap(parameters, 'RSAES_OAEP_SHA_256', randomBytes(32));
    const invalid = { name: 'InvalidImportTokenException', message: '' };
    const tokens = [
      Buffer.from('x'),
      randomBytes(200),
      randomBytes(6144),
      flipped(parameters.ImportToken, 0),
      flipped(parameters.ImportToken, 20),
      flipped(parameters.ImportToken, -1),
      Buffer.from(parameters.ImportToken).subarray(1),
      Buffer.concat([parameters.ImportToken, Buffer.alloc(1)]),
      others.ImportToken,
    ];
    for (const ImportToken of tokens) {
      expect(await refusal(sent(mine.KeyId, { ...parameters, ImportToken }, material))).toEqual(invalid);
    }
    await sent(mine.KeyId, parameters, material);
    expect(await refusal(sent(mine.KeyId, parameters, material))).toEqual(invalid);
  });

  test('expires', async () => {
    const { KeyId } = await symmetric();
    const parameters = await parametersFor(KeyId);
    sql(service, 'update import_wrapping_keys set expires_at = ? where key_id = ?', Date.now() - 1, KeyId);
    const material = wrap(parameters, 'RSAES_OAEP_SHA_256', randomBytes(32));
    expect(await refusal(sent(KeyId, parameters, material))).toEqual({
      name: 'ExpiredImportTokenException',
      message: '',
    });
  });

  test('is not used up by an import that fails', async () => {
    const { KeyId } = await symmetric();
    const parameters = await parametersFor(KeyId);
    expect(await refusalName(sent(KeyId, parameters, randomBytes(256)))).toBe('InvalidCiphertextException');
    await sent(KeyId, parameters, wrap(parameters, 'RSAES_OAEP_SHA_256', randomBytes(32)));
  });
});

describe.each(offeredRows(wrongMaterial, ([spec]) => spec))('%s %s with %s', (spec, usage, algorithm, cases) => {
  let KeyId: string;
  let parameters: Required<Parameters>;
  beforeAll(async () => {
    ({ KeyId } = await newKey(spec, usage));
    parameters = await parametersFor(KeyId, algorithm);
  });

  test.each(cases)('refuses %s: %s', async (_what, expected, made) => {
    const refused = await refusal(sent(KeyId, parameters, made(parameters)));
    expect(refused).toEqual({ name: refusalInToken(spec, expected, refused.name), message: '' });
    const { KeyMetadata } = await service.kms.describeKey({ KeyId });
    expect(KeyMetadata).toMatchObject({ KeyState: 'PendingImport', Enabled: false });
    expect(KeyMetadata?.ExpirationModel).toBeUndefined();
  });

  test('takes good material after all of that', async () => {
    const material = spec.startsWith('HMAC')
      ? randomBytes(64)
      : spec === 'SYMMETRIC_DEFAULT'
        ? randomBytes(32)
        : pkcs8(newPair(spec).privateKey);
    await sent(KeyId, parameters, wrap(parameters, algorithm, material));
    expect((await service.kms.describeKey({ KeyId })).KeyMetadata?.KeyState).toBe('Enabled');
  });
});

describe('ImportKeyMaterial', () => {
  const day = 24 * 60 * 60 * 1000;
  const fromNow = (milliseconds: number) => new Date(Date.now() + milliseconds);
  test.each([
    ['no ValidTo', {}, 'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES'],
    [
      'no ValidTo for KEY_MATERIAL_EXPIRES',
      { ExpirationModel: 'KEY_MATERIAL_EXPIRES' },
      'A validTo date must be set if the ExpirationModel is KEY_MATERIAL_EXPIRES',
    ],
    [
      'a ValidTo that does not apply',
      { ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE', ValidTo: fromNow(day) },
      /ValidTo cannot be specified/,
    ],
    ['the past', { ValidTo: fromNow(-1000) }, 'ValidTo must be in the future'],
    ['more than 365 days', { ValidTo: fromNow(366 * day) }, /365 days/],
    [
      'KeyMaterialId of new material',
      {
        ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
        ImportType: 'NEW_KEY_MATERIAL',
        KeyMaterialId: 'a'.repeat(64),
      },
      /KeyMaterialId cannot be specified/,
    ],
  ] as [string, object, string | RegExp][])('refuses %s', async (_what, input, message) => {
    const { KeyId } = await symmetric();
    const request = { KeyId, ImportToken: Buffer.from('x'), EncryptedKeyMaterial: Buffer.from('x'), ...input };
    const refused = await refusal(service.kms.importKeyMaterial(request));
    expect(refused.name).toBe('ValidationException');
    expect(refused.message).toEqual(typeof message === 'string' ? message : expect.stringMatching(message));
  });

  test.each([
    { ImportType: 'NEW_KEY_MATERIAL' },
    { KeyMaterialDescription: 'mine' },
    { KeyMaterialId: 'a'.repeat(64) },
  ] as Partial<ImportKeyMaterialRequest>[])('refuses %j for keys with one material', async (input) => {
    const { KeyId } = await newKey('HMAC_256', 'GENERATE_VERIFY_MAC');
    const request = {
      KeyId,
      ImportToken: Buffer.from('x'),
      EncryptedKeyMaterial: Buffer.from('x'),
      ExpirationModel: 'KEY_MATERIAL_DOES_NOT_EXPIRE',
      ...input,
    } as const;
    expect(await refusalName(service.kms.importKeyMaterial(request))).toBe('ValidationException');
  });

  test('refuses an existing material for a key that has none, and an id of other material', async () => {
    const { KeyId } = await symmetric();
    const incorrect = { name: 'IncorrectKeyMaterialException', message: '' };
    const existing = importInto(service, KeyId, randomBytes(32), { ImportType: 'EXISTING_KEY_MATERIAL' });
    expect(await refusal(existing)).toEqual(incorrect);
    const other = importInto(service, KeyId, randomBytes(32), { KeyMaterialId: 'a'.repeat(64) });
    expect(await refusal(other)).toEqual(incorrect);
  });
});

testWith('a lack of OAEP with SHA-256', 'without splits, only what the token does alone is offered', async () => {
  const strict = await Service.start({ flags: ['--split-oaep', 'false'] });
  try {
    const newStrict = (KeySpec: KeySpec, KeyUsage: KeyUsageType) =>
      strict.newKey({ KeySpec, KeyUsage, Origin: 'EXTERNAL' });
    const aes = await newStrict('SYMMETRIC_DEFAULT', 'ENCRYPT_DECRYPT');
    const refused = await refusal(importInto(strict, aes.KeyId, randomBytes(32)));
    expect(refused).toEqual({
      name: 'UnsupportedOperationException',
      message: expect.stringMatching(/RSAES_OAEP_SHA_256 .*splitOaep/),
    });
    const { KeyId } = await newStrict('ECC_NIST_P256', 'SIGN_VERIFY');
    await importInto(strict, KeyId, p256(), { algorithm: 'RSA_AES_KEY_WRAP_SHA_1' });
  } finally {
    await strict.end();
  }
});
