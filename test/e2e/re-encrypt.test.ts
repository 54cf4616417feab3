import type { EncryptionAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';

/** One side of ReEncrypt: a key, an algorithm and a context. */
interface Side {
  readonly key: 'first' | 'second' | 'rsa' | 'otherRsa';
  readonly algorithm?: EncryptionAlgorithmSpec;
  readonly context?: Record<string, string>;
}
const sides: Record<string, Side> = {
  'a symmetric key': { key: 'first' },
  'a symmetric key with a context': { key: 'first', context: { a: '1' } },
  'the same key with another context': { key: 'first', context: { a: '2', b: '' } },
  'another symmetric key': { key: 'second', context: { a: '1' } },
  'an RSA key with SHA-1': { key: 'rsa', algorithm: 'RSAES_OAEP_SHA_1' },
  'an RSA key with SHA-256': { key: 'rsa', algorithm: 'RSAES_OAEP_SHA_256' },
  'another RSA key': { key: 'otherRsa', algorithm: 'RSAES_OAEP_SHA_256' },
};
const combinations = Object.keys(sides).flatMap((from) => Object.keys(sides).map((to) => [from, to] as const));

let service: Service;
let keys: Record<Side['key'], { KeyId: string; Arn: string }>;
beforeAll(async () => {
  service = await Service.start();
  const rsa = { KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' } as const;
  keys = {
    first: await service.newKey(),
    second: await service.newKey(),
    rsa: await service.newKey(rsa),
    otherRsa: await service.newKey(rsa),
  };
});
afterAll(() => service?.end());

async function encrypted({ key, algorithm, context }: Side, Plaintext: Buffer) {
  const { CiphertextBlob } = await service.kms.encrypt({
    ...{ KeyId: keys[key].KeyId, Plaintext, EncryptionAlgorithm: algorithm, EncryptionContext: context },
  });
  return CiphertextBlob!;
}
async function materialIdOf({ key, algorithm }: Side): Promise<string | undefined> {
  if (algorithm !== undefined) return undefined;
  return (await service.kms.describeKey({ KeyId: keys[key].KeyId })).KeyMetadata?.CurrentKeyMaterialId;
}

test.each(combinations)('from %s to %s', async (fromName, toName) => {
  const [from, to] = [sides[fromName]!, sides[toName]!];
  const plaintext = Buffer.from('the same all the way');
  const {
    $metadata: _,
    CiphertextBlob,
    ...rest
  } = await service.kms.reEncrypt({
    CiphertextBlob: await encrypted(from, plaintext),
    SourceKeyId: keys[from.key].KeyId,
    SourceEncryptionAlgorithm: from.algorithm,
    SourceEncryptionContext: from.context,
    DestinationKeyId: keys[to.key].KeyId,
    DestinationEncryptionAlgorithm: to.algorithm,
    DestinationEncryptionContext: to.context,
  });
  const [fromMaterial, toMaterial] = [await materialIdOf(from), await materialIdOf(to)];
  expect(rest).toEqual({
    SourceKeyId: keys[from.key].Arn,
    KeyId: keys[to.key].Arn,
    SourceEncryptionAlgorithm: from.algorithm ?? 'SYMMETRIC_DEFAULT',
    DestinationEncryptionAlgorithm: to.algorithm ?? 'SYMMETRIC_DEFAULT',
    ...(fromMaterial && { SourceKeyMaterialId: fromMaterial }),
    ...(toMaterial && { DestinationKeyMaterialId: toMaterial }),
  });
  const { Plaintext } = await service.kms.decrypt({
    ...{ CiphertextBlob, KeyId: keys[to.key].KeyId, EncryptionAlgorithm: to.algorithm, EncryptionContext: to.context },
  });
  expect(Buffer.from(Plaintext!).equals(plaintext)).toBe(true);
});

test('a symmetric source need not be named', async () => {
  const CiphertextBlob = await encrypted({ key: 'first' }, Buffer.from('x'));
  const answer = await service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: keys.second.KeyId });
  expect(answer.SourceKeyId).toBe(keys.first.Arn);
  expect((await service.kms.decrypt({ CiphertextBlob: answer.CiphertextBlob })).KeyId).toBe(keys.second.Arn);
});

test('an RSA source must be named', async () => {
  const CiphertextBlob = await encrypted({ key: 'rsa', algorithm: 'RSAES_OAEP_SHA_256' }, Buffer.from('x'));
  const request = { CiphertextBlob, DestinationKeyId: keys.second.KeyId };
  const unnamed = service.kms.reEncrypt({ ...request, SourceEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' });
  expect((await refusal(unnamed)).name).toBe('ValidationException');
});

test('a wrong source is refused as in Decrypt', async () => {
  const blob = Buffer.from(await encrypted({ key: 'first', context: { a: '1' } }, Buffer.from('x')));
  const DestinationKeyId = keys.second.KeyId;
  const invalid = { name: 'InvalidCiphertextException', message: '' };
  expect(await refusal(service.kms.reEncrypt({ CiphertextBlob: blob, DestinationKeyId }))).toEqual(invalid);
  const SourceEncryptionContext = { a: '1' };
  blob[blob.length - 1]! ^= 1;
  const changed = { CiphertextBlob: blob, DestinationKeyId, SourceEncryptionContext };
  expect(await refusal(service.kms.reEncrypt(changed))).toEqual(invalid);
  blob[blob.length - 1]! ^= 1;
  expect(await refusal(service.kms.reEncrypt({ ...changed, SourceKeyId: keys.second.KeyId }))).toEqual({
    name: 'IncorrectKeyException',
    message: 'The key ID in the request does not identify a CMK that can perform this operation.',
  });
});

test('what does not fit under the destination key is refused in its words', async () => {
  const CiphertextBlob = await encrypted({ key: 'first' }, Buffer.alloc(191));
  const request = { CiphertextBlob, DestinationKeyId: keys.rsa.KeyId } as const;
  const tooLong = service.kms.reEncrypt({ ...request, DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' });
  expect(await refusal(tooLong)).toEqual({
    name: 'ValidationException',
    message: 'Algorithm RSAES_OAEP_SHA_256 and key spec RSA_2048 cannot encrypt data larger than 190 bytes.',
  });
});

test('a key of another usage is refused by the half of the operation that it is named for', async () => {
  const signing = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
  const CiphertextBlob = await encrypted({ key: 'first' }, Buffer.from('x'));
  const wrongUsage = (half: string) => ({
    name: 'InvalidKeyUsageException',
    message: `${signing.Arn} key usage is SIGN_VERIFY which is not valid for ${half}.`,
  });
  expect(await refusal(service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: signing.KeyId }))).toEqual(
    wrongUsage('ReEncryptTo'),
  );
});

test('an algorithm that is not of the destination key is refused', async () => {
  const CiphertextBlob = await encrypted({ key: 'first' }, Buffer.from('x'));
  const request = { CiphertextBlob, DestinationKeyId: keys.second.KeyId } as const;
  const call = service.kms.reEncrypt({ ...request, DestinationEncryptionAlgorithm: 'RSAES_OAEP_SHA_256' });
  expect(await refusal(call)).toEqual({
    name: 'InvalidKeyUsageException',
    message: 'Algorithm RSAES_OAEP_SHA_256 is incompatible with key spec SYMMETRIC_DEFAULT.',
  });
});
