import type { KeySpec, KeyUsageType, OriginType } from '@aws-sdk/client-kms';
import { importInto } from '../service/byok.js';
import { checkArtefact, encryptionOf, signingAlgorithms } from './artefacts.js';
import type { LoadClient, Wanted } from './client.js';
import type { Facet } from './facet.js';
import type { KeyModel, KeyRequest } from './model.js';

/** What a client of the load does, and how often beside the others. */
export interface LoadOperation {
  readonly name: string;
  readonly weight: number;
  /** @returns false when there is nothing now to do it with. @throws UnansweredError, LossError */
  readonly run: (client: LoadClient) => Promise<boolean>;
}

/** Keys are made until there are so many. */
const mostKeys = 400;
const mostRotations = 20;

const newKeys: readonly { weight: number; KeySpec: KeySpec; KeyUsage: KeyUsageType; Origin?: OriginType }[] = [
  { weight: 6, KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT' },
  { weight: 3, KeySpec: 'ECC_NIST_P256', KeyUsage: 'SIGN_VERIFY' },
  { weight: 1, KeySpec: 'ECC_NIST_EDWARDS25519', KeyUsage: 'SIGN_VERIFY' },
  { weight: 3, KeySpec: 'HMAC_256', KeyUsage: 'GENERATE_VERIFY_MAC' },
  { weight: 1, KeySpec: 'RSA_2048', KeyUsage: 'SIGN_VERIFY' },
  { weight: 1, KeySpec: 'RSA_2048', KeyUsage: 'ENCRYPT_DECRYPT' },
  { weight: 2, KeySpec: 'SYMMETRIC_DEFAULT', KeyUsage: 'ENCRYPT_DECRYPT', Origin: 'EXTERNAL' },
];

/** A key policy that lets the account do everything, and can be told from others. */
function policyNamed(name: string, principal: string): string {
  const root = principal.replace(/:user\/.*$/, ':root');
  const statement = { Sid: name.replaceAll('-', ''), Effect: 'Allow', Principal: { AWS: root } };
  return JSON.stringify({
    Version: '2012-10-17',
    Statement: [{ ...statement, Action: 'kms:*', Resource: '*' }],
  });
}

const encrypts = ({ request }: KeyModel) => request.KeyUsage === 'ENCRYPT_DECRYPT';
const signs = ({ request }: KeyModel) => request.KeyUsage === 'SIGN_VERIFY';
const isRotatable = (key: KeyModel) => key.isRotatable;
const isImported = ({ request }: KeyModel) => request.Origin === 'EXTERNAL';
const changing = (...names: readonly (keyof KeyModel)[]): NonNullable<Wanted['changes']> => {
  return (key) => names.map((name) => key[name] as Facet<unknown>);
};

/** A change of one thing of a key. */
interface KeyChange<V> {
  readonly name: string;
  readonly weight: number;
  readonly wanted?: Wanted;
  readonly facet: (key: KeyModel) => Facet<V>;
  /** What it is to be. */
  readonly next: (client: LoadClient, key: KeyModel) => V;
  readonly request: (client: LoadClient, key: KeyModel, value: V) => Promise<unknown>;
}

function change<V>({ name, weight, wanted, facet, next, request }: KeyChange<V>): LoadOperation {
  const run = (client: LoadClient) =>
    client.withKey({ ...wanted, changes: (key) => [facet(key) as Facet<unknown>] }, async (key) => {
      const value = next(client, key);
      await client.change(facet(key), value, () => request(client, key, value));
    });
  return { name, weight, run };
}

export const keyOperations: readonly LoadOperation[] = [
  {
    name: 'CreateKey',
    weight: 10,
    async run(client) {
      if (client.model.keys.size >= mostKeys) return false;
      const { weight: _, Origin = 'AWS_KMS', ...kind } = client.random.weighted(newKeys);
      const Description = client.newName();
      const Tags = [{ TagKey: 'made-by', TagValue: Description }];
      const request: KeyRequest = {
        ...kind,
        Origin,
        Description,
        Tags,
        Policy: policyNamed(Description, client.principal),
      };
      client.model.unansweredKeys.set(Description, request);
      const { KeyMetadata } = await client.ask(client.kms.createKey(request));
      client.model.unansweredKeys.delete(Description);
      client.model.add(KeyMetadata?.KeyId ?? '', request);
      return true;
    },
  },
  change({
    ...{ name: 'UpdateKeyDescription', weight: 5 },
    facet: (key) => key.description,
    next: (client) => client.newName(),
    request: (client, { id }, Description) => client.kms.updateKeyDescription({ KeyId: id, Description }),
  }),
  change({
    ...{ name: 'PutKeyPolicy', weight: 5 },
    facet: (key) => key.policy,
    next: (client) => policyNamed(client.newName(), client.principal),
    request: (client, { id }, Policy) => client.kms.putKeyPolicy({ KeyId: id, Policy }),
  }),
  change({
    ...{ name: 'DisableKey', weight: 4 },
    facet: (key) => key.state,
    next: () => 'Disabled',
    request: (client, { id }) => client.kms.disableKey({ KeyId: id }),
  }),
  change({
    ...{ name: 'EnableKey', weight: 8, wanted: { state: 'Disabled' } },
    facet: (key) => key.state,
    next: () => 'Enabled',
    request: (client, { id }) => client.kms.enableKey({ KeyId: id }),
  }),
  change({
    ...{ name: 'ScheduleKeyDeletion', weight: 3 },
    facet: (key) => key.state,
    next: () => 'PendingDeletion',
    request: (client, { id }) => client.kms.scheduleKeyDeletion({ KeyId: id, PendingWindowInDays: 7 }),
  }),
  change({
    ...{ name: 'CancelKeyDeletion', weight: 5, wanted: { state: 'PendingDeletion' } },
    facet: (key) => key.state,
    next: () => 'Disabled',
    request: (client, { id }) => client.kms.cancelKeyDeletion({ KeyId: id }),
  }),
  change<number | null>({
    ...{ name: 'EnableKeyRotation', weight: 3, wanted: { also: isRotatable } },
    facet: (key) => key.rotationPeriod,
    next: (client) => client.random.between(90, 2560),
    request: (client, { id }, days) =>
      client.kms.enableKeyRotation({ KeyId: id, RotationPeriodInDays: days ?? undefined }),
  }),
  change<number | null>({
    ...{ name: 'DisableKeyRotation', weight: 2, wanted: { also: isRotatable } },
    facet: (key) => key.rotationPeriod,
    next: () => null,
    request: (client, { id }) => client.kms.disableKeyRotation({ KeyId: id }),
  }),
  change({
    ...{ name: 'RotateKeyOnDemand', weight: 4 },
    wanted: { also: (key) => key.isRotatable && (key.rotations.certain ?? 0) < mostRotations },
    facet: (key) => key.rotations,
    next: (_client, key) => (key.rotations.certain ?? 0) + 1,
    request: (client, { id }) => client.kms.rotateKeyOnDemand({ KeyId: id }),
  }),
  change({
    ...{ name: 'ImportKeyMaterial', weight: 3, wanted: { state: 'PendingImport', also: isImported } },
    facet: (key) => key.state,
    next: () => 'Enabled',
    request(client, key) {
      key.material ??= client.random.bytes(32);
      return importInto(client, key.id, key.material);
    },
  }),
  change({
    ...{ name: 'DeleteImportedKeyMaterial', weight: 2, wanted: { also: isImported } },
    facet: (key) => key.state,
    next: () => 'PendingImport',
    request: (client, { id }) => client.kms.deleteImportedKeyMaterial({ KeyId: id }),
  }),
  {
    name: 'TagResource',
    weight: 5,
    run: (client) =>
      client.withKey({ changes: changing('tags') }, async ({ id, tags }) => {
        // several at a time: all or none
        const added = { first: client.newName(), second: client.newName(), [`of-${client.random.between(1, 9)}`]: 'x' };
        const Tags = Object.entries(added).map(([TagKey, TagValue]) => ({ TagKey, TagValue }));
        await client.change(tags, { ...tags.certain, ...added }, () => client.kms.tagResource({ KeyId: id, Tags }));
      }),
  },
  {
    name: 'UntagResource',
    weight: 3,
    run: (client) =>
      client.withKey({ changes: changing('tags') }, async ({ id, tags }) => {
        const { first, second, ...others } = tags.certain ?? {};
        const request = { KeyId: id, TagKeys: ['first', 'second'] };
        await client.change(tags, others, () => client.kms.untagResource(request));
      }),
  },
  {
    name: 'CreateGrant',
    weight: 5,
    run: (client) =>
      client.withKey({ also: encrypts, changes: changing('grants') }, async ({ id, grants, grantIds }) => {
        const Name = client.newName();
        const principals = { GranteePrincipal: client.principal, RetiringPrincipal: client.principal };
        const { GrantId = '' } = await client.change(grants, [...(grants.certain ?? []), Name].sort(), () =>
          client.kms.createGrant({ KeyId: id, Name, Operations: ['Encrypt', 'Decrypt'], ...principals }),
        );
        grantIds.set(Name, GrantId);
      }),
  },
  ...(['retireGrant', 'revokeGrant'] as const).map(
    (method): LoadOperation => ({
      name: method === 'retireGrant' ? 'RetireGrant' : 'RevokeGrant',
      weight: 2,
      run: (client) =>
        client.withKey(
          { also: ({ grants }) => (grants.certain ?? []).length > 0, changes: changing('grants') },
          async ({ id, grants, grantIds }) => {
            const name = client.random.pick(grants.certain ?? []);
            const left = (grants.certain ?? []).filter((each) => each !== name);
            const request = { KeyId: id, GrantId: grantIds.get(name) ?? '' };
            await client.change(grants, left, () => client.kms[method](request));
          },
        ),
    }),
  ),
];

export const useOperations: readonly LoadOperation[] = [
  {
    name: 'Encrypt',
    weight: 15,
    run: (client) =>
      client.withKey({ also: encrypts }, async (key) => {
        const plaintext = client.random.bytes(32);
        const request = { ...encryptionOf(key), Plaintext: plaintext };
        const { CiphertextBlob: blob = new Uint8Array() } = await client.ask(client.kms.encrypt(request));
        client.keep({ kind: 'ciphertext', key, blob, plaintext });
      }),
  },
  {
    name: 'GenerateDataKey',
    weight: 8,
    run: (client) =>
      client.withKey({ also: (key) => key.isSymmetric }, async (key) => {
        const request = { ...encryptionOf(key), KeySpec: 'AES_256' } as const;
        const { CiphertextBlob: blob = new Uint8Array(), Plaintext = new Uint8Array() } = await client.ask(
          client.kms.generateDataKey(request),
        );
        client.keep({ kind: 'ciphertext', key, blob, plaintext: Buffer.from(Plaintext) });
      }),
  },
  {
    name: 'ReEncrypt',
    weight: 5,
    run: (client) =>
      client.withArtefact('ciphertext', async (artefact) => {
        if (artefact.kind !== 'ciphertext') return;
        const { EncryptionContext: SourceEncryptionContext, ...source } = encryptionOf(artefact.key) as {
          KeyId: string;
          EncryptionContext?: Record<string, string>;
          EncryptionAlgorithm?: 'RSAES_OAEP_SHA_256';
        };
        await client.withKey({ also: encrypts }, async (key) => {
          const { EncryptionContext, EncryptionAlgorithm, KeyId } = encryptionOf(key) as typeof source & {
            EncryptionContext?: Record<string, string>;
          };
          const { CiphertextBlob: blob = new Uint8Array() } = await client.ask(
            client.kms.reEncrypt({
              CiphertextBlob: artefact.blob,
              SourceKeyId: source.KeyId,
              SourceEncryptionContext,
              SourceEncryptionAlgorithm: source.EncryptionAlgorithm,
              DestinationKeyId: KeyId,
              DestinationEncryptionContext: EncryptionContext,
              DestinationEncryptionAlgorithm: EncryptionAlgorithm,
            }),
          );
          client.keep({ kind: 'ciphertext', key, blob, plaintext: artefact.plaintext });
        });
      }),
  },
  {
    name: 'Sign',
    weight: 10,
    run: (client) =>
      client.withKey({ also: signs }, async (key) => {
        const message = client.random.bytes(24);
        const SigningAlgorithm = signingAlgorithms[key.request.KeySpec];
        const request = { KeyId: key.id, Message: message, SigningAlgorithm };
        const { Signature: value = new Uint8Array() } = await client.ask(client.kms.sign(request));
        client.keep({ kind: 'signature', key, message, value });
      }),
  },
  {
    name: 'GenerateMac',
    weight: 8,
    run: (client) =>
      client.withKey({ also: ({ request }) => request.KeyUsage === 'GENERATE_VERIFY_MAC' }, async (key) => {
        const message = client.random.bytes(24);
        const request = { KeyId: key.id, Message: message, MacAlgorithm: 'HMAC_SHA_256' } as const;
        const { Mac: value = new Uint8Array() } = await client.ask(client.kms.generateMac(request));
        client.keep({ kind: 'MAC', key, message, value });
      }),
  },
  ...(['ciphertext', 'signature', 'MAC'] as const).map(
    (kind): LoadOperation => ({
      name: `check an older ${kind}`,
      weight: 8,
      run: (client) =>
        client.withArtefact(kind, async (artefact) => {
          await checkArtefact(client.kms, artefact);
          client.answers += 1;
        }),
    }),
  ),
  ...(
    [
      ['Disabled', 'DisabledException'],
      ['PendingDeletion', 'KMSInvalidStateException'],
    ] as const
  ).map(
    ([state, refusal]): LoadOperation => ({
      name: `use of a key that is ${state}`,
      weight: 2,
      run: (client) =>
        client.withKey({ state, also: (key) => key.isSymmetric }, async (key) => {
          const request = { ...encryptionOf(key), Plaintext: Buffer.from('x') };
          await client.refused(
            refusal,
            client.kms.encrypt(request),
            `Encrypt with the key ${key.id}, which is ${state},`,
          );
        }),
    }),
  ),
];
