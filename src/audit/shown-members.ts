import { operationModels, type Shape, type StructureShape, shapeNamed } from '../contract/model.js';
import type { OperationName } from '../contract/operation-types.js';
import { operationNames } from '../contract/operations.js';

/**
 * Members of requests that the audit log shows, where an operation has them; a blob, and what the service model marks as
 * sensitive, is never shown. Not here: grant tokens, and what AWS does not show either.
 */
const shownInRequests: ReadonlySet<string> = new Set([
  ...['KeyId', 'SourceKeyId', 'DestinationKeyId', 'TargetKeyId', 'AliasName', 'CustomKeyStoreId', 'XksKeyId'],
  ...['EncryptionContext', 'SourceEncryptionContext', 'DestinationEncryptionContext'],
  ...['EncryptionAlgorithm', 'SourceEncryptionAlgorithm', 'DestinationEncryptionAlgorithm', 'SigningAlgorithm'],
  ...['MacAlgorithm', 'KeyAgreementAlgorithm', 'EncapsulationAlgorithm', 'WrappingAlgorithm', 'WrappingKeySpec'],
  ...['MessageType', 'NumberOfBytes', 'KeySpec', 'KeyPairSpec', 'CustomerMasterKeySpec', 'KeyUsage', 'Origin'],
  ...['Description', 'Policy', 'PolicyName', 'ReplicaPolicy', 'BypassPolicyLockoutSafetyCheck', 'MultiRegion'],
  ...['Tags', 'TagKeys', 'ReplicaTags', 'PrimaryRegion', 'ReplicaRegion'],
  ...['GrantId', 'GranteePrincipal', 'GranteeServicePrincipal', 'RetiringPrincipal', 'RetiringServicePrincipal'],
  ...['Operations', 'Constraints', 'Name', 'DryRun', 'DryRunModifiers', 'Recipient'],
  ...['PendingWindowInDays', 'RotationPeriodInDays', 'IncludeKeyMaterial', 'Limit', 'Marker'],
  ...['ExpirationModel', 'ValidTo', 'ImportType', 'KeyMaterialId', 'KeyMaterialDescription'],
  ...['CustomKeyStoreName', 'NewCustomKeyStoreName', 'CustomKeyStoreType', 'CloudHsmClusterId'],
  ...['XksProxyConnectivity', 'XksProxyUriEndpoint', 'XksProxyUriPath'],
  ...['XksProxyVpcEndpointServiceName', 'XksProxyVpcEndpointServiceOwner'],
]);

/** Members of the answers of changing operations that it shows. */
const shownInAnswers: ReadonlySet<string> = new Set([
  ...['KeyId', 'KeyMetadata', 'ReplicaKeyMetadata', 'GrantId', 'CustomKeyStoreId', 'KeyMaterialId'],
  ...['DeletionDate', 'KeyState', 'PendingWindowInDays'],
]);

/** Operations that change something; AWS calls all others read-only, cryptographic ones among them. */
const changing: ReadonlySet<OperationName> = new Set([
  ...(['CancelKeyDeletion', 'ConnectCustomKeyStore', 'CreateAlias', 'CreateCustomKeyStore', 'CreateGrant'] as const),
  ...(['CreateKey', 'DeleteAlias', 'DeleteCustomKeyStore', 'DeleteImportedKeyMaterial', 'DisableKey'] as const),
  ...(['DisableKeyRotation', 'DisconnectCustomKeyStore', 'EnableKey', 'EnableKeyRotation'] as const),
  ...(['ImportKeyMaterial', 'PutKeyPolicy', 'ReplicateKey', 'RetireGrant', 'RevokeGrant'] as const),
  ...(['RotateKeyOnDemand', 'ScheduleKeyDeletion', 'TagResource', 'UntagResource', 'UpdateAlias'] as const),
  ...(['UpdateCustomKeyStore', 'UpdateKeyDescription', 'UpdatePrimaryRegion'] as const),
]);

/** What CloudTrail calls readOnly. */
export function isReadOnly(operation: OperationName): boolean {
  return !changing.has(operation);
}

/** Writes a value as JSON; never undefined. */
type Writer = (value: unknown) => string;

/** What stands for itself in JSON; most texts are such, and JSON.stringify costs several times as much. */
const plain = /^[ !#-[\]-~]*$/;

const json: Writer = (value) => (typeof value === 'string' && plain.test(value) ? `"${value}"` : JSON.stringify(value));
const never: Writer = () => 'null';

/** A writer per operation, made once from the service model. */
const writers = new Map(
  operationNames.map((operation) => {
    const { input, output } = operationModels[operation];
    const request = writerOfMembers(structure(input), (name) => shownInRequests.has(name));
    const answers = changing.has(operation) && output !== undefined;
    const answer = answers ? writerOfMembers(structure(output), (name) => shownInAnswers.has(name)) : never;
    return [operation, { request, answer }] as const;
  }),
);

/** `requestParameters` of a request that fits the contract, as JSON: without secrets, plaintexts, ciphertexts. */
export function requestParameters(operation: OperationName, input: unknown): string {
  return writers.get(operation)?.request(input) ?? 'null';
}

/** `responseElements` as JSON: null for what reads, and for cryptographic operations. */
export function responseElements(operation: OperationName, output: unknown): string {
  return output === undefined ? 'null' : (writers.get(operation)?.answer(output) ?? 'null');
}

function structure(name: string): StructureShape {
  const shape = shapeNamed(name);
  if (shape.type !== 'structure') throw new Error(`${name} is no structure`);
  return shape;
}

/** Undefined for what is never shown. */
function writerOf(shape: Shape): Writer | undefined {
  if (shape.type === 'blob' || ('sensitive' in shape && shape.sensitive)) return undefined;
  if (shape.type === 'structure') return writerOfMembers(shape, () => true);
  if (shape.type === 'list') return writerOfList(writerOf(shapeNamed(shape.member)));
  if (shape.type === 'map') return json;
  if (shape.type === 'timestamp') return (value) => (value instanceof Date ? `"${value.toISOString()}"` : 'null');
  return json;
}

function writerOfList(write: Writer | undefined): Writer | undefined {
  return write && ((value) => (Array.isArray(value) ? `[${value.map(write).join(',')}]` : 'null'));
}

function writerOfMembers(shape: StructureShape, isShown: (name: string) => boolean): Writer {
  const members = new Map(
    Object.entries(shape.members).flatMap(([name, target]) => {
      const write = isShown(name) ? writerOf(shapeNamed(target)) : undefined;
      return write ? [[name, { label: `"${lowerCamel(name)}":`, write }] as const] : [];
    }),
  );
  return (value) => {
    if (typeof value !== 'object' || value === null) return 'null';
    let json = '';
    for (const name in value) {
      const content = (value as Readonly<Record<string, unknown>>)[name];
      const member = content === undefined || content === null ? undefined : members.get(name);
      if (member) json += (json === '' ? '{' : ',') + member.label + member.write(content);
    }
    return json === '' ? '{}' : `${json}}`;
  };
}

/** As CloudTrail has the names of members. */
export function lowerCamel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
