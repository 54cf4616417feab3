import { KmsError } from '../../contract/kms-error.js';
import { type ConditionTest, compileConditions } from './conditions.js';
import { duplicateMember } from './json-members.js';
import { malformed } from './malformed.js';
import { type ActionTest, compileActions, compileResources, type ResourceTest } from './matching.js';
import { type PrincipalList, parsePrincipals } from './principal-element.js';

/** What a policy is attached to: a key, a user or role (also as a boundary), a role's trust, a session. */
export type PolicyKind = 'key' | 'identity' | 'trust' | 'session';

/** One statement, compiled. */
export interface Statement {
  /** Its place in the document, from 0. */
  readonly index: number;
  readonly sid: string | undefined;
  readonly effect: 'Allow' | 'Deny';
  /** Undefined in the policies of identities and sessions, which are about whoever has them. */
  readonly principals: PrincipalList | undefined;
  /** True when `principals` are those that the statement is not about. */
  readonly notPrincipal: boolean;
  readonly coversAction: ActionTest;
  readonly coversResource: ResourceTest;
  readonly conditionsHold: ConditionTest;
}

/** More actions than KMS and STS have: the memory of a policy stays bounded whatever it is asked. */
const rememberedActions = 128;

/** A policy, compiled: immutable, to be kept by its text and used for any number of requests. */
export class PolicyDocument {
  /** Statements by action, found once for each. */
  private readonly byAction = new Map<string, readonly Statement[]>();

  constructor(
    readonly kind: PolicyKind,
    readonly id: string | undefined,
    readonly statements: readonly Statement[],
    /** Why the document is not understood; it denies everything then. */
    readonly broken?: string,
  ) {
    Object.freeze(statements);
  }

  /** The statements whose Action or NotAction covers an action: `kms:Decrypt`. */
  concerning(action: string): readonly Statement[] {
    let found = this.byAction.get(action);
    if (!found) {
      found = this.statements.filter(({ coversAction }) => coversAction(action));
      if (this.byAction.size >= rememberedActions) this.byAction.clear();
      this.byAction.set(action, found);
    }
    return found;
  }
}

/** Bytes of a key policy (contract A.12). */
const maximumKeyPolicyBytes = 32_768;

/** U+0009, U+000A, U+000D, U+0020..U+00FF (contract A.12). */
const keyPolicyText = /^[\t\n\r\u0020-\u00ff]*$/;

const documentElements = new Set(['Version', 'Id', 'Statement']);
const statementElements = new Set([
  'Sid',
  'Effect',
  'Principal',
  'NotPrincipal',
  'Action',
  'NotAction',
  'Resource',
  'NotResource',
  'Condition',
]);

/** What each kind of policy asks of its statements. */
const rules = {
  key: { principal: true, action: 'optional', resource: 'optional', sid: /^[\s\S]*$/ },
  identity: { principal: false, action: 'required', resource: 'required', sid: /^[A-Za-z0-9]*$/ },
  session: { principal: false, action: 'required', resource: 'required', sid: /^[A-Za-z0-9]*$/ },
  trust: { principal: true, action: 'required', resource: 'prohibited', sid: /^[A-Za-z0-9]*$/ },
} as const satisfies Record<PolicyKind, object>;

type Elements = ReadonlyMap<string, unknown>;

/**
 * Reads, checks and compiles a policy document. A missing Action or Resource in a key policy is taken, and its statement
 * has no effect, as in AWS.
 *
 * @throws KmsError MalformedPolicyDocumentException for what AWS refuses and for what is not understood;
 *   LimitExceededException for a key policy of more than 32,768 bytes
 */
export function parsePolicy(text: string, kind: PolicyKind): PolicyDocument {
  if (kind === 'key') {
    if (Buffer.byteLength(text) > maximumKeyPolicyBytes) {
      throw new KmsError('LimitExceededException', `The key policy is longer than ${maximumKeyPolicyBytes} bytes.`);
    }
    if (!keyPolicyText.test(text)) throw malformed('The key policy has characters that are not allowed in it.');
  }
  const elements = elementsOf(parseJson(text), documentElements, 'policy');
  const version = elements.has('Version') ? elements.get('Version') : '2008-10-17';
  if (version !== '2012-10-17' && version !== '2008-10-17') {
    throw malformed('The policy must contain a valid version string.');
  }
  const id = elements.get('Id');
  if (id !== undefined && typeof id !== 'string') throw malformed('The Id of a policy must be a string.');
  const list = elements.get('Statement');
  const statements: readonly unknown[] = Array.isArray(list) ? list : list === undefined ? [] : [list];
  if (statements.length === 0) throw malformed('The policy must contain at least one statement.');
  const compiled = statements.map((statement, index) =>
    compileStatement(statement, index, kind, version === '2012-10-17'),
  );
  checkSids(compiled);
  return new PolicyDocument(kind, id, compiled);
}

/**
 * Reads a policy from the store. One that is not understood there - an older version's, a hand edit - denies everything
 * instead of failing; its `broken` says why, and has to be made known.
 */
export function parseStoredPolicy(text: string, kind: PolicyKind): PolicyDocument {
  try {
    return parsePolicy(text, kind);
  } catch (error) {
    if (error instanceof KmsError) return brokenPolicy(error.message, kind);
    throw error;
  }
}

/** A policy that denies everything to everybody, because it could not be read. */
export function brokenPolicy(reason: string, kind: PolicyKind = 'key'): PolicyDocument {
  const denyAll: Statement = {
    index: 0,
    sid: undefined,
    effect: 'Deny',
    principals: undefined,
    notPrincipal: false,
    coversAction: () => true,
    coversResource: () => true,
    conditionsHold: () => true,
  };
  return new PolicyDocument(kind, undefined, [denyAll], reason);
}

/**
 * The AWS principals that a policy names, as ARNs without repetition; accounts as `arn:aws:iam::ACCOUNT:root`. `*`,
 * services and identity providers are not among them.
 */
export function principalsOf(policy: PolicyDocument): readonly string[] {
  const found = new Set<string>();
  for (const { principals } of policy.statements) {
    for (const account of principals?.accounts ?? []) found.add(`arn:aws:iam::${account}:root`);
    for (const arn of principals?.arns ?? []) found.add(arn);
  }
  return [...found];
}

function parseJson(text: string): unknown {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed('This policy contains invalid Json');
  }
  const twice = duplicateMember(text);
  if (twice !== undefined) throw malformed(`The policy has an object with the element "${twice}" twice.`);
  return value;
}

function elementsOf(value: unknown, allowed: ReadonlySet<string>, what: string): Elements {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw malformed('Syntax errors in policy.');
  const elements = new Map<string, unknown>(Object.entries(value));
  for (const name of elements.keys()) {
    if (!allowed.has(name)) throw malformed(`Syntax errors in policy: "${name}" is no element of a ${what}.`);
  }
  return elements;
}

function compileStatement(value: unknown, index: number, kind: PolicyKind, variables: boolean): Statement {
  const elements = elementsOf(value, statementElements, 'policy statement');
  const effect = elements.get('Effect');
  if (effect !== 'Allow' && effect !== 'Deny')
    throw malformed('The Effect of a policy statement must be Allow or Deny.');
  return {
    index,
    sid: sidOf(elements, kind),
    effect,
    ...principalsFrom(elements, kind),
    coversAction: actionsFrom(elements, kind),
    coversResource: resourcesFrom(elements, kind, effect, variables),
    conditionsHold: compileConditions(elements.has('Condition') ? elements.get('Condition') : {}, {
      effect,
      variables,
      keyPolicy: kind === 'key',
    }),
  };
}

function sidOf(elements: Elements, kind: PolicyKind): string | undefined {
  const sid = elements.get('Sid');
  if (!elements.has('Sid')) return undefined;
  if (typeof sid === 'string' && rules[kind].sid.test(sid)) return sid;
  throw malformed(
    kind === 'key'
      ? 'The Sid of a policy statement must be a string.'
      : 'Statement IDs (SID) must be alpha-numeric. Check that your input satisfies the regular expression [0-9A-Za-z]*',
  );
}

/** An empty Sid is none. */
function checkSids(statements: readonly Statement[]): void {
  const sids = statements.map(({ sid }) => sid).filter(Boolean);
  if (new Set(sids).size < sids.length) throw malformed('Statement IDs (SID) in a single policy must be unique.');
}

function principalsFrom(elements: Elements, kind: PolicyKind): Pick<Statement, 'principals' | 'notPrincipal'> {
  const name = oneOf(elements, 'Principal', 'NotPrincipal');
  if (!rules[kind].principal) {
    if (name) throw malformed('Policy document should not specify a principal.');
    return { principals: undefined, notPrincipal: false };
  }
  if (!name) throw malformed('Policy contains a statement with no principal.');
  return { principals: parsePrincipals(elements.get(name)), notPrincipal: name === 'NotPrincipal' };
}

function actionsFrom(elements: Elements, kind: PolicyKind): ActionTest {
  const name = oneOf(elements, 'Action', 'NotAction');
  if (!name) {
    if (rules[kind].action === 'optional') return () => false;
    throw malformed('Policy statement must contain actions.');
  }
  const actions = stringsOf(elements.get(name), name);
  if (kind === 'trust' && !actions.every((action) => /^sts:/i.test(action))) {
    throw malformed('AssumeRole policy may only specify STS AssumeRole actions.');
  }
  return compileActions(actions, name === 'NotAction');
}

function resourcesFrom(
  elements: Elements,
  kind: PolicyKind,
  effect: 'Allow' | 'Deny',
  variables: boolean,
): ResourceTest {
  const name = oneOf(elements, 'Resource', 'NotResource');
  const rule = rules[kind].resource;
  if (rule === 'prohibited') {
    if (name) throw malformed(`Has prohibited field ${name}`);
    return () => true;
  }
  if (!name) {
    if (rule === 'optional') return () => false;
    throw malformed('Policy statement must contain resources.');
  }
  return compileResources(stringsOf(elements.get(name), name), name === 'NotResource', effect, variables);
}

function oneOf<A extends string, B extends string>(elements: Elements, name: A, negated: B): A | B | undefined {
  if (!elements.has(name)) return elements.has(negated) ? negated : undefined;
  if (elements.has(negated)) {
    throw malformed(`Syntax errors in policy: a policy statement cannot have both ${name} and ${negated}.`);
  }
  return name;
}

/** One string or a list of them. An empty list is refused: with Not in front of it, it would be everything. */
function stringsOf(value: unknown, name: string): readonly string[] {
  const values: readonly unknown[] = Array.isArray(value) ? value : [value];
  if (values.length === 0) throw malformed(`The ${name} element of a policy statement is empty.`);
  return values.map((each) => {
    if (typeof each === 'string') return each;
    throw malformed(`The ${name} element of a policy statement must be a string or a list of strings.`);
  });
}
