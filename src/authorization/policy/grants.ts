import type { ConditionContext } from './condition-context.js';
import { asNamed, type NamedPrincipals } from './named-principals.js';
import type { PolicyPrincipal } from './policy-principal.js';
import type { PrincipalMatch } from './principal-element.js';

/** Pairs of an encryption context. Its keys are a client's: it is read, never written to. */
export type ContextPairs = Readonly<Record<string, string>>;

/** As in the API, so that what is stored can be handed on. */
export interface GrantConstraints {
  readonly EncryptionContextEquals?: ContextPairs | undefined;
  readonly EncryptionContextSubset?: ContextPairs | undefined;
  readonly SourceArn?: string | undefined;
}

/**
 * A grant on the key of the request. Grants are consistent at once here: one that exists is handed in whether or not the
 * request has its token, and tokens are checked for being valid only.
 */
export interface Grant {
  readonly id: string;
  /** ARN of an account root, user, role or session; undefined for a service, which never calls here. */
  readonly granteePrincipal: string | undefined;
  readonly retiringPrincipal: string | undefined;
  /** Account id of who created the grant. */
  readonly issuingAccount: string;
  /** Names such as ReEncryptFrom. */
  readonly operations: readonly string[];
  readonly constraints?: GrantConstraints | undefined;
  /** Whom its ARNs named when it was made. */
  readonly principals?: NamedPrincipals | undefined;
}

/** What a request says of itself to grants. */
export interface GrantCall {
  /** Of a cryptographic operation with a symmetric key. */
  readonly encryptionContext?: ContextPairs | undefined;
  /** Of CreateGrant: the grant to be made. */
  readonly child?: Pick<Grant, 'operations' | 'constraints'> | undefined;
}

/** A grant that allows a request, and how its grantee is the caller. */
export interface GrantMatch {
  readonly grant: Grant;
  readonly match: PrincipalMatch;
}

/** What grants may list (contract A.9). */
const grantable: ReadonlySet<string> = new Set([
  'CreateGrant',
  'Decapsulate',
  'Decrypt',
  'DeriveSharedSecret',
  'DescribeKey',
  'Encapsulate',
  'Encrypt',
  'GenerateDataKey',
  'GenerateDataKeyPair',
  'GenerateDataKeyPairWithoutPlaintext',
  'GenerateDataKeyWithoutPlaintext',
  'GenerateMac',
  'GetPublicKey',
  'ReEncryptFrom',
  'ReEncryptTo',
  'RetireGrant',
  'Sign',
  'Verify',
  'VerifyMac',
]);

/** Whether there may be a grant that allows an action. @param action IAM action: kms:Decrypt */
export function isGrantable(action: string): boolean {
  return grantable.has(action.slice(action.indexOf(':') + 1));
}

const accountRoot = /^arn:aws[a-z-]*:iam::(\d{12}):root$/;

/** How an ARN that a grant names means a caller; undefined when it does not. */
export function matchArn(arn: string | undefined, principal: PolicyPrincipal): PrincipalMatch | undefined {
  if (arn === undefined) return undefined;
  if (arn === principal.arn) return 'principal';
  if (arn === principal.roleArn) return 'role';
  return accountRoot.exec(arn)?.[1] === principal.accountId ? 'account' : undefined;
}

/** How a grant's grantee is a caller; undefined when it is not. */
export function matchGrantee(grant: Grant, principal: PolicyPrincipal): PrincipalMatch | undefined {
  return matchArn(grant.granteePrincipal, asNamed(principal, grant.principals));
}

/** Operations on which constraints of the encryption context have no bearing (contract A.9). */
const withoutEncryptionContext: ReadonlySet<string> = new Set(['DescribeKey', 'RetireGrant']);

/**
 * The grants that allow an action to a caller, as far as grants go.
 *
 * @param action IAM action: kms:ReEncryptFrom
 */
export function grantsFor(
  grants: readonly Grant[],
  action: string,
  principal: PolicyPrincipal,
  call: GrantCall,
  context: ConditionContext,
): readonly GrantMatch[] {
  const operation = action.slice(action.indexOf(':') + 1);
  const found: GrantMatch[] = [];
  for (const grant of grants) {
    const match = matchGrantee(grant, principal);
    if (match && grant.operations.includes(operation) && allows(grant, operation, call, context)) {
      found.push({ grant, match });
    }
  }
  return found;
}

function allows(grant: Grant, operation: string, call: GrantCall, context: ConditionContext): boolean {
  const { constraints = {} } = grant;
  if (constraints.SourceArn !== undefined && context.get('aws:sourcearn') !== constraints.SourceArn) return false;
  if (operation === 'CreateGrant') return call.child !== undefined && isAtLeastAsStrict(grant, call.child);
  if (withoutEncryptionContext.has(operation)) return true;
  return holdsFor(constraints, call.encryptionContext ?? {});
}

/** Whether an encryption context meets the constraints of a grant: case-sensitive, in any order. */
export function holdsFor(constraints: GrantConstraints, encryptionContext: ContextPairs): boolean {
  const { EncryptionContextEquals: equals, EncryptionContextSubset: subset } = constraints;
  if (equals && !isSame(equals, encryptionContext)) return false;
  return subset === undefined || contains(encryptionContext, subset);
}

/**
 * Whether a grant to be made gives away no more than the grant that allows making it: no further operation, and
 * constraints that are the same or stricter.
 */
export function isAtLeastAsStrict(
  parent: Pick<Grant, 'operations' | 'constraints'>,
  child: Pick<Grant, 'operations' | 'constraints'>,
): boolean {
  if (!child.operations.every((operation) => parent.operations.includes(operation))) return false;
  const { EncryptionContextEquals: equals, EncryptionContextSubset: subset, SourceArn } = parent.constraints ?? {};
  const own = child.constraints ?? {};
  if (SourceArn !== undefined && own.SourceArn !== SourceArn) return false;
  if (equals && !(own.EncryptionContextEquals && isSame(own.EncryptionContextEquals, equals))) return false;
  if (!subset) return true;
  const pairs = own.EncryptionContextEquals ?? own.EncryptionContextSubset;
  return pairs !== undefined && contains(pairs, subset);
}

function contains(all: ContextPairs, some: ContextPairs): boolean {
  return Object.entries(some).every(([key, value]) => Object.hasOwn(all, key) && all[key] === value);
}

function isSame(one: ContextPairs, other: ContextPairs): boolean {
  return Object.keys(one).length === Object.keys(other).length && contains(one, other);
}
