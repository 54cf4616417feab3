import { parsePolicy } from '../authorization/policy/document.js';
import type { Principal, Role } from '../authorization/principal.js';
import type { Session } from '../authorization/sessions/session.js';
import { pack } from '../authorization/sessions/session-format.js';
import type { Requester } from '../operations/operation.js';
import { type AssumeRoleInput, readAssumeRoleInput } from './assume-role-input.js';
import { authorizeOnRole } from './role-permissions.js';
import type { Action, Sts } from './sts.js';
import { StsError } from './sts-error.js';

const defaultSeconds = 3_600;
const mostSecondsOfChainedSession = 3_600;
const mostPolicyCharacters = 2_048;
const mostTags = 50;
/** What policies and tags may be when they are packed: with it a session token is some 4,000 characters at the most. */
const mostPackedBytes = 2_048;

/**
 * Makes a session of a role, and credentials for it.
 *
 * @see https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
 */
export const assumeRole: Action = async (sts, requester, parameters) => {
  const input = readAssumeRoleInput(parameters);
  if (requester.trail) requester.trail.input = input;
  if (input.policy !== undefined) parsePolicy(input.policy, 'session');
  const inherited = inheritedBy(input, requester.principal);
  const role = await authorizedRole(sts, requester, input, inherited);
  const seconds = durationOf(input, requester.principal, role);
  await checkSessionPolicies(sts, input);

  const issuedAt = wholeSeconds(sts.now());
  const session: Session = {
    roleArn: role.arn,
    roleId: role.uniqueId,
    sessionName: input.roleSessionName,
    issuedAt,
    expiresAt: new Date(issuedAt.getTime() + seconds * 1000),
    sourceIdentity: inherited.sourceIdentity ?? input.sourceIdentity,
    tags: new Map([...inherited.tags, ...input.tags]),
    transitiveTagKeys: [...inherited.tags.keys(), ...input.transitiveTagKeys],
    policy: input.policy,
    policyArns: input.policyArns,
  };
  const packedSize = packedSizeOf(session);
  const { accessKeyId, secretAccessKey, sessionToken } = await sts.sessions.issue(session);
  return {
    SourceIdentity: session.sourceIdentity,
    AssumedRoleUser: {
      AssumedRoleId: `${role.uniqueId}:${input.roleSessionName}`,
      Arn: `arn:aws:sts::${role.accountId}:assumed-role/${role.name}/${input.roleSessionName}`,
    },
    Credentials: {
      AccessKeyId: accessKeyId,
      SecretAccessKey: secretAccessKey,
      SessionToken: sessionToken,
      Expiration: session.expiresAt.toISOString().replace(/\.\d+Z$/, 'Z'),
    },
    PackedPolicySize: packedSize,
  };
};

/** What the caller's session hands on to the sessions that it makes. */
interface Inheritance {
  readonly tags: ReadonlyMap<string, string>;
  readonly sourceIdentity: string | undefined;
}

/** @throws StsError InvalidParameterValue when a tag would replace an inherited one */
function inheritedBy(
  { tags }: AssumeRoleInput,
  { tags: own, transitiveTagKeys = [], sourceIdentity }: Principal,
): Inheritance {
  const inherited = new Map(transitiveTagKeys.map((key) => [key, own.get(key) ?? '']));
  const folded = new Set(transitiveTagKeys.map((key) => key.toLowerCase()));
  if ([...tags.keys()].some((key) => folded.has(key.toLowerCase()))) {
    const sentence =
      "One of the specified transitive tag keys can't be set because it conflicts with a transitive tag key from the calling session.";
    throw new StsError('InvalidParameterValue', sentence);
  }
  if (inherited.size + tags.size > mostTags) {
    const sentence = `A session has at most ${mostTags} tags, those that it inherits among them.`;
    throw new StsError('InvalidParameterValue', sentence);
  }
  return { tags: inherited, sourceIdentity };
}

/** @throws StsError AccessDenied, also when there is no such role */
async function authorizedRole(
  { identities, home, now }: Sts,
  { principal, source }: Requester,
  input: AssumeRoleInput,
  inherited: Inheritance,
): Promise<Role> {
  if (principal.kind === 'root') throw new StsError('AccessDenied', 'Roles may not be assumed by root accounts.');
  const sourceIdentity = inherited.sourceIdentity ?? input.sourceIdentity;
  const facts = { principal, source, at: now(), home };
  const role = authorizeOnRole(
    [
      'sts:AssumeRole',
      ...(input.tags.size + inherited.tags.size > 0 ? (['sts:TagSession'] as const) : []),
      ...(sourceIdentity === undefined ? [] : (['sts:SetSourceIdentity'] as const)),
    ],
    facts,
    { ...input, sourceIdentity },
    await identities.findRole(input.roleArn),
  );
  if (input.sourceIdentity !== undefined && input.sourceIdentity !== sourceIdentity) {
    const sentence = `User: ${principal.arn} is not authorized to perform: sts:SetSourceIdentity on resource: ${role.arn}: the source identity of a session cannot be changed`;
    throw new StsError('AccessDenied', sentence);
  }
  return role;
}

/** Seconds. @throws StsError ValidationError */
function durationOf({ durationSeconds = defaultSeconds }: AssumeRoleInput, { kind }: Principal, role: Role): number {
  if (durationSeconds > role.maxSessionSeconds) {
    const sentence = 'The requested DurationSeconds exceeds the MaxSessionDuration set for this role.';
    throw new StsError('ValidationError', sentence);
  }
  if (kind === 'role-session' && durationSeconds > mostSecondsOfChainedSession) {
    const sentence =
      'The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining.';
    throw new StsError('ValidationError', sentence);
  }
  return durationSeconds;
}

/** @throws StsError ValidationError, PackedPolicyTooLarge */
async function checkSessionPolicies({ identities }: Sts, { policy = '', policyArns }: AssumeRoleInput): Promise<void> {
  for (const arn of policyArns) {
    if (!(await identities.hasManagedPolicy(arn))) {
      throw new StsError('ValidationError', `Policy ${arn} does not exist or is not attachable.`);
    }
  }
  const characters = policyArns.reduce((sum, arn) => sum + arn.length, policy.length);
  if (characters > mostPolicyCharacters) throw tooLarge('policy', percentage(characters, mostPolicyCharacters));
}

/** PackedPolicySize, in percent; undefined without policies and tags. @throws StsError PackedPolicyTooLarge */
function packedSizeOf(session: Session): number | undefined {
  const bytes = pack(session).length;
  if (bytes === 0) return undefined;
  const size = percentage(bytes, mostPackedBytes);
  const hasPolicies = session.policy !== undefined || session.policyArns.length > 0;
  if (size > 100) throw tooLarge(hasPolicies ? 'policy' : 'tags', size);
  return size;
}

function tooLarge(what: 'policy' | 'tags', percent: number): StsError {
  return new StsError(
    'PackedPolicyTooLarge',
    what === 'policy'
      ? `Packed policy consumes ${percent}% of allotted space, please use smaller policy.`
      : `Packed size of session tags consumes ${percent}% of allotted space.`,
  );
}

function percentage(part: number, whole: number): number {
  return Math.ceil((part / whole) * 100);
}

function wholeSeconds(date: Date): Date {
  return new Date(Math.floor(date.getTime() / 1000) * 1000);
}
