import type { CreateKeyRequest, KeySpec, Tag } from '@aws-sdk/client-kms';
import { checkedKeyPolicy } from '../authorization/key-policy.js';
import { defaultKeyPolicy } from '../authorization/policy/default-key-policy.js';
import { KmsError } from '../contract/kms-error.js';
import { generateKey, newKeyId } from '../keys/key-generation.js';
import { keyMetadata } from '../keys/key-metadata.js';
import { keyArn } from '../keys/key-reference.js';
import { keySpecs, type SupportedUsage, usagesOf } from '../keys/key-specs.js';
import type { KeyToken } from '../keys/key-tokens.js';
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

/** Where keys cannot come from yet. @throws KmsError */
function checkOrigin({ Origin = 'AWS_KMS', CustomKeyStoreId, XksKeyId }: CreateKeyRequest): void {
  if (CustomKeyStoreId !== undefined) {
    throw new KmsError('CustomKeyStoreNotFoundException', `Custom key store ${CustomKeyStoreId} does not exist.`);
  }
  if (Origin !== 'AWS_KMS' || XksKeyId !== undefined) {
    throw new KmsError('UnsupportedOperationException', `Origin ${Origin} is not supported yet.`);
  }
}

const mostTags = 50;

/** @throws KmsError TagException */
export function checkedTags(tags: readonly Tag[]): Map<string, string> {
  const checked = new Map(tags.map(({ TagKey, TagValue }) => [TagKey as string, TagValue as string]));
  if (checked.size < tags.length) throw new KmsError('TagException', 'Duplicate tag keys');
  if (checked.size > mostTags) throw new KmsError('TagException', 'Too many tags');
  for (const key of checked.keys()) {
    if (key.toLowerCase().startsWith('aws:'))
      throw new KmsError('TagException', 'Tags beginning with aws: are reserved');
  }
  return checked;
}

export const createKey = operation('CreateKey', {
  async run(input, { kms, requester }) {
    checkOrigin(input);
    const { token, capabilities } = kms.tokens.own;
    const wanted = wantedOf(kms.tokens.own, input);
    const { MultiRegion: multiRegion = false, Policy, BypassPolicyLockoutSafetyCheck = false } = input;
    const id = newKeyId(multiRegion);
    const arn = keyArn(kms.home, id);
    const key = await generateKey(token, capabilities, {
      ...wanted,
      id,
      arn,
      multiRegion,
      origin: 'AWS_KMS',
      state: 'Enabled',
      description: input.Description ?? '',
      policy:
        Policy === undefined
          ? defaultKeyPolicy(kms.home.accountId)
          : checkedKeyPolicy(Policy, requester.principal, arn, BypassPolicyLockoutSafetyCheck),
      createdAt: kms.now(),
      deletionAt: undefined,
      pendingWindowDays: undefined,
      customKeyStoreId: undefined,
      rotation: undefined,
      tags: checkedTags(input.Tags ?? []),
    });
    await kms.keys.insert(key);
    return { KeyMetadata: keyMetadata(key, kms.home, capabilities) };
  },
});
