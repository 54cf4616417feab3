import { randomBytes } from 'node:crypto';
import type { KeySpec, MacAlgorithmSpec } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal, refusalName } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const specs: [KeySpec, MacAlgorithmSpec, number][] = [
  ['HMAC_224', 'HMAC_SHA_224', 28],
  ['HMAC_256', 'HMAC_SHA_256', 32],
  ['HMAC_384', 'HMAC_SHA_384', 48],
  ['HMAC_512', 'HMAC_SHA_512', 64],
];

describe.each(specs)('%s', (KeySpec, MacAlgorithm, bytes) => {
  let KeyId: string;
  let arn: string;
  beforeAll(async () => {
    ({ KeyId, Arn: arn } = await service.newKey({ KeySpec, KeyUsage: 'GENERATE_VERIFY_MAC' }));
  });

  test.each([1, 64, 4096])(`gives a MAC of ${bytes} bytes for a message of %i, and verifies it`, async (length) => {
    const Message = randomBytes(length);
    const made = await service.kms.generateMac({ KeyId, Message, MacAlgorithm });
    expect(made).toMatchObject({ KeyId: arn, MacAlgorithm });
    expect(made.Mac).toHaveLength(bytes);
    const { $metadata: _, ...verified } = await service.kms.verifyMac({ KeyId, Message, MacAlgorithm, Mac: made.Mac });
    expect(verified).toEqual({ KeyId: arn, MacValid: true, MacAlgorithm });
  });

  test('gives the same MAC for the same message', async () => {
    const Message = Buffer.from('once and again');
    const [first, second] = await Promise.all(
      [1, 2].map(() => service.kms.generateMac({ KeyId, Message, MacAlgorithm })),
    );
    expect(first?.Mac).toEqual(second?.Mac);
  });

  test('refuses a MAC that is not of the message, without a message', async () => {
    const Message = Buffer.from('hello');
    const Mac = Buffer.from((await service.kms.generateMac({ KeyId, Message, MacAlgorithm })).Mac!);
    const invalid = { name: 'KMSInvalidMacException', message: '' };
    const verify = (message: Buffer, mac: Buffer) =>
      refusal(service.kms.verifyMac({ KeyId, Message: message, MacAlgorithm, Mac: mac }));

    expect(await verify(Buffer.from('hallo'), Mac)).toEqual(invalid);
    for (const index of [0, bytes - 1]) {
      const changed = Buffer.from(Mac);
      changed[index]! ^= 1;
      expect(await verify(Message, changed)).toEqual(invalid);
    }
    expect(await verify(Message, Mac.subarray(0, bytes - 1))).toEqual(invalid);
    expect(await verify(Message, Mac.subarray(0, 1))).toEqual(invalid);
    expect(await verify(Message, Buffer.concat([Mac, Buffer.alloc(1)]))).toEqual(invalid);
  });

  test.each(specs.filter(([spec]) => spec !== KeySpec))(`does not take the algorithm of %s`, async (_spec, other) => {
    const request = { KeyId, Message: Buffer.from('m'), MacAlgorithm: other };
    const incompatible = {
      name: 'InvalidKeyUsageException',
      message: `Algorithm ${other} is incompatible with key spec ${KeySpec}.`,
    };
    expect(await refusal(service.kms.generateMac(request))).toEqual(incompatible);
    expect(await refusal(service.kms.verifyMac({ ...request, Mac: Buffer.alloc(bytes) }))).toEqual(incompatible);
  });
});

test('a MAC of one key is none of another', async () => {
  const spec = { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' } as const;
  const { KeyId: mine } = await service.newKey(spec);
  const { KeyId: other } = await service.newKey(spec);
  const request = { Message: Buffer.from('m'), MacAlgorithm: 'HMAC_SHA_256' } as const;
  const { Mac } = await service.kms.generateMac({ KeyId: mine, ...request });
  expect(await refusalName(service.kms.verifyMac({ KeyId: other, ...request, Mac }))).toBe('KMSInvalidMacException');
});

test('a key that is not for MACs is refused by name of its usage', async () => {
  const { KeyId, Arn } = await service.newKey();
  const request = { KeyId, Message: Buffer.from('m'), MacAlgorithm: 'HMAC_SHA_256' } as const;
  expect(await refusal(service.kms.generateMac(request))).toEqual({
    name: 'InvalidKeyUsageException',
    message: `${Arn} key usage is ENCRYPT_DECRYPT which is not valid for GenerateMac.`,
  });
  expect(await refusal(service.kms.verifyMac({ ...request, Mac: Buffer.alloc(32) }))).toEqual({
    name: 'InvalidKeyUsageException',
    message: `${Arn} key usage is ENCRYPT_DECRYPT which is not valid for VerifyMac.`,
  });
});
