import type { CreateKeyRequest, KeySpec } from '@aws-sdk/client-kms';
import { checkedKeyPolicy } from '../authorization/key-policy.js';
import { defaultKeyPolicy } from '../authorization/policy/default-key-policy.js';
import { KmsError } from '../contract/kms-error.js';
import { importableSpecOf } from '../keys/import/wrapping-algorithms.js';
import { discardMaterial, generateKey, type KeyIntent, keyWithoutMaterial, newKeyId } from '../keys/key-generation.js';
import { keyMetadata } from '../keys/key-metadata.js';
import { keyArn } from '../keys/key-reference.js';
import { keySpecs, type SupportedUsage, usagesOf } from '../keys/key-specs.js';
import { expectConnected } from '../keys/key-store-repository.js';
import type { KeyToken } from '../keys/key-tokens.js';
import { checkedTags } from '../keys/tags.js';
import { requestFacts } from './authorization.js';
import { keyStoreForNewKey } from './keys-in-key-stores.js';
import { operation } from './operation.js';

/** What a request asks for, with its defaults. */
interface Wanted {
  readonly spec: KeySpec;
  readonly usage: SupportedUsage;
}

/** KeySpec and KeyUsage, checked against each other and the token. @throws KmsError */
function wantedOf(
  { capabilities }: KeyToken,
  input: Pick<CreateKeyRequest, 'KeySpec' | 'KeyUsage' | 'CustomerMasterKeySpec'>,
): Wanted {
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
  if (capabilities.offered(spec, usage as SupportedUsage).length === 0) {
    throw new KmsError('UnsupportedOperationException', `The token does not offer ${spec} keys for ${usage}.`);
  }
  return { spec, usage: usage as SupportedUsage };
}

export const createKey = operation('CreateKey', {
  async run(input, { kms, requester }) {
    const place = await keyStoreForNewKey(kms, input);
    const keyToken = place?.keyToken ?? kms.tokens.own;
    const { token, capabilities } = keyToken;
    const wanted = wantedOf(keyToken, input);
    const { MultiRegion: multiRegion = false, Policy, BypassPolicyLockoutSafetyCheck = false } = input;
    const id = newKeyId(multiRegion);
    const arn = keyArn(kms.home, id);
    const isImported = input.Origin === 'EXTERNAL';
    if (isImported) importableSpecOf(wanted.spec);
    const intent: KeyIntent = {
      ...wanted,
      id,
      arn,
      multiRegion,
      origin: place ? 'AWS_CLOUDHSM' : isImported ? 'EXTERNAL' : 'AWS_KMS',
      state: isImported ? 'PendingImport' : 'Enabled',
      description: input.Description ?? '',
      policy:
        Policy === undefined
          ? defaultKeyPolicy(kms.home.accountId)
          : checkedKeyPolicy(
              Policy,
              requestFacts(kms, 'CreateKey', requester, input),
              { arn },
              BypassPolicyLockoutSafetyCheck,
            ),
      createdAt: kms.now(),
      deletionAt: undefined,
      pendingWindowDays: undefined,
      customKeyStoreId: place?.keyStore.id,
      cloudHsmClusterId: place?.keyStore.clusterId,
      rotation: undefined,
      tags: checkedTags(input.Tags ?? []),
    };
    await kms.keys.checkQuota();
    const key = isImported ? keyWithoutMaterial(intent) : await generateKey(token, capabilities, intent);
    try {
      await kms.keys.insert(key, place && ((transaction) => expectConnected(transaction, place.keyStore.id)));
    } catch (error) {
      // refused in its transaction, so that there is no row which needs the objects
      if (error instanceof KmsError) for (const each of key.materials.values()) discardMaterial(token, each);
      throw error;
    }
    return { KeyMetadata: keyMetadata(key, kms.home, capabilities) };
  },
});
