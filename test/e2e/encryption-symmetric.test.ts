import { randomBytes, randomUUID } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { call } from '../service/http.js';
import { refusal } from '../service/refusal.js';
import { Service, userArn } from '../service/service.js';

let service: Service;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  service = await Service.start();
  ({ KeyId, Arn } = await service.newKey());
});
afterAll(() => service?.end());

type Context = Record<string, string> | undefined;
const invalid = { name: 'InvalidCiphertextException', message: '' };

async function encrypted(Plaintext: Buffer, EncryptionContext?: Context): Promise<Buffer> {
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext, EncryptionContext });
  return Buffer.from(CiphertextBlob!);
}
const decrypt = (CiphertextBlob: Buffer, EncryptionContext?: Context) =>
  service.kms.decrypt({ CiphertextBlob, EncryptionContext });

test.each([1, 15, 16, 17, 4096])(
  'a plaintext of %i bytes comes back, with or without the key named',
  async (length) => {
    const Plaintext = randomBytes(length);
    const { $metadata: _, CiphertextBlob, ...rest } = await service.kms.encrypt({ KeyId, Plaintext });
    expect(rest).toEqual({ KeyId: Arn, EncryptionAlgorithm: 'SYMMETRIC_DEFAULT' });
    expect(CiphertextBlob!.length).toBeLessThanOrEqual(6144);
    expect(Buffer.from(CiphertextBlob!).includes(Plaintext) && length > 4).toBe(false);
    const { KeyMetadata } = await service.kms.describeKey({ KeyId });
    for (const named of [undefined, KeyId, Arn]) {
      const { $metadata: __, Plaintext: back, ...answer } = await service.kms.decrypt({ CiphertextBlob, KeyId: named });
      expect(Buffer.from(back!).equals(Plaintext)).toBe(true);
      expect(answer).toEqual({
        KeyId: Arn,
        EncryptionAlgorithm: 'SYMMETRIC_DEFAULT',
        KeyMaterialId: KeyMetadata!.CurrentKeyMaterialId,
      });
    }
  },
);

test('two ciphertexts of one plaintext differ', async () => {
  const blobs = await Promise.all(Array.from({ length: 50 }, () => encrypted(Buffer.from('same'))));
  expect(new Set(blobs.map((blob) => blob.toString('hex'))).size).toBe(50);
});

test.each([
  ['empty', 0, 'greater than or equal to 1'],
  ['4,097 bytes long', 4097, 'less than or equal to 4096'],
])('a plaintext that is %s is refused', async (_what, length, bound) => {
  const answer = await refusal(service.kms.encrypt({ KeyId, Plaintext: Buffer.alloc(length) }));
  expect(answer).toEqual({
    name: 'ValidationException',
    message: `1 validation error detected: Value at 'plaintext' failed to satisfy constraint: Member must have length ${bound}`,
  });
});

describe('encryption context', () => {
  test.each<[string, Context, Context]>([
    ['in another order', { a: '1', b: '2', c: '3' }, { c: '3', b: '2', a: '1' }],
    ['absent, for one that was empty', {}, undefined],
    ['empty, for one that was absent', undefined, {}],
    ['in Unicode', { schlüssel: 'wert 🔑 \u0000' }, { schlüssel: 'wert 🔑 \u0000' }],
    ['with empty strings', { '': '', a: '' }, { a: '', '': '' }],
    ['that is long', { a: 'x'.repeat(8192) }, { a: 'x'.repeat(8192) }],
  ])('opens the ciphertext %s', async (_what, made, given) => {
    const blob = await encrypted(Buffer.from('secret'), made);
    expect(Buffer.from((await decrypt(blob, given)).Plaintext!).toString()).toBe('secret');
  });

  test.each<[string, Context, Context]>([
    ['is absent', { a: '1' }, undefined],
    ['is empty', { a: '1' }, {}],
    ['was not there', undefined, { a: '1' }],
    ['has another value', { a: '1' }, { a: '2' }],
    ['has another key', { a: '1' }, { b: '1' }],
    ['has a pair more', { a: '1' }, { a: '1', b: '2' }],
    ['has a pair less', { a: '1', b: '2' }, { a: '1' }],
    ['has a key in other case', { Purpose: 'x' }, { purpose: 'x' }],
    ['has a value in other case', { purpose: 'X' }, { purpose: 'x' }],
    ['has keys and values swapped', { a: 'b' }, { b: 'a' }],
    ['has values swapped', { a: '1', b: '2' }, { a: '2', b: '1' }],
    ['puts the border elsewhere', { ab: 'c' }, { a: 'bc' }],
    ['looks the same in another Unicode form', { a: 'é' }, { a: 'e\u0301' }],
    ['has a space more', { a: '1' }, { a: '1 ' }],
  ])('does not open the ciphertext when it %s', async (_what, made, given) => {
    const blob = await encrypted(Buffer.from('secret'), made);
    expect(await refusal(decrypt(blob, given))).toEqual(invalid);
  });

  test.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])('binds the key %s', async (name) => {
    // over HTTP, since an SDK may drop such a member
    const body = (context: string, rest: object) => {
      const members = JSON.stringify(rest).slice(1);
      return `{"EncryptionContext":${context},${members}`;
    };
    const context = `{${JSON.stringify(name)}:"1"}`;
    const made = await call(service, 'Encrypt', body(context, { KeyId, Plaintext: 'c2VjcmV0' }));
    expect(made.status).toBe(200);
    const { CiphertextBlob } = JSON.parse(made.body);
    const opened = await call(service, 'Decrypt', body(context, { CiphertextBlob }));
    expect(JSON.parse(opened.body)).toMatchObject({ Plaintext: 'c2VjcmV0' });
    for (const wrong of ['{}', `{${JSON.stringify(name)}:"2"}`]) {
      const refused = await call(service, 'Decrypt', body(wrong, { CiphertextBlob }));
      expect(JSON.parse(refused.body)).toEqual({ __type: 'InvalidCiphertextException' });
    }
  });
});

describe('a ciphertext that was changed', () => {
  const at = { magic: 0, version: 4, keyIdForm: 5, keyId: 6, material: 22, iv: 54, body: 66 };
  const flipped = (blob: Buffer, index: number, bit = 1) => {
    const changed = Buffer.from(blob);
    changed[index]! ^= bit;
    return changed;
  };

  test.each([
    ['in its magic', at.magic],
    ['in its version', at.version],
    ['in its key material id', at.material],
    ['at the end of its key material id', at.iv - 1],
    ['in its IV', at.iv],
    ['at the end of its IV', at.body - 1],
    ['in its body', at.body],
    ['in its tag', -1],
    ['at the start of its tag', -16],
  ])('%s is invalid', async (_where, index) => {
    const blob = await encrypted(Buffer.from('secret'));
    const changed = flipped(blob, index < 0 ? blob.length + index : index);
    expect(await refusal(decrypt(changed))).toEqual(invalid);
    expect(await refusal(service.kms.decrypt({ CiphertextBlob: changed, KeyId }))).toEqual(invalid);
  });

  test('in any single bit is refused', async () => {
    const blob = await encrypted(Buffer.from('x'));
    for (let bit = 0; bit < blob.length * 8; bit += 7) {
      const changed = flipped(blob, bit >> 3, 1 << (bit & 7));
      const { name } = await refusal(decrypt(changed));
      expect(['InvalidCiphertextException', 'AccessDeniedException']).toContain(name);
    }
  });

  test('so that it names a key that is not here is refused as AWS does, or invalid under a key that is named', async () => {
    const changed = flipped(await encrypted(Buffer.from('secret')), at.keyId);
    expect(await refusal(decrypt(changed))).toEqual({
      name: 'AccessDeniedException',
      message:
        'The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access.',
    });
    expect(await refusal(service.kms.decrypt({ CiphertextBlob: changed, KeyId }))).toEqual(invalid);
  });

  test('so that it names another key is invalid: the key id is authenticated', async () => {
    const other = await service.newKey();
    const blob = await encrypted(Buffer.from('secret'));
    Buffer.from(other.KeyId.replaceAll('-', ''), 'hex').copy(blob, at.keyId);
    expect(await refusal(decrypt(blob))).toEqual(invalid);
    const { KeyMetadata } = await service.kms.describeKey({ KeyId: other.KeyId });
    Buffer.from(KeyMetadata!.CurrentKeyMaterialId!, 'hex').copy(blob, at.material);
    expect(await refusal(decrypt(blob))).toEqual(invalid);
  });

  test.each([
    ['cut short', (blob: Buffer) => blob.subarray(0, -1)],
    ['cut down to its header', (blob: Buffer) => blob.subarray(0, at.body)],
    ['without a body', (blob: Buffer) => Buffer.concat([blob.subarray(0, at.body), blob.subarray(-16)])],
    ['longer', (blob: Buffer) => Buffer.concat([blob, Buffer.alloc(1)])],
    ['replaced by garbage', () => randomBytes(200)],
    ['replaced by one byte', () => Buffer.from([0x48])],
    ['replaced by a blob of AWS', () => Buffer.concat([Buffer.from('0102030078', 'hex'), randomBytes(150)])],
  ])('%s is invalid', async (_how, change) => {
    const changed = change(await encrypted(Buffer.from('secret')));
    expect(await refusal(decrypt(changed))).toEqual(invalid);
    expect(await refusal(service.kms.decrypt({ CiphertextBlob: changed, KeyId }))).toEqual(invalid);
  });
});

describe('a ciphertext of another key than the one named', () => {
  const incorrect = {
    name: 'IncorrectKeyException',
    message: 'The key ID in the request does not identify a CMK that can perform this operation.',
  };

  test.each([
    ['symmetric', {}],
    ['RSA encryption', { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' }],
    ['HMAC', { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' }],
    ['signing', { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' }],
  ] as const)('names an incorrect key: %s', async (_kind, input) => {
    const other = await service.newKey(input);
    const CiphertextBlob = await encrypted(Buffer.from('secret'));
    expect(await refusal(service.kms.decrypt({ CiphertextBlob, KeyId: other.KeyId }))).toEqual(incorrect);
    expect(await refusal(service.kms.decrypt({ CiphertextBlob, KeyId: other.Arn }))).toEqual(incorrect);
  });

  test('names an incorrect key by its alias', async () => {
    const other = await service.newKey();
    await service.kms.createAlias({ AliasName: 'alias/other', TargetKeyId: other.KeyId });
    const CiphertextBlob = await encrypted(Buffer.from('secret'));
    expect(await refusal(service.kms.decrypt({ CiphertextBlob, KeyId: 'alias/other' }))).toEqual(incorrect);
    await service.kms.updateAlias({ AliasName: 'alias/other', TargetKeyId: KeyId });
    expect((await service.kms.decrypt({ CiphertextBlob, KeyId: 'alias/other' })).KeyId).toBe(Arn);
  });

  test('names a key that does not exist', async () => {
    const CiphertextBlob = await encrypted(Buffer.from('secret'));
    expect((await refusal(service.kms.decrypt({ CiphertextBlob, KeyId: randomUUID() }))).name).toBe(
      'NotFoundException',
    );
  });
});

test('a symmetric key takes no other algorithm', async () => {
  for (const EncryptionAlgorithm of ['RSAES_OAEP_SHA_1', 'RSAES_OAEP_SHA_256'] as const) {
    expect(await refusal(service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x'), EncryptionAlgorithm }))).toEqual({
      name: 'InvalidKeyUsageException',
      message: `Algorithm ${EncryptionAlgorithm} is incompatible with key spec SYMMETRIC_DEFAULT.`,
    });
  }
});

test('grant tokens are accepted when they are of a grant, up to ten of them', async () => {
  const GranteePrincipal = userArn('administrator');
  const { GrantToken } = await service.kms.createGrant({ KeyId, GranteePrincipal, Operations: ['Decrypt'] });
  const GrantTokens = Array<string>(10).fill(GrantToken!);
  const { CiphertextBlob } = await service.kms.encrypt({ KeyId, Plaintext: Buffer.from('x'), GrantTokens });
  expect((await service.kms.decrypt({ CiphertextBlob, GrantTokens })).KeyId).toBe(Arn);
  const refusedWith = async (tokens: string[]) =>
    (await refusal(service.kms.decrypt({ CiphertextBlob, GrantTokens: tokens }))).name;
  expect(await refusedWith(Array(11).fill(GrantToken))).toBe('ValidationException');
  expect(await refusedWith(['nobody gave this'])).toBe('InvalidGrantTokenException');
});
