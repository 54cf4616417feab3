import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { compilePattern, matchesPattern, wildcardPattern } from '../../../src/authorization/policy/wildcards.js';

/** The definition, without a thought of speed: what is left of a pattern against what is left of a text. */
function matchesByDefinition(pattern: string, text: string): boolean {
  if (pattern === '') return text === '';
  const rest = pattern.slice(1);
  if (pattern[0] === '*') {
    return matchesByDefinition(rest, text) || (text !== '' && matchesByDefinition(pattern, text.slice(1)));
  }
  return text !== '' && (pattern[0] === '?' || pattern[0] === text[0]) && matchesByDefinition(rest, text.slice(1));
}

test.each([
  ['', '', true],
  ['', 'a', false],
  ['*', '', true],
  ['**', 'abc', true],
  ['?', '', false],
  ['?', 'ab', false],
  ['a*', 'a', true],
  ['a*', 'ba', false],
  ['*a', 'ba', true],
  ['*a', 'ab', false],
  ['a*c', 'abc', true],
  ['a*c', 'ab', false],
  ['a?c', 'abc', true],
  ['a?c', 'ac', false],
  ['a*?', 'a', false],
  ['a*?', 'ab', true],
  ['*ab*ab*', 'abxab', true],
  ['*ab*ab*', 'abxa', false],
  ['a.c', 'abc', false],
  ['[a]', 'a', false],
  ['kms:GenerateDataKey*', 'kms:GenerateDataKeyPair', true],
  ['*aab', 'aaab', true],
  ['a*a', 'a', false],
  ['a*b*b', 'ab', false],
  ['a*b*b', 'abb', true],
  ['*ab*b', 'ab', false],
])('%j against %j: %s', (pattern, text, expected) => {
  expect(matchesPattern(wildcardPattern(pattern), text)).toBe(expected);
  expect(compilePattern(wildcardPattern(pattern))(text)).toBe(expected);
});

test('equals the definition', () => {
  // Few characters, so that pieces overlap and nearly match.
  const unit = fc.constantFrom('a', 'b', 'a', 'b', '*', '?');
  const pattern = fc.oneof(
    fc.string({ unit, maxLength: 10 }),
    fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 6 }),
  );
  const text = fc.string({ unit, maxLength: 6 });
  fc.assert(
    fc.property(pattern, text, (p, t) => {
      expect(matchesPattern(wildcardPattern(p), t)).toBe(matchesByDefinition(p, t));
      expect(compilePattern(wildcardPattern(p))(t)).toBe(matchesByDefinition(p, t));
    }),
    { numRuns: 5_000 },
  );
});

test('no pattern takes exponential time', () => {
  const pattern = wildcardPattern(`${'a*'.repeat(200)}b`);
  const start = performance.now();
  expect(matchesPattern(pattern, 'a'.repeat(4_000))).toBe(false);
  expect(performance.now() - start).toBeLessThan(30_000);
});
