import type { ConditionContext, ConditionValue } from './condition-context.js';
import { isForIdentityPoliciesOnly, isKnownConditionKey, overlyPermissiveWithForAllValues } from './condition-keys.js';
import { malformed } from './malformed.js';
import { findOperator, type Operator, type ValueTest } from './operators.js';

/** Whether a request meets the conditions of a statement. */
export type ConditionTest = (context: ConditionContext) => boolean;

/** What of its statement a condition depends on. */
export interface ConditionRules {
  readonly effect: 'Allow' | 'Deny';
  /** Whether the policy's version has policy variables. */
  readonly variables: boolean;
  readonly keyPolicy: boolean;
}

/** A condition operator with its prefix and suffix. */
interface QualifiedOperator {
  readonly operator: Operator;
  readonly set: 'ForAllValues' | 'ForAnyValue' | undefined;
  readonly ifExists: boolean;
}

const sets = ['ForAllValues', 'ForAnyValue'] as const;
const ifExistsSuffix = 'ifexists';

/**
 * Compiles the Condition element of a statement. Operators, and keys of one operator, all have to hold; of the values of
 * a key one has to match, or none for a negated operator.
 *
 * What cannot be decided - the request's value is not of the operator's type, a negated operator meets a variable that
 * the request does not fill - never widens access: it counts as met in a Deny and as not met in an Allow.
 *
 * @throws KmsError MalformedPolicyDocumentException
 */
export function compileConditions(element: unknown, rules: ConditionRules): ConditionTest {
  const tests: ConditionTest[] = [];
  for (const [name, keys] of membersOf(element)) {
    for (const [key, values] of membersOf(keys)) tests.push(compileCondition(name, key, valuesOf(values), rules));
  }
  const [first] = tests;
  if (first === undefined) return () => true;
  return tests.length === 1 ? first : (context) => tests.every((test) => test(context));
}

function membersOf(element: unknown): [string, unknown][] {
  if (typeof element !== 'object' || element === null || Array.isArray(element)) {
    throw malformed('The Condition element of a policy statement must map condition operators to condition keys.');
  }
  return Object.entries(element);
}

/** Numbers and booleans may stand without quotation marks. */
function valuesOf(element: unknown): readonly string[] {
  const values: readonly unknown[] = Array.isArray(element) ? element : [element];
  if (values.length === 0) throw malformed('A condition key in the policy has no values.');
  return values.map((value) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return String(value);
    throw malformed('Condition values in a policy must be strings, numbers or booleans.');
  });
}

function compileCondition(
  name: string,
  conditionKey: string,
  values: readonly string[],
  rules: ConditionRules,
): ConditionTest {
  const key = conditionKey.toLowerCase();
  if (!key.includes(':')) {
    throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
  }
  if (!isKnownConditionKey(key)) throw malformed(`Policy has an invalid condition key: ${conditionKey}.`);
  const test = name.toLowerCase() === 'null' ? nullTest(key, values) : comparison(name, key, values, rules);
  return rules.keyPolicy && rules.effect === 'Allow' && isForIdentityPoliciesOnly(key) ? () => false : test;
}

/** Null: true asks for the key's absence, false for its presence. */
function nullTest(key: string, values: readonly string[]): ConditionTest {
  const absences = values.map((value) => {
    const folded = value.toLowerCase();
    if (folded === 'true' || folded === 'false') return folded === 'true';
    throw malformed(`Policy contains an invalid value for the condition operator Null: "${value}".`);
  });
  return (context) => absences.includes(isAbsent(context.get(key)));
}

function isAbsent(value: ConditionValue | undefined): value is undefined {
  return value === undefined || (typeof value !== 'string' && value.length === 0);
}

function comparison(name: string, key: string, values: readonly string[], rules: ConditionRules): ConditionTest {
  const { operator, set, ifExists } = parseOperator(name);
  const single = rules.keyPolicy && set === 'ForAllValues' ? overlyPermissiveWithForAllValues(key) : undefined;
  if (single) {
    throw malformed(
      `OverlyPermissiveCondition: Using the ForAllValues set operator with a single-valued condition key matches requests without the specified ${single} or with an unspecified ${single}. To fix, remove ForAllValues.`,
    );
  }
  const tests = values.map((value) => operator.compile(value, rules.variables));
  const { negated } = operator;
  const undecided = rules.effect === 'Deny';
  const whenAbsent = set ? set === 'ForAllValues' : ifExists || negated;
  const holds = (value: string, context: ConditionContext) => compare(tests, negated, undecided, value, context);
  // Several values and no word on how many have to match: the reading that allows less.
  const all = set ? set === 'ForAllValues' : rules.effect === 'Allow';
  return (context) => {
    const value = context.get(key);
    if (isAbsent(value)) return whenAbsent;
    if (typeof value === 'string') return holds(value, context);
    return all ? value.every((each) => holds(each, context)) : value.some((each) => holds(each, context));
  };
}

/** One value of the request against all values of the policy. */
function compare(
  tests: readonly ValueTest[],
  negated: boolean,
  undecided: boolean,
  value: string,
  context: ConditionContext,
): boolean {
  let decidable = true;
  for (const test of tests) {
    const verdict = test(value, context);
    if (verdict === 'match') return !negated;
    // A value that is not there matches nothing; but that nothing matches it says nothing.
    if (verdict === 'undecidable' || (verdict === 'unresolved' && negated)) decidable = false;
  }
  return decidable ? negated : undecided;
}

/** Reads ForAnyValue:StringLikeIfExists, in any case. */
function parseOperator(name: string): QualifiedOperator {
  const folded = name.toLowerCase();
  const set = sets.find((each) => folded.startsWith(`${each.toLowerCase()}:`));
  const unprefixed = set ? name.slice(set.length + 1) : name;
  const ifExists = folded.endsWith(ifExistsSuffix);
  const operator = findOperator(ifExists ? unprefixed.slice(0, -ifExistsSuffix.length) : unprefixed);
  if (!operator) throw malformed(`Invalid Condition type : ${name}.`);
  return { operator, set, ifExists };
}
