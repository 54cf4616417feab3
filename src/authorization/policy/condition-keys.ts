/**
 * The condition keys of the namespaces aws:, kms: and sts:, in lower case. A key of these that nobody knows is a typing
 * error: it would always be absent, and a negated condition on it always true. Keys of other services (s3:prefix) are
 * simply absent from requests to KMS, as in AWS.
 *
 * Sources: Service Authorization Reference, IAM User Guide "AWS global condition context keys"; contract, section C.
 */
const names: ReadonlySet<string> = new Set(
  `
  aws:AssumedRoot aws:CalledVia aws:CalledViaAWSMCP aws:CalledViaFirst aws:CalledViaLast aws:ChatbotSourceArn
  aws:CurrentTime aws:Ec2InstanceSourcePrivateIPv4 aws:Ec2InstanceSourceVpc aws:EpochTime aws:FederatedProvider
  aws:MultiFactorAuthAge aws:MultiFactorAuthPresent aws:PrincipalAccount aws:PrincipalArn aws:PrincipalIsAWSService
  aws:PrincipalOrgID aws:PrincipalOrgPaths aws:PrincipalServiceName aws:PrincipalServiceNamesList aws:PrincipalType
  aws:Referer aws:RequestedRegion aws:ResourceAccount aws:ResourceOrgID aws:ResourceOrgPaths aws:SecureTransport
  aws:SignInSessionArn aws:SourceAccount aws:SourceArn aws:SourceIdentity aws:SourceIp aws:SourceOrgID
  aws:SourceOrgPaths aws:SourceOwner aws:SourceVpc aws:SourceVpcArn aws:SourceVpce aws:TagKeys aws:TokenIssueTime
  aws:UserAgent aws:UserId aws:Username aws:ViaAWSMCPService aws:ViaAWSService aws:VpcSourceIp aws:VpceAccount
  aws:VpceOrgID aws:VpceOrgPaths

  kms:BypassPolicyLockoutSafetyCheck kms:CallerAccount kms:CustomerMasterKeySpec kms:CustomerMasterKeyUsage
  kms:DataKeyPairSpec kms:EncryptionAlgorithm kms:EncryptionContextKeys kms:ExpirationModel
  kms:GrantConstraintSourceArn kms:GrantConstraintType kms:GrantIsForAWSResource kms:GrantOperations
  kms:GranteePrincipal kms:GranteeServicePrincipal kms:KeyAgreementAlgorithm kms:KeyOrigin kms:KeySpec kms:KeyUsage
  kms:MacAlgorithm kms:MessageType kms:MultiRegion kms:MultiRegionKeyType kms:PrimaryRegion kms:ReEncryptOnSameKey
  kms:ReplicaRegion kms:RequestAlias kms:ResourceAliases kms:RetiringPrincipal kms:RetiringServicePrincipal
  kms:RotationPeriodInDays kms:ScheduleKeyDeletionPendingWindowInDays kms:SigningAlgorithm kms:ValidTo kms:ViaService
  kms:WrappingAlgorithm kms:WrappingKeySpec

  sts:AWSServiceName sts:DurationSeconds sts:ExternalId sts:IdentityTokenAudience sts:RequestContextProviders
  sts:RoleAuthorizedByIdp sts:RoleSessionName sts:SigningAlgorithm sts:SourceIdentity sts:TaskPolicyArn
  sts:TransitiveTagKeys
  `
    .trim()
    .toLowerCase()
    .split(/\s+/),
);

/** Keys that name something after their prefix: a tag, a pair of the encryption context. */
const prefixes = [
  'aws:principaltag/',
  'aws:requesttag/',
  'aws:resourcetag/',
  'kms:encryptioncontext:',
  'kms:recipientattestation:',
  'sts:requestcontext/',
] as const;

const namespaces = ['aws:', 'kms:', 'sts:'] as const;

/** Single-valued keys that KMS lets nobody use with ForAllValues: with it, a request without them matches. */
const singleValued = [
  { prefix: 'kms:encryptioncontext:', what: 'encryption context' },
  { prefix: 'aws:requesttag/', what: 'tag' },
] as const;

/** Keys that allow nothing in a key policy: AWS has them for IAM policies only (contract, section C). */
const identityPoliciesOnly: ReadonlySet<string> = new Set(['kms:resourcealiases']);

/** Whether a condition key in lower case is one that requests may have. */
export function isKnownConditionKey(key: string): boolean {
  if (!namespaces.some((namespace) => key.startsWith(namespace))) return true;
  return names.has(key) || prefixes.some((prefix) => key.length > prefix.length && key.startsWith(prefix));
}

/** What a key names of which ForAllValues is refused: 'tag', 'encryption context'. Undefined for all other keys. */
export function overlyPermissiveWithForAllValues(key: string): string | undefined {
  return singleValued.find(({ prefix }) => key.startsWith(prefix))?.what;
}

export function isForIdentityPoliciesOnly(key: string): boolean {
  return identityPoliciesOnly.has(key);
}
