import type { ConditionContext } from './condition-context.js';
import { malformed } from './malformed.js';
import { appendText, type Pattern } from './wildcards.js';

/** How the texts of a policy are read. */
export interface TextRules {
  /** True in policies of Version 2012-10-17 only; in others `${` has no meaning. */
  readonly variables: boolean;
  /** Whether `*` and `?` are wildcards. */
  readonly wildcards: boolean;
}

interface Variable {
  /** Lower case. */
  readonly key: string;
  readonly fallback: string | undefined;
}

/** A text of a policy, its variables found. */
export type Template = Constant | Variables;

interface Constant {
  readonly pattern: Pattern;
}

interface Variables {
  readonly pattern?: never;
  readonly parts: readonly (Pattern | Variable)[];
}

/** `${key}` or `${key, 'default'}`; nothing in it can be read in two ways, so it takes linear time. */
const variableSyntax = /\$\{([^${},']*)(?:,[ \t]*'([^']*)'[ \t]*)?\}/y;

/** `${*}`, `${?}` and `${$}` stand for characters that would otherwise have a meaning. */
const characterSyntax = /\$\{([*?$])\}/y;

/**
 * Reads a text of a policy: its wildcards and its policy variables.
 *
 * @throws KmsError MalformedPolicyDocumentException when a variable is not well formed
 * @example parseTemplate("home/${aws:username, 'nobody'}/*", { variables: true, wildcards: true })
 */
export function parseTemplate(text: string, rules: TextRules): Template {
  const parts: (Pattern | Variable)[] = [];
  let literal: number[] = [];
  let at = 0;
  while (at < text.length) {
    const next = rules.variables ? text.indexOf('${', at) : -1;
    const end = next < 0 ? text.length : next;
    appendText(literal, text.slice(at, end), rules.wildcards);
    at = end;
    if (next < 0) break;
    const character = matchAt(characterSyntax, text, at);
    if (character) {
      appendText(literal, character[1] as string, false);
      at += character[0].length;
      continue;
    }
    const variable = matchAt(variableSyntax, text, at);
    const key = variable?.[1]?.trim().toLowerCase();
    if (!variable || !key) throw malformed(`Policy contains an invalid policy variable in "${text}".`);
    parts.push(literal, { key, fallback: variable[2] });
    literal = [];
    at += variable[0].length;
  }
  return parts.length === 0 ? { pattern: literal } : { parts: [...parts, literal] };
}

function matchAt(syntax: RegExp, text: string, at: number): RegExpExecArray | null {
  syntax.lastIndex = at;
  return syntax.exec(text);
}

/**
 * The pattern of a template for one request. What comes from the request has no wildcards. Undefined when a key is
 * absent or has several values, and the variable has no default.
 */
export function resolveTemplate(template: Template, context: ConditionContext): Pattern | undefined {
  if (template.pattern) return template.pattern;
  const pattern: number[] = [];
  for (const part of template.parts) {
    if ('key' in part) {
      const value = context.get(part.key);
      const text = typeof value === 'string' ? value : part.fallback;
      if (text === undefined) return undefined;
      appendText(pattern, text, false);
    } else {
      for (const unit of part) pattern.push(unit);
    }
  }
  return pattern;
}

/** Where the first variable of a text begins; -1 without one. `${*}`, `${?}` and `${$}` are characters, not variables. */
export function firstVariable(text: string): number {
  let at = text.indexOf('${');
  while (at >= 0 && matchAt(characterSyntax, text, at)) at = text.indexOf('${', at + 4);
  return at;
}
