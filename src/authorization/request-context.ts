import type { GrantConstraints } from '@aws-sdk/client-kms';
import type { OperationName } from '../contract/operation-types.js';
import { effectiveConstraints } from '../keys/grant-rules.js';
import type { KeyRecord } from '../keys/key-record.js';
import { aliasPrefix } from '../keys/key-reference.js';
import { type GlobalFacts, globalKeys } from './global-keys.js';
import type { ConditionContext, ConditionValue } from './policy/condition-context.js';
import type { ContextPairs } from './policy/grants.js';

/** One request, as far as authorization looks at it. */
export interface RequestFacts extends GlobalFacts {
  readonly operation: OperationName;
  /** The parsed input; its members are named as in the API. */
  readonly input: Readonly<Record<string, unknown>>;
  /** Condition keys, in lower case, that are to have other values than the request gives them: for `explain`. */
  readonly assumed?: ReadonlyMap<string, ConditionValue>;
}

/** What one of the request's permissions is about. */
export interface PermissionFacts {
  /** IAM action: kms:ReEncryptFrom. */
  readonly action: string;
  /** The key that the permission is on. */
  readonly key?: KeyRecord | undefined;
  /** How the request names that key. */
  readonly keyText?: string | undefined;
  /** Of ReEncrypt: whether both keys are one. */
  readonly isSameKey?: boolean | undefined;
}

type Asked = RequestFacts & PermissionFacts;
type Source = (asked: Asked) => ConditionValue | undefined;

/** The input members of the two halves of ReEncrypt, which other operations have once. */
const contextMembers: Readonly<Record<string, readonly [context: string, algorithm: string]>> = {
  'kms:ReEncryptFrom': ['SourceEncryptionContext', 'SourceEncryptionAlgorithm'],
  'kms:ReEncryptTo': ['DestinationEncryptionContext', 'DestinationEncryptionAlgorithm'],
};
const usualMembers = ['EncryptionContext', 'EncryptionAlgorithm'] as const;

/** The constraints of a grant that is to be made, as they count. */
export function constraintsOf(input: RequestFacts['input']): GrantConstraints {
  return effectiveConstraints((input.Constraints ?? {}) as GrantConstraints);
}

/** The encryption context of a cryptographic operation, or that of the constraint of a grant that is to be made. */
export function encryptionContextOf({ action, input, operation }: Asked): ContextPairs | undefined {
  const [member] = contextMembers[action] ?? usualMembers;
  if (operation !== 'CreateGrant') return input[member] as ContextPairs | undefined;
  const { EncryptionContextEquals, EncryptionContextSubset } = constraintsOf(input);
  return EncryptionContextEquals ?? EncryptionContextSubset;
}

const encrypting: ReadonlySet<OperationName> = new Set([
  'Encrypt',
  'Decrypt',
  'ReEncrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
]);
const makingKeys: ReadonlySet<OperationName> = new Set(['CreateKey']);
const signing: ReadonlySet<OperationName> = new Set(['Sign', 'Verify']);
const granting: ReadonlySet<OperationName> = new Set(['CreateGrant']);
const aboutGrants: ReadonlySet<OperationName> = new Set(['CreateGrant', 'ListGrants', 'RevokeGrant']);

/** A member of the input as text, of some operations only. */
const member =
  (name: string, operations?: ReadonlySet<OperationName>, usual?: string): Source =>
  ({ input, operation }) =>
    operations?.has(operation) === false ? undefined : text(input[name] ?? usual);

/** A member that only one operation has. */
const memberOf = (operation: OperationName, name: string, usual?: string): Source =>
  member(name, new Set([operation]), usual);

/** What the request asks for of a key that is being made, and else what the key is. */
const ofKey =
  (requested: Source, found: (key: KeyRecord) => ConditionValue | undefined): Source =>
  (asked) =>
    makingKeys.has(asked.operation) ? requested(asked) : asked.key && found(asked.key);

const keySpec = ofKey(
  ({ input }) => text(input.KeySpec ?? input.CustomerMasterKeySpec ?? 'SYMMETRIC_DEFAULT'),
  ({ spec }) => spec,
);
const keyUsage = ofKey(member('KeyUsage', undefined, 'ENCRYPT_DECRYPT'), ({ usage }) => usage);

/**
 * Condition key in lower case -> its value. What is not here is absent from every request: keys of what this service has
 * not (VPC endpoints, organizations, calls made by AWS services, attested recipients).
 *
 * @see Service Authorization Reference, "Condition keys for AWS KMS"; IAM User Guide, "AWS global condition context
 * keys"; contract, section C
 */
const sources: ReadonlyMap<string, Source> = new Map<string, Source>(
  Object.entries({
    ...globalKeys,
    'aws:TagKeys': ({ input }) => (input.TagKeys as string[] | undefined) ?? requestTags(input)?.map(([key]) => key),

    'kms:BypassPolicyLockoutSafetyCheck': ({ input }) => truth(input.BypassPolicyLockoutSafetyCheck),
    'kms:CallerAccount': ({ principal }) => principal.accountId,
    'kms:CustomerMasterKeySpec': keySpec,
    'kms:CustomerMasterKeyUsage': keyUsage,
    'kms:DataKeyPairSpec': member('KeyPairSpec'),
    'kms:EncryptionAlgorithm': ({ action, input, operation }) => {
      const [, name] = contextMembers[action] ?? usualMembers;
      return encrypting.has(operation) ? text(input[name] ?? 'SYMMETRIC_DEFAULT') : undefined;
    },
    'kms:EncryptionContextKeys': (asked) => Object.keys(encryptionContextOf(asked) ?? {}),
    'kms:ExpirationModel': member('ExpirationModel'),
    'kms:GrantConstraintSourceArn': ({ input }) => constraintsOf(input).SourceArn,
    'kms:GrantConstraintType': ({ input }) => Object.keys(constraintsOf(input)),
    'kms:GrantIsForAWSResource': ({ operation }) => (aboutGrants.has(operation) ? 'false' : undefined),
    'kms:GrantOperations': memberOfList('Operations', granting),
    'kms:GranteePrincipal': member('GranteePrincipal', granting),
    'kms:GranteeServicePrincipal': member('GranteeServicePrincipal', granting),
    'kms:KeyAgreementAlgorithm': member('KeyAgreementAlgorithm'),
    'kms:KeyOrigin': ofKey(member('Origin', undefined, 'AWS_KMS'), ({ origin }) => origin),
    'kms:KeySpec': keySpec,
    'kms:KeyUsage': keyUsage,
    'kms:MacAlgorithm': member('MacAlgorithm'),
    'kms:MessageType': member('MessageType', signing, 'RAW'),
    'kms:MultiRegion': ofKey(
      ({ input }) => truth(input.MultiRegion ?? false),
      ({ multiRegion }) => truth(multiRegion),
    ),
    'kms:MultiRegionKeyType': ofKey(
      ({ input }) => (input.MultiRegion ? 'PRIMARY' : undefined),
      ({ multiRegion }) => (multiRegion ? 'PRIMARY' : undefined),
    ),
    'kms:PrimaryRegion': memberOf('UpdatePrimaryRegion', 'PrimaryRegion'),
    'kms:ReEncryptOnSameKey': ({ isSameKey }) => truth(isSameKey),
    'kms:ReplicaRegion': memberOf('ReplicateKey', 'ReplicaRegion'),
    'kms:RequestAlias': ({ keyText }) => keyText && aliasIn(keyText),
    'kms:ResourceAliases': ({ key }) => key?.aliases,
    'kms:RetiringPrincipal': member('RetiringPrincipal', granting),
    'kms:RetiringServicePrincipal': member('RetiringServicePrincipal', granting),
    'kms:RotationPeriodInDays': memberOf('EnableKeyRotation', 'RotationPeriodInDays', '365'),
    'kms:ScheduleKeyDeletionPendingWindowInDays': memberOf('ScheduleKeyDeletion', 'PendingWindowInDays', '30'),
    'kms:SigningAlgorithm': member('SigningAlgorithm'),
    'kms:ValidTo': ({ input }) => (input.ValidTo instanceof Date ? seconds(input.ValidTo) : undefined),
    'kms:WrappingAlgorithm': member('WrappingAlgorithm'),
    'kms:WrappingKeySpec': member('WrappingKeySpec'),
  } satisfies Record<string, Source>).map(([name, source]) => [name.toLowerCase(), source]),
);

/** Keys that end in a name of the client's: prefix in lower case -> the pairs that the name is looked for in. */
const families: readonly {
  readonly prefix: string;
  readonly pairs: (asked: Asked) => Iterable<readonly [string, string]> | undefined;
}[] = [
  { prefix: 'aws:principaltag/', pairs: ({ principal }) => principal.tags },
  { prefix: 'aws:requesttag/', pairs: ({ input }) => requestTags(input) },
  { prefix: 'aws:resourcetag/', pairs: ({ key }) => key?.tags },
  { prefix: 'kms:encryptioncontext:', pairs: (asked) => Object.entries(encryptionContextOf(asked) ?? {}) },
];

/** A request's side of conditions. Nothing is computed before a policy asks for it, and nothing twice. */
export class RequestContext implements ConditionContext {
  // made when a policy asks: most have no conditions
  private asked: Asked | undefined;
  private known: Map<string, ConditionValue | undefined> | undefined;

  constructor(
    private readonly request: RequestFacts,
    private readonly permission: PermissionFacts,
  ) {}

  /** @param key in lower case */
  get(key: string): ConditionValue | undefined {
    this.known ??= new Map(this.request.assumed);
    const known = this.known.get(key);
    if (known !== undefined || this.known.has(key)) return known;
    this.asked ??= { ...this.request, ...this.permission };
    const source = sources.get(key);
    const value = source ? source(this.asked) : inFamily(this.asked, key);
    this.known.set(key, value);
    return value;
  }
}

/** The values of all names that differ from the asked one in case only: key names ignore case, clients' do not. */
function inFamily(asked: Asked, key: string): ConditionValue | undefined {
  for (const { prefix, pairs } of families) {
    if (!key.startsWith(prefix)) continue;
    const name = key.slice(prefix.length);
    const values = [...(pairs(asked) ?? [])].filter(([each]) => each.toLowerCase() === name);
    return values.length < 2 ? values[0]?.[1] : values.map(([, value]) => value);
  }
  return undefined;
}

function memberOfList(name: string, operations: ReadonlySet<OperationName>): Source {
  return ({ input, operation }) => (operations.has(operation) ? (input[name] as string[] | undefined) : undefined);
}

function requestTags({ Tags }: Asked['input']): [string, string][] | undefined {
  return (Tags as { TagKey: string; TagValue: string }[] | undefined)?.map(({ TagKey, TagValue }) => [
    TagKey,
    TagValue,
  ]);
}

/** The alias that a KeyId parameter names: alias/app, also of an alias ARN; undefined for a key. */
function aliasIn(keyText: string): string | undefined {
  // arn:aws:kms:REGION:ACCOUNT:alias/NAME, and a name may have colons
  const name = keyText.startsWith('arn:') ? keyText.split(':').slice(5).join(':') : keyText;
  return name.startsWith(aliasPrefix) ? name : undefined;
}

function text(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value);
}

function truth(value: unknown): string | undefined {
  return value === undefined ? undefined : String(value === true);
}

/** Unix time in whole seconds. */
function seconds(date: Date): string {
  return String(Math.floor(date.getTime() / 1000));
}
