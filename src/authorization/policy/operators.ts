import type { ConditionContext } from './condition-context.js';
import { parseInstant } from './instants.js';
import { isInRange, parseIpAddress, parseIpRange } from './ip-ranges.js';
import { malformed } from './malformed.js';
import { parseTemplate, resolveTemplate, type Template } from './variables.js';
import { anyString, compilePattern, literalText, matchesPattern, type Pattern, type TextTest } from './wildcards.js';

/**
 * How one value of the request compares with one value of the policy. `unresolved`: the policy's value has a variable
 * that the request does not fill. `undecidable`: the request's value is not of the operator's type.
 */
export type Verdict = 'match' | 'mismatch' | 'unresolved' | 'undecidable';

export type ValueTest = (value: string, context: ConditionContext) => Verdict;

/** A condition operator without its set prefix and its IfExists. */
export interface Operator {
  readonly name: string;
  /** True for Not...: then no value of the policy may match. */
  readonly negated: boolean;
  /**
   * Reads one value of the policy.
   *
   * @param variables whether the policy's version has policy variables
   * @throws KmsError MalformedPolicyDocumentException when it is not of the operator's type
   */
  compile(value: string, variables: boolean): ValueTest;
}

type Compile = (value: string, variables: boolean) => ValueTest | undefined;

/** A comparison with one value of the policy, that value being text with variables. */
function textual(wildcards: boolean, compileText: (pattern: Pattern) => TextTest): Compile {
  return (value, variables) => {
    const template = parseTemplate(value, { variables, wildcards });
    if (template.pattern) return verdictOf(compileText(template.pattern));
    return (text, context) => {
      const pattern = resolveTemplate(template, context);
      if (!pattern) return 'unresolved';
      return compileText(pattern)(text) ? 'match' : 'mismatch';
    };
  };
}

function verdictOf(test: TextTest): ValueTest {
  return (text) => (test(text) ? 'match' : 'mismatch');
}

/** A comparison of values that have to be read first, on both sides. Variables have no meaning in them. */
function parsed<P, R>(
  readPolicy: (text: string) => P | undefined,
  readRequest: (text: string) => R | undefined,
  compare: (request: R, policy: P) => boolean,
): Compile {
  const read = rememberLast(readRequest);
  return (value) => {
    const expected = readPolicy(value);
    if (expected === undefined) return undefined;
    return (text) => {
      const actual = read(text);
      if (actual === undefined) return 'undecidable';
      return compare(actual, expected) ? 'match' : 'mismatch';
    };
  };
}

/** Twenty statements about one address read it once. */
function rememberLast<R>(read: (text: string) => R): (text: string) => R {
  let last: { readonly text: string; readonly result: R } | undefined;
  return (text) => {
    if (last?.text !== text) last = { text, result: read(text) };
    return last.result;
  };
}

const equalText = textual(false, compilePattern);
const equalTextIgnoringCase = textual(false, (pattern) => {
  const expected = (literalText(pattern) as string).toLowerCase();
  return (text) => text.toLowerCase() === expected;
});
const likeText = textual(true, compilePattern);

const colon = 0x3a;

/** The six parts of an ARN; the last one may hold further colons. Undefined when there are fewer. */
function partsOf(pattern: Pattern): readonly Pattern[] | undefined {
  const parts: Pattern[] = [];
  let start = 0;
  while (parts.length < 5) {
    const end = pattern.indexOf(colon, start);
    if (end < 0) return undefined;
    parts.push(pattern.slice(start, end));
    start = end + 1;
  }
  return [...parts, pattern.slice(start)];
}

/** Part by part, so that a wildcard stops at a colon. */
function compileArn(pattern: Pattern): TextTest {
  const parts = partsOf(pattern);
  return (text) => {
    if (!parts) return false;
    let start = 0;
    for (let index = 0; index < 5; index++) {
      const end = text.indexOf(':', start);
      if (end < 0 || !matchesPart(parts[index] as Pattern, text.slice(start, end))) return false;
      start = end + 1;
    }
    return matchesPart(parts[5] as Pattern, text.slice(start));
  };
}

function matchesPart(pattern: Pattern, text: string): boolean {
  return (pattern.length === 1 && pattern[0] === anyString) || matchesPattern(pattern, text);
}

const likeArnText = textual(true, compileArn);

/** An ARN has six parts; one that begins with a variable has them when the request is there. */
const likeArn: Compile = (value, variables) => {
  const template: Template = parseTemplate(value, { variables, wildcards: true });
  return template.pattern && !partsOf(template.pattern) ? undefined : likeArnText(value, variables);
};

/** As many digits as a double keeps apart. */
const decimal = /^[+-]?\d+(?:\.\d+)?$/;
const keptDigits = 15;

function parseDecimal(text: string): number | undefined {
  return text.length <= keptDigits + 2 && decimal.test(text) && text.replace(/\D/g, '').length <= keptDigits
    ? Number(text)
    : undefined;
}

function parseBoolean(text: string): boolean | undefined {
  const folded = text.toLowerCase();
  return folded === 'true' ? true : folded === 'false' ? false : undefined;
}

const base64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function parseBinary(text: string): Buffer | undefined {
  return base64.test(text) ? Buffer.from(text, 'base64') : undefined;
}

type Comparison = (request: number, policy: number) => boolean;
const comparisons = {
  Equals: (request, policy) => request === policy,
  LessThan: (request, policy) => request < policy,
  LessThanEquals: (request, policy) => request <= policy,
  GreaterThan: (request, policy) => request > policy,
  GreaterThanEquals: (request, policy) => request >= policy,
} satisfies Record<string, Comparison>;

const numeric = (compare: Comparison) => parsed(parseDecimal, parseDecimal, compare);
const date = (compare: Comparison) => parsed(parseInstant, parseInstant, compare);
const ipAddress = parsed(parseIpRange, parseIpAddress, (address, range) => isInRange(range, address));
const boolean = parsed(parseBoolean, parseBoolean, (request, policy) => request === policy);
const binary = parsed(parseBinary, parseBinary, (request, policy) => request.equals(policy));

const operators: readonly Operator[] = [
  operator('StringEquals', equalText),
  operator('StringNotEquals', equalText, 'negated'),
  operator('StringEqualsIgnoreCase', equalTextIgnoringCase),
  operator('StringNotEqualsIgnoreCase', equalTextIgnoringCase, 'negated'),
  operator('StringLike', likeText),
  operator('StringNotLike', likeText, 'negated'),
  operator('NumericEquals', numeric(comparisons.Equals)),
  operator('NumericNotEquals', numeric(comparisons.Equals), 'negated'),
  operator('NumericLessThan', numeric(comparisons.LessThan)),
  operator('NumericLessThanEquals', numeric(comparisons.LessThanEquals)),
  operator('NumericGreaterThan', numeric(comparisons.GreaterThan)),
  operator('NumericGreaterThanEquals', numeric(comparisons.GreaterThanEquals)),
  operator('DateEquals', date(comparisons.Equals)),
  operator('DateNotEquals', date(comparisons.Equals), 'negated'),
  operator('DateLessThan', date(comparisons.LessThan)),
  operator('DateLessThanEquals', date(comparisons.LessThanEquals)),
  operator('DateGreaterThan', date(comparisons.GreaterThan)),
  operator('DateGreaterThanEquals', date(comparisons.GreaterThanEquals)),
  operator('Bool', boolean),
  operator('BinaryEquals', binary),
  operator('IpAddress', ipAddress),
  operator('NotIpAddress', ipAddress, 'negated'),
  operator('ArnEquals', likeArn),
  operator('ArnLike', likeArn),
  operator('ArnNotEquals', likeArn, 'negated'),
  operator('ArnNotLike', likeArn, 'negated'),
];

function operator(name: string, compile: Compile, negated?: 'negated'): Operator {
  return {
    name,
    negated: negated !== undefined,
    compile(value, variables) {
      const test = compile(value, variables);
      if (!test) throw malformed(`Policy contains an invalid value for the condition operator ${name}: "${value}".`);
      return test;
    },
  };
}

const byName = new Map(operators.map((each) => [each.name.toLowerCase(), each]));

/** Names of all operators, as AWS writes them; Null, which compares nothing, is not one of them. */
export const operatorNames: readonly string[] = operators.map(({ name }) => name);

/** The operator of a name in any case; undefined when there is none. */
export function findOperator(name: string): Operator | undefined {
  return byName.get(name.toLowerCase());
}
