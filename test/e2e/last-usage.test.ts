import type { KeyLastUsageData, KMS } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from '@jest/globals';
import { refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';
import { patience } from '../service/within.js';

let service: Service;
let kms: KMS;
let KeyId: string;
let Arn: string;
beforeAll(async () => {
  service = await Service.start({ workers: 2, flags: ['--uses-milliseconds', '100'] });
  kms = service.kms;
});
afterAll(() => service.end());
beforeEach(async () => {
  ({ KeyId, Arn } = await service.newKey());
});

/** The last use, once it is of the operation that is waited for. @throws Error when that takes too long */
async function lastUse(operation: string | undefined, keyId = KeyId): Promise<KeyLastUsageData | undefined> {
  const end = Date.now() + patience;
  for (;;) {
    const { KeyLastUsage } = await kms.getKeyLastUsage({ KeyId: keyId });
    if (KeyLastUsage?.Operation === operation) return KeyLastUsage;
    if (Date.now() > end) throw new Error(`the last use is ${KeyLastUsage?.Operation}, not ${operation}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Longer than until all workers have written what they noted. */
const settled = () => new Promise((resolve) => setTimeout(resolve, 400));
const Plaintext = Buffer.from('hello');

test('a key that was never used has no last use', async () => {
  const { $metadata: _, ...answer } = await kms.getKeyLastUsage({ KeyId: Arn });
  const { KeyMetadata } = await kms.describeKey({ KeyId });
  const created = KeyMetadata?.CreationDate;
  expect(answer).toEqual({ KeyId, TrackingStartDate: created, KeyCreationDate: created });
});

test('tells operation, time and request of the last use', async () => {
  const before = Date.now();
  const { $metadata } = await kms.encrypt({ KeyId, Plaintext });
  const after = Date.now();
  const use = await lastUse('Encrypt');
  expect(use?.KmsRequestId).toBe($metadata.requestId);
  expect(use?.CloudTrailEventId).toBeUndefined();
  expect(use?.Timestamp?.getTime()).toBeGreaterThanOrEqual(before);
  expect(use?.Timestamp?.getTime()).toBeLessThanOrEqual(after);
  await kms.generateDataKey({ KeyId, KeySpec: 'AES_256' });
  await lastUse('GenerateDataKey');
});

test('ReEncrypt is a use of both keys', async () => {
  const { KeyId: other } = await service.newKey();
  const { CiphertextBlob } = await kms.encrypt({ KeyId, Plaintext });
  await kms.reEncrypt({ CiphertextBlob, DestinationKeyId: other });
  const [one, two] = [await lastUse('ReEncrypt'), await lastUse('ReEncrypt', other)];
  expect(one?.KmsRequestId).toBe(two?.KmsRequestId);
});

test('is kept by a restart', async () => {
  await kms.encrypt({ KeyId, Plaintext });
  const use = await lastUse('Encrypt');
  await service.restart();
  kms = service.kms;
  expect((await kms.getKeyLastUsage({ KeyId })).KeyLastUsage).toEqual(use);
});

describe('no use is', () => {
  const notUses: [string, () => Promise<unknown>][] = [
    ['a dry run', () => kms.encrypt({ KeyId, Plaintext, DryRun: true }).catch(() => {})],
    ['a failure', () => kms.decrypt({ KeyId, CiphertextBlob: Buffer.from('no ciphertext') }).catch(() => {})],
    ['DescribeKey', () => kms.describeKey({ KeyId })],
    ['TagResource', () => kms.tagResource({ KeyId, Tags: [{ TagKey: 'a', TagValue: '' }] })],
    ['ListGrants', () => kms.listGrants({ KeyId })],
  ];
  test.each(notUses)('%s', async (_what, call) => {
    await call();
    await settled();
    await lastUse(undefined);
  });

  test('GetPublicKey', async () => {
    const { KeyId: signing } = await service.newKey({ KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' });
    await kms.getPublicKey({ KeyId: signing });
    await settled();
    await lastUse(undefined, signing);
    const sign = { KeyId: signing, Message: Plaintext, SigningAlgorithm: 'ECDSA_SHA_256' } as const;
    const { Signature } = await kms.sign(sign);
    await lastUse('Sign', signing);
    await kms.verify({ ...sign, Signature });
    await lastUse('Verify', signing);
  });
});

test('is told of keys that are disabled or pending deletion, and under id and ARN only', async () => {
  await kms.encrypt({ KeyId, Plaintext });
  await kms.disableKey({ KeyId });
  await lastUse('Encrypt');
  await kms.scheduleKeyDeletion({ KeyId });
  await lastUse('Encrypt', Arn);
  expect(await refusalName(kms.getKeyLastUsage({ KeyId: 'alias/a' }))).toBe('NotFoundException');
});
