/** A bracketed class, or \s outside of one. */
const classOrSpace = /\[(?:\\.|[^\]\\])*\]|\\s/g;

/** What Java's \s matches; JavaScript's matches Unicode spaces too. \d and \w mean the same in both. */
const javaSpace = ' \\t\\n\\v\\f\\r';

/**
 * A Java pattern of the service model as an expression that must match a whole string.
 *
 * @throws SyntaxError when the pattern uses something that JavaScript lacks
 */
export function javaPattern(pattern: string): RegExp {
  const translated = pattern.replace(classOrSpace, (part) =>
    part === '\\s' ? `[${javaSpace}]` : part.replaceAll('\\s', javaSpace),
  );
  return new RegExp(`^(?:${translated})$`, 'u');
}
