import type { CreateKeyRequest, CreateKeyResponse, KeySpec } from '@aws-sdk/client-kms';
import { checkedKeyPolicy } from '../authorization/key-policy.js';
import { nobodyNamed } from '../authorization/named-principals.js';
import { defaultKeyPolicy } from '../authorization/policy/default-key-policy.js';
import { KmsError } from '../contract/kms-error.js';
import type { OperationTypes } from '../contract/operation-types.js';
import { rotationFrom } from '../keys/due-rotations.js';
import { importableSpecOf } from '../keys/import/wrapping-algorithms.js';
import { discardMaterial, generateKey, type KeyIntent, keyWithoutMaterial, newKeyId } from '../keys/key-generation.js';
import { keyMetadata } from '../keys/key-metadata.js';
import { keyArn } from '../keys/key-reference.js';
import { isSurelyUncommitted } from '../keys/key-repository.js';
import { keySpecs, type SupportedUsage, usagesOf } from '../keys/key-specs.js';
import { expectConnected } from '../keys/key-store-repository.js';
import type { KeyToken } from '../keys/key-tokens.js';
import { checkedTags } from '../keys/tags.js';
import { requestFacts } from './authorization.js';
import { keyStoreForNewKey } from './keys-in-key-stores.js';
import type { Kms } from './kms.js';
import { operation, type Requester } from './operation.js';

/** What a request asks for, with its defaults. */
interface Wanted {
  readonly spec: KeySpec;
  readonly usage: SupportedUsage;
}

type Kind = Pick<CreateKeyRequest, 'KeySpec' | 'KeyUsage' | 'CustomerMasterKeySpec'>;

/** KeySpec and KeyUsage with their defaults, checked against each other. @throws KmsError */
export function specAndUsageOf(input: Kind): Wanted {
  if (input.KeySpec !== undefined && input.CustomerMasterKeySpec !== undefined) {
    throw new KmsError(
      'ValidationException',
      'You cannot specify KeySpec and CustomerMasterKeySpec in the same request.',
    );
  }
  const spec = input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT';
  const usage = input.KeyUsage ?? (spec === 'SYMMETRIC_DEFAULT' ? 'ENCRYPT_DECRYPT' : undefined);
  if (usage === undefined) {
    throw new KmsError(
      'ValidationException',
      'You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.',
    );
  }
  const row = keySpecs[spec];
  if (row.kind === 'unsupported') {
    throw new KmsError('UnsupportedOperationException', `KeySpec ${spec} is not supported. ${row.reason}`);
  }
  if (!usagesOf(spec).includes(usage)) {
    throw new KmsError('ValidationException', `KeyUsage ${usage} is not compatible with KeySpec ${spec}`);
  }
  return { spec, usage: usage as SupportedUsage };
}

/** The same, checked against the token. @throws KmsError */
function wantedOf({ capabilities }: KeyToken, input: Kind): Wanted {
  const wanted = specAndUsageOf(input);
  if (capabilities.offered(wanted.spec, wanted.usage).length === 0) {
    throw new KmsError(
      'UnsupportedOperationException',
      `The token does not offer ${wanted.spec} keys for ${wanted.usage}.`,
    );
  }
  return wanted;
}

/** What a key can begin with that no request says: a seeded key's. */
export interface Beginning {
  readonly id?: string;
  readonly enabled?: boolean;
  /** Automatic rotation; checked by who asks for it. */
  readonly rotationPeriodDays?: number | undefined;
}

/** Makes a key, or nothing. @throws KmsError */
export async function makeKey(
  kms: Kms,
  requester: Requester,
  input: OperationTypes['CreateKey']['input'],
  beginning: Beginning = {},
): Promise<CreateKeyResponse> {
  const place = await keyStoreForNewKey(kms, input);
  const keyToken = place?.keyToken ?? kms.tokens.own;
  const { token, capabilities } = keyToken;
  const wanted = wantedOf(keyToken, input);
  const { MultiRegion: multiRegion = false, Policy, BypassPolicyLockoutSafetyCheck = false } = input;
  const { id = newKeyId(multiRegion), enabled = true, rotationPeriodDays } = beginning;
  const arn = keyArn(kms.home, id);
  const now = kms.now();
  const isImported = input.Origin === 'EXTERNAL';
  if (isImported) importableSpecOf(wanted.spec);
  const intent: KeyIntent = {
    ...wanted,
    id,
    arn,
    multiRegion,
    origin: place ? 'AWS_CLOUDHSM' : isImported ? 'EXTERNAL' : 'AWS_KMS',
    state: isImported ? 'PendingImport' : enabled ? 'Enabled' : 'Disabled',
    description: input.Description ?? '',
    policy:
      Policy === undefined
        ? { text: defaultKeyPolicy(kms.home.accountId), principals: nobodyNamed }
        : await checkedKeyPolicy(
            kms.identities,
            Policy,
            requestFacts(kms, 'CreateKey', requester, input),
            { arn },
            BypassPolicyLockoutSafetyCheck,
          ),
    createdAt: now,
    deletionAt: undefined,
    pendingWindowDays: undefined,
    customKeyStoreId: place?.keyStore.id,
    cloudHsmClusterId: place?.keyStore.clusterId,
    rotation: rotationPeriodDays === undefined ? undefined : rotationFrom(now, rotationPeriodDays),
    tags: checkedTags(input.Tags ?? []),
  };
  await kms.keys.checkQuota();
  const key = isImported ? keyWithoutMaterial(intent) : await generateKey(token, capabilities, intent);
  try {
    await kms.keys.insert(key, place && (({ db }) => expectConnected(db, place.keyStore.id)));
  } catch (error) {
    if (isSurelyUncommitted(error)) for (const each of key.materials.values()) discardMaterial(token, each);
    throw error;
  }
  return { KeyMetadata: keyMetadata(key, kms.home, capabilities) };
}

export const createKey = operation('CreateKey', {
  run: (input, { kms, requester }) => makeKey(kms, requester, input),
});
