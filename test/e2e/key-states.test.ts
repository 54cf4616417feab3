import { generateKeyPairSync, randomUUID } from 'node:crypto';
import type { CreateKeyRequest } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { refusal } from '../service/refusal.js';
import { Service } from '../service/service.js';

let service: Service;
beforeAll(async () => {
  service = await Service.start();
});
afterAll(() => service?.end());

const kinds = {
  symmetric: {},
  signing: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  mac: { KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  agreement: { KeySpec: 'ECC_NIST_P256', KeyUsage: 'KEY_AGREEMENT' },
} as const satisfies Record<string, CreateKeyRequest>;
type Kind = keyof typeof kinds;
type State = 'Enabled' | 'Disabled' | 'PendingDeletion';

/** What an operation does in each state: passes, or is refused as disabled or as pending deletion. */
interface Row {
  readonly operation: string;
  readonly kind: Kind;
  readonly call: (KeyId: string, made: Made) => Promise<unknown>;
  readonly Enabled: 'ok' | 'invalid';
  readonly Disabled: 'ok' | 'disabled' | 'invalid';
  readonly PendingDeletion: 'ok' | 'invalid';
}
/** Made with the key while it was enabled. */
interface Made {
  readonly blob?: Uint8Array | undefined;
  readonly signature?: Uint8Array | undefined;
  readonly mac?: Uint8Array | undefined;
  readonly otherKeyId: string;
}

const Message = Buffer.from('m');
const ecdsa = { SigningAlgorithm: 'ECDSA_SHA_256' } as const;
const hmac = { MacAlgorithm: 'HMAC_SHA_256' } as const;
const peer = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ format: 'der', type: 'spki' });
const alias = () => `alias/${randomUUID()}`;
const cryptographic = { Enabled: 'ok', Disabled: 'disabled', PendingDeletion: 'invalid' } as const;
const always = { Enabled: 'ok', Disabled: 'ok', PendingDeletion: 'ok' } as const;
const notPending = { Enabled: 'ok', Disabled: 'ok', PendingDeletion: 'invalid' } as const;
const onlyPending = { Enabled: 'invalid', Disabled: 'invalid', PendingDeletion: 'ok' } as const;

const aliasedTo = async (KeyId: string) => {
  const AliasName = alias();
  await service.kms.createAlias({ AliasName, TargetKeyId: KeyId });
  return AliasName;
};

/** Contract A.4, the operations that are done. */
const table: Row[] = [
  ...(
    [
      ['Encrypt', (KeyId) => service.kms.encrypt({ KeyId, Plaintext: Message })],
      ['Decrypt', (_KeyId, { blob }) => service.kms.decrypt({ CiphertextBlob: blob })],
      ['Decrypt with KeyId', (KeyId, { blob }) => service.kms.decrypt({ CiphertextBlob: blob, KeyId })],
      [
        'ReEncrypt from',
        (_, { blob, otherKeyId }) => service.kms.reEncrypt({ CiphertextBlob: blob, DestinationKeyId: otherKeyId }),
      ],
      [
        'ReEncrypt to',
        async (KeyId, { otherKeyId }) => {
          const { CiphertextBlob } = await service.kms.encrypt({ KeyId: otherKeyId, Plaintext: Message });
          return service.kms.reEncrypt({ CiphertextBlob, DestinationKeyId: KeyId });
        },
      ],
      ['GenerateDataKey', (KeyId) => service.kms.generateDataKey({ KeyId, KeySpec: 'AES_256' })],
      [
        'GenerateDataKeyWithoutPlaintext',
        (KeyId) => service.kms.generateDataKeyWithoutPlaintext({ KeyId, KeySpec: 'AES_256' }),
      ],
      ['GenerateDataKeyPair', (KeyId) => service.kms.generateDataKeyPair({ KeyId, KeyPairSpec: 'ECC_NIST_P256' })],
      [
        'GenerateDataKeyPairWithoutPlaintext',
        (KeyId) => service.kms.generateDataKeyPairWithoutPlaintext({ KeyId, KeyPairSpec: 'ECC_NIST_P256' }),
      ],
    ] satisfies [string, Row['call']][]
  ).map(([operation, call]) => ({ operation, kind: 'symmetric' as const, call, ...cryptographic })),
  {
    operation: 'Sign',
    kind: 'signing',
    call: (KeyId) => service.kms.sign({ KeyId, Message, ...ecdsa }),
    ...cryptographic,
  },
  {
    operation: 'Verify',
    kind: 'signing',
    call: (KeyId, { signature }) => service.kms.verify({ KeyId, Message, Signature: signature, ...ecdsa }),
    ...cryptographic,
  },
  {
    operation: 'GetPublicKey',
    kind: 'signing',
    call: (KeyId) => service.kms.getPublicKey({ KeyId }),
    ...cryptographic,
  },
  {
    operation: 'GenerateMac',
    kind: 'mac',
    call: (KeyId) => service.kms.generateMac({ KeyId, Message, ...hmac }),
    ...cryptographic,
  },
  {
    operation: 'VerifyMac',
    kind: 'mac',
    call: (KeyId, { mac }) => service.kms.verifyMac({ KeyId, Message, Mac: mac, ...hmac }),
    ...cryptographic,
  },
  {
    operation: 'DeriveSharedSecret',
    kind: 'agreement',
    call: (KeyId) => service.kms.deriveSharedSecret({ KeyId, PublicKey: peer, KeyAgreementAlgorithm: 'ECDH' }),
    ...cryptographic,
  },
  { operation: 'DescribeKey', kind: 'symmetric', call: (KeyId) => service.kms.describeKey({ KeyId }), ...always },
  { operation: 'ListAliases', kind: 'symmetric', call: (KeyId) => service.kms.listAliases({ KeyId }), ...always },
  {
    operation: 'CreateAlias',
    kind: 'symmetric',
    call: (KeyId) => service.kms.createAlias({ AliasName: alias(), TargetKeyId: KeyId }),
    ...notPending,
  },
  {
    operation: 'UpdateAlias to it',
    kind: 'symmetric',
    call: async (KeyId, { otherKeyId }) =>
      service.kms.updateAlias({ AliasName: await aliasedTo(otherKeyId), TargetKeyId: KeyId }),
    ...notPending,
  },
  { operation: 'EnableKey', kind: 'symmetric', call: (KeyId) => service.kms.enableKey({ KeyId }), ...notPending },
  { operation: 'DisableKey', kind: 'symmetric', call: (KeyId) => service.kms.disableKey({ KeyId }), ...notPending },
  {
    operation: 'ScheduleKeyDeletion',
    kind: 'symmetric',
    call: (KeyId) => service.kms.scheduleKeyDeletion({ KeyId }),
    ...notPending,
  },
  {
    operation: 'CancelKeyDeletion',
    kind: 'symmetric',
    call: (KeyId) => service.kms.cancelKeyDeletion({ KeyId }),
    ...onlyPending,
  },
];

async function make(kind: Kind): Promise<{ KeyId: string; Arn: string; made: Made }> {
  const key = await service.newKey(kinds[kind]);
  const { KeyId } = key;
  const { KeyId: otherKeyId } = await service.newKey();
  const made = {
    blob: kind === 'symmetric' ? (await service.kms.encrypt({ KeyId, Plaintext: Message })).CiphertextBlob : undefined,
    signature: kind === 'signing' ? (await service.kms.sign({ KeyId, Message, ...ecdsa })).Signature : undefined,
    mac: kind === 'mac' ? (await service.kms.generateMac({ KeyId, Message, ...hmac })).Mac : undefined,
    otherKeyId,
  };
  return { ...key, made };
}
const bring: Record<State, (KeyId: string) => Promise<unknown>> = {
  Enabled: async () => {},
  Disabled: (KeyId) => service.kms.disableKey({ KeyId }),
  PendingDeletion: (KeyId) => service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays: 7 }),
};

describe.each(['Enabled', 'Disabled', 'PendingDeletion'] as const)('a key that is %s', (state) => {
  test.each(table.map((row) => ({ ...row, verdict: row[state] })))('$operation: $verdict', async (row) => {
    const { KeyId, Arn, made } = await make(row.kind);
    await bring[state](KeyId);
    if (row.verdict === 'ok') {
      await row.call(KeyId, made);
      return;
    }
    const words = row.operation === 'CancelKeyDeletion' ? 'is not pending deletion.' : 'is pending deletion.';
    expect(await refusal(row.call(KeyId, made))).toEqual(
      row.verdict === 'disabled'
        ? { name: 'DisabledException', message: `${Arn} is disabled.` }
        : { name: 'KMSInvalidStateException', message: `${Arn} ${words}` },
    );
  });
});

const metadata = async (KeyId: string) => (await service.kms.describeKey({ KeyId })).KeyMetadata!;

test('DisableKey and EnableKey change the state, and may be repeated', async () => {
  const { KeyId } = await service.newKey();
  for (const _ of [1, 2]) {
    await service.kms.disableKey({ KeyId });
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Disabled', Enabled: false });
  }
  for (const _ of [1, 2]) {
    await service.kms.enableKey({ KeyId });
    expect(await metadata(KeyId)).toMatchObject({ KeyState: 'Enabled', Enabled: true });
  }
});

test.each([7, 30, undefined])('ScheduleKeyDeletion with a window of %s days, and back', async (PendingWindowInDays) => {
  const { KeyId, Arn } = await service.newKey();
  const { $metadata: _, ...answer } = await service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays });
  const days = PendingWindowInDays ?? 30;
  expect(answer).toEqual({
    ...{ KeyId: Arn, KeyState: 'PendingDeletion', PendingWindowInDays: days, DeletionDate: expect.any(Date) },
  });
  const due = Date.now() + days * 24 * 60 * 60 * 1000;
  expect(Math.abs(answer.DeletionDate!.getTime() - due)).toBeLessThan(60_000);
  expect(await metadata(KeyId)).toMatchObject({
    ...{ KeyState: 'PendingDeletion', Enabled: false, DeletionDate: answer.DeletionDate },
  });

  const { $metadata: __, ...cancelled } = await service.kms.cancelKeyDeletion({ KeyId });
  expect(cancelled).toEqual({ KeyId: Arn });
  const after = await metadata(KeyId);
  expect(after).toMatchObject({ KeyState: 'Disabled', Enabled: false });
  expect(after).not.toHaveProperty('DeletionDate');
  await service.kms.enableKey({ KeyId });
  expect((await service.kms.encrypt({ KeyId, Plaintext: Message })).KeyId).toBe(Arn);
});

test.each([-1, 0, 1, 6, 31, 365, 366])(
  'ScheduleKeyDeletion refuses a window of %i days',
  async (PendingWindowInDays) => {
    const { KeyId } = await service.newKey();
    const { name } = await refusal(service.kms.scheduleKeyDeletion({ KeyId, PendingWindowInDays }));
    expect(name).toBe('ValidationException');
    expect((await metadata(KeyId)).KeyState).toBe('Enabled');
  },
);

test('what was made before is good again after the key is enabled again', async () => {
  const { KeyId, made } = await make('symmetric');
  await service.kms.disableKey({ KeyId });
  await service.kms.enableKey({ KeyId });
  const { Plaintext } = await service.kms.decrypt({ CiphertextBlob: made.blob });
  expect(Buffer.from(Plaintext!).equals(Message)).toBe(true);
});

test('many who change one key at once are all answered, and none by a fault of the service', async () => {
  const { KeyId } = await service.newKey();
  const changes = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0 ? service.kms.disableKey({ KeyId }) : service.kms.enableKey({ KeyId }),
  );
  const outcomes = await Promise.allSettled(changes);
  const faults = outcomes.flatMap((each) => (each.status === 'rejected' ? [each.reason.name] : []));
  expect(faults).not.toContain('KMSInternalException');
});

test('of many who schedule the deletion of one key at once, one does', async () => {
  const { KeyId } = await service.newKey();
  const calls = Array.from({ length: 10 }, () => service.kms.scheduleKeyDeletion({ KeyId }));
  const outcomes = await Promise.allSettled(calls);
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  for (const each of outcomes)
    if (each.status === 'rejected') expect(each.reason.name).toBe('KMSInvalidStateException');
});
