import { javaPattern } from './java-pattern.js';
import type { BlobShape, IntegerShape, ListShape, StringShape } from './model.js';

/** A rule of the model for a value that already has the right type. */
export interface Constraint<T> {
  /** What AWS says of a value that breaks it. */
  readonly text: string;
  holds(value: T): boolean;
}

/** Lengths are in Unicode code points, as Smithy defines them. */
export function stringConstraints({ min, max, pattern, enum: values }: StringShape): Constraint<string>[] {
  const constraints: Constraint<string>[] = [];
  if (max !== undefined) {
    constraints.push({
      text: atMost('length', max),
      holds: (value) => value.length <= max || codePoints(value) <= max,
    });
  }
  if (min) {
    // A code point is one or two of the units that `length` counts.
    constraints.push({
      text: atLeast('length', min),
      holds: (value) => value.length >= 2 * min || codePoints(value) >= min,
    });
  }
  if (pattern !== undefined) {
    const expression = javaPattern(pattern);
    const limit = 2 * (max ?? Number.POSITIVE_INFINITY);
    constraints.push({
      text: `Member must satisfy regular expression pattern: ${pattern}`,
      // What is far too long is refused for that: the time of the expression stays bounded.
      holds: (value) => value.length > limit || expression.test(value),
    });
  }
  if (values !== undefined) {
    const allowed = new Set(values);
    constraints.push({
      text: `Member must satisfy enum value set: [${values.join(', ')}]`,
      holds: (value) => allowed.has(value),
    });
  }
  return constraints;
}

/** Of blobs, lengths in bytes; of lists, lengths in elements. */
export function lengthConstraints({ min, max }: BlobShape | ListShape): Constraint<{ readonly length: number }>[] {
  const constraints: Constraint<{ readonly length: number }>[] = [];
  if (max !== undefined) constraints.push({ text: atMost('length', max), holds: ({ length }) => length <= max });
  if (min) constraints.push({ text: atLeast('length', min), holds: ({ length }) => length >= min });
  return constraints;
}

export function integerConstraints({ min, max }: IntegerShape): Constraint<number>[] {
  const constraints: Constraint<number>[] = [];
  if (max !== undefined) constraints.push({ text: atMost('value', max), holds: (value) => value <= max });
  if (min !== undefined) constraints.push({ text: atLeast('value', min), holds: (value) => value >= min });
  return constraints;
}

function atMost(what: 'length' | 'value', bound: number): string {
  return `Member must have ${what} less than or equal to ${bound}`;
}

function atLeast(what: 'length' | 'value', bound: number): string {
  return `Member must have ${what} greater than or equal to ${bound}`;
}

function codePoints(value: string): number {
  let count = 0;
  for (const _ of value) count += 1;
  return count;
}
