import type { ConditionContext } from './condition-context.js';
import { malformed } from './malformed.js';
import { firstVariable, parseTemplate, resolveTemplate } from './variables.js';
import { compilePattern, type TextTest, wildcardPattern } from './wildcards.js';

/** Whether a statement covers an action such as kms:Decrypt. */
export type ActionTest = (action: string) => boolean;

/** Whether a statement covers a resource: an ARN, or `*` for what has none. */
export type ResourceTest = (resource: string, context: ConditionContext) => boolean;

/** Action: a service and the name of an action, in any case, the name with wildcards. */
const actionForm = /^(?:\*|(?:\*|[A-Za-z0-9-]+):\S+)$/;

/**
 * Compiles an Action element, or with `negated` a NotAction element.
 *
 * @throws KmsError MalformedPolicyDocumentException
 */
export function compileActions(values: readonly string[], negated: boolean): ActionTest {
  const tests = values.map((value) => {
    if (!actionForm.test(value)) {
      throw malformed('Actions/Conditions must be prefaced by a vendor, e.g., iam, sdb, ec2, etc.');
    }
    return compilePattern(wildcardPattern(value.toLowerCase()));
  });
  return (action) => {
    const folded = action.toLowerCase();
    return tests.some((test) => test(folded)) !== negated;
  };
}

/**
 * Compiles a Resource element, or with `negated` a NotResource element. Wildcards go over colons. A pattern with a
 * variable that the request does not fill matches nothing; a NotResource with one allows nothing and denies everything.
 *
 * @throws KmsError MalformedPolicyDocumentException
 */
export function compileResources(
  values: readonly string[],
  negated: boolean,
  effect: 'Allow' | 'Deny',
  variables: boolean,
): ResourceTest {
  const tests = values.map((value) => compileResource(value, variables));
  if (!negated) return (resource, context) => tests.some((test) => test(resource, context) === true);
  return (resource, context) => {
    let resolved = true;
    for (const test of tests) {
      const matches = test(resource, context);
      if (matches === true) return false;
      if (matches === undefined) resolved = false;
    }
    return resolved || effect === 'Deny';
  };
}

/** Undefined: the request does not fill a variable. */
type PartialTest = (resource: string, context: ConditionContext) => boolean | undefined;

function compileResource(value: string, variables: boolean): PartialTest {
  if (value !== '*' && !/^arn:|^\*/.test(value)) throw malformed(`Resource ${value} must be in ARN format or "*".`);
  if (variables) checkVariablePlace(value);
  const template = parseTemplate(value, { variables, wildcards: true });
  if (template.pattern) {
    const test: TextTest = compilePattern(template.pattern);
    return (resource) => test(resource);
  }
  return (resource, context) => {
    const pattern = resolveTemplate(template, context);
    return pattern && compilePattern(pattern)(resource);
  };
}

/** Variables stand for parts of a resource's name, never for its service, Region or account. */
function checkVariablePlace(value: string): void {
  const at = firstVariable(value);
  if (at >= 0 && value.slice(0, at).split(':').length <= 5) {
    throw malformed(`Resource ${value} has a policy variable before its fifth colon.`);
  }
}
