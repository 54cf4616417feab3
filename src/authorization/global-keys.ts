import type { Home } from '../keys/key-reference.js';
import type { ConditionValue } from './policy/condition-context.js';
import type { Principal } from './principal.js';
import type { RequestSource } from './request-source.js';

/** A request to any service, as far as the global condition keys look at it. */
export interface GlobalFacts {
  readonly principal: Principal;
  readonly source: RequestSource;
  readonly at: Date;
  readonly home: Home;
}

type Source = (facts: GlobalFacts) => ConditionValue | undefined;

const principalTypes = { user: 'User', 'role-session': 'AssumedRole', root: 'Account' } as const;

/**
 * The global condition keys that are the same for every service: who calls, when, from where. Tags are not among them.
 *
 * @see IAM User Guide, "AWS global condition context keys"
 */
export const globalKeys: Readonly<Record<string, Source>> = {
  'aws:CurrentTime': ({ at }) => at.toISOString(),
  'aws:EpochTime': ({ at }) => String(Math.floor(at.getTime() / 1000)),
  'aws:MultiFactorAuthPresent': ({ principal }) => (principal.kind === 'role-session' ? 'false' : undefined),
  'aws:PrincipalAccount': ({ principal }) => principal.accountId,
  'aws:PrincipalArn': ({ principal }) => principal.roleArn ?? principal.arn,
  'aws:PrincipalIsAWSService': () => 'false',
  'aws:PrincipalType': ({ principal }) => principalTypes[principal.kind],
  'aws:Referer': ({ source }) => source.referer,
  'aws:RequestedRegion': ({ home }) => home.region,
  'aws:ResourceAccount': ({ home }) => home.accountId,
  'aws:SecureTransport': ({ source }) => String(source.secureTransport),
  'aws:SourceIp': ({ source }) => source.ip,
  'aws:UserAgent': ({ source }) => source.userAgent,
  'aws:UserId': ({ principal }) => principal.uniqueId,
  'aws:Username': ({ principal }) => (principal.kind === 'user' ? principal.name : undefined),
  'aws:SourceIdentity': ({ principal }) => principal.sourceIdentity,
  'aws:TokenIssueTime': ({ principal }) => principal.tokenIssuedAt?.toISOString(),
  'aws:ViaAWSService': () => 'false',
};
