import type { CreateKeyRequest } from '@aws-sdk/client-kms';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { importInto } from '../../service/byok.js';
import { baselines, validRequest } from './baselines.js';
import { type Kind, kinds, World } from './world.js';

/** Every operation on a key of every state that a client can bring one to (contract A.4). */

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(() => world?.end());

/** `ok`: as on an enabled key. */
type Verdict = 'ok' | 'disabled' | 'pending deletion' | 'pending import' | 'not pending deletion' | 'unsupported';
/** In the states Disabled, PendingDeletion, PendingImport. */
type Row = readonly [Verdict, Verdict, Verdict];

const uses: Row = ['disabled', 'pending deletion', 'pending import'];
const looks: Row = ['ok', 'ok', 'ok'];
const describes: Row = ['ok', 'pending deletion', 'ok'];
const switches: Row = ['ok', 'pending deletion', 'pending import'];
const rotates: Row = ['disabled', 'pending deletion', 'unsupported'];
const refused: Row = ['unsupported', 'unsupported', 'unsupported'];

const rows: { readonly [N in OperationName]?: Row } = {
  Encrypt: uses,
  Decrypt: uses,
  ReEncrypt: uses,
  GenerateDataKey: uses,
  GenerateDataKeyWithoutPlaintext: uses,
  GenerateDataKeyPair: uses,
  GenerateDataKeyPairWithoutPlaintext: uses,
  Sign: uses,
  Verify: uses,
  GenerateMac: uses,
  VerifyMac: uses,
  DeriveSharedSecret: uses,
  GetPublicKey: uses,
  Encapsulate: uses,
  Decapsulate: uses,
  CreateGrant: uses,
  CreateAlias: describes,
  UpdateAlias: describes,
  TagResource: describes,
  UntagResource: describes,
  UpdateKeyDescription: describes,
  DescribeKey: looks,
  GetKeyPolicy: looks,
  PutKeyPolicy: looks,
  ListAliases: looks,
  ListGrants: looks,
  ListKeyPolicies: looks,
  ListKeyRotations: looks,
  ListResourceTags: looks,
  RetireGrant: looks,
  RevokeGrant: looks,
  GetKeyLastUsage: looks,
  GetKeyRotationStatus: looks,
  EnableKey: switches,
  DisableKey: switches,
  ScheduleKeyDeletion: describes,
  CancelKeyDeletion: ['not pending deletion', 'ok', 'not pending deletion'],
  EnableKeyRotation: rotates,
  DisableKeyRotation: rotates,
  RotateKeyOnDemand: uses,
  GetParametersForImport: describes,
  ImportKeyMaterial: describes,
  DeleteImportedKeyMaterial: looks,
  // of single-Region keys, whatever their state
  ReplicateKey: refused,
  UpdatePrimaryRegion: refused,
};

const states = ['Disabled', 'PendingDeletion', 'PendingImport'] as const;
type State = (typeof states)[number];

/** Operations after which a key is not in its state any more. */
const changing: ReadonlySet<OperationName> = new Set([
  'EnableKey',
  'DisableKey',
  'ScheduleKeyDeletion',
  'CancelKeyDeletion',
  'DeleteImportedKeyMaterial',
]);
const shared = new Map<string, { KeyId: string; Arn: string }>();

/** A key of a kind in a state: its own for an operation that changes it. */
async function keyFor(operation: OperationName, state: State): Promise<{ KeyId: string; Arn: string }> {
  const kind = baselines[operation].key?.kind as Kind;
  const name = `${kind} ${state}`;
  const known = changing.has(operation) ? undefined : shared.get(name);
  const key = known ?? (await newKeyIn(state, kind));
  if (!changing.has(operation)) shared.set(name, key);
  return key;
}

/** Makes a key of a kind, and brings it to a state. */
async function newKeyIn(state: State, kind: Kind): Promise<{ KeyId: string; Arn: string }> {
  const input: CreateKeyRequest = kinds[kind];
  const key = await world.service.newKey({ ...input, ...(state === 'PendingImport' && { Origin: 'EXTERNAL' }) });
  const { KeyId } = key;
  if (state === 'PendingImport') return key;
  if (kind === 'external') await importInto(world.service, KeyId, Buffer.alloc(32, KeyId));
  await world.answer(state === 'Disabled' ? 'DisableKey' : 'ScheduleKeyDeletion', { KeyId });
  return key;
}

const said = (arn: string, verdict: Verdict) => {
  if (verdict === 'disabled') return { status: 400, name: 'DisabledException', message: `${arn} is disabled.` };
  return { status: 400, name: 'KMSInvalidStateException', message: `${arn} is ${verdict}.` };
};

/** What a baseline ends with has to do with the state of its own key. */
const endsOtherwise: ReadonlySet<OperationName> = new Set(['ScheduleKeyDeletion', 'CancelKeyDeletion']);

test('the table has every operation that takes a key', () => {
  const withKeys = Object.entries(baselines).filter(([, { key }]) => key !== undefined);
  expect(Object.keys(rows).toSorted()).toEqual(withKeys.map(([name]) => name).toSorted());
});

describe.each(Object.entries(rows) as [OperationName, Row][])('%s', (operation, row) => {
  test.each(states.map((state, index) => [state, row[index] as Verdict] as const))('%s: %s', async (state, verdict) => {
    const { ends } = baselines[operation];
    const { KeyId, Arn } = await keyFor(operation, state);
    const { status, name, message } = await world.wire.ask(operation, validRequest(operation, world, KeyId));
    if (verdict === 'ok') {
      expect({ status, name }).toEqual(
        ends === undefined || endsOtherwise.has(operation)
          ? { status: 200, name: undefined }
          : { status: 400, name: ends },
      );
    } else if (verdict === 'unsupported') {
      expect(name).toBe('UnsupportedOperationException');
    } else {
      expect({ status, name, message }).toEqual(said(Arn, verdict));
    }
  });
});
