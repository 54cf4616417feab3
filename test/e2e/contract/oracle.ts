import { type Shape, shapeNamed } from '../../../src/contract/model.js';

/**
 * What AWS answers to a value that does not fit its shape, written from the contract's section B and not from the
 * validator: the same rules a second time, in another form.
 */

/** Characters of a value that this service repeats: AWS has no such limit. */
const echoed = 256;

/** What is wrong with the JSON type of a value, in the words of a SerializationException; undefined when nothing is. */
export function typeFault(shape: Shape, value: unknown): string | undefined {
  if (value === null) return undefined;
  const type = Array.isArray(value) ? 'list' : typeof value;
  const wanted = jsonTypes[shape.type];
  if (type === wanted.json) return undefined;
  if (type === 'list') return 'Start of list found where not expected';
  if (type === 'object') return 'Start of structure or map found where not expected.';
  if (wanted.json === 'list' || wanted.json === 'object') return `Expected ${shape.type} or null`;
  const found = type === 'boolean' ? `${String(value).toUpperCase()}_VALUE` : `${type.toUpperCase()}_VALUE`;
  return `${found} can not be converted to ${wanted.article}`;
}

const jsonTypes: Readonly<Record<Shape['type'], { readonly json: string; readonly article?: string }>> = {
  string: { json: 'string', article: 'a String' },
  blob: { json: 'string', article: 'a Blob' },
  integer: { json: 'number', article: 'an Integer' },
  boolean: { json: 'boolean', article: 'a Boolean' },
  timestamp: { json: 'number', article: 'milliseconds since epoch' },
  list: { json: 'list' },
  map: { json: 'object' },
  structure: { json: 'object' },
};

/** The constraints of a scalar shape, each with whether a value meets it. */
function constraintsOf(shape: Shape, value: unknown): { readonly met: boolean; readonly text: string }[] {
  if (shape.type === 'integer') {
    const { min, max } = shape;
    const number = Math.trunc(value as number);
    return [
      ...(max === undefined ? [] : [{ met: number <= max, text: `have value less than or equal to ${max}` }]),
      ...(min === undefined ? [] : [{ met: number >= min, text: `have value greater than or equal to ${min}` }]),
    ];
  }
  if (shape.type === 'blob') return lengthsOf(shape, Buffer.from(value as string, 'base64').length);
  if (shape.type !== 'string') return [];
  const text = value as string;
  const { pattern, enum: values } = shape;
  return [
    ...lengthsOf(shape, [...text].length),
    ...(pattern === undefined
      ? []
      : [{ met: matches(pattern, text), text: `satisfy regular expression pattern: ${pattern}` }]),
    ...(values === undefined
      ? []
      : [{ met: values.includes(text), text: `satisfy enum value set: [${values.join(', ')}]` }]),
  ];
}

function lengthsOf(shape: Shape, length: number): { readonly met: boolean; readonly text: string }[] {
  const { min, max } = shape as { min?: number; max?: number };
  return [
    ...(max === undefined ? [] : [{ met: length <= max, text: `have length less than or equal to ${max}` }]),
    // every length is at least 0: AWS does not say so
    ...(min ? [{ met: length >= min, text: `have length greater than or equal to ${min}` }] : []),
  ];
}

/** The pattern of a model is Java's and is for the whole value. Java's \s knows no Unicode; no sample has such spaces. */
function matches(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).exec(text)?.[0] === text;
}

const isHidden = (shape: Shape): boolean => shape.type === 'blob' || ('sensitive' in shape && shape.sensitive === true);

function shown(shape: Shape, value: unknown): string {
  if (isHidden(shape)) return '';
  const text = String(shape.type === 'integer' ? Math.trunc(value as number) : value);
  return text.length > echoed ? `'${text.slice(0, echoed)}…' ` : `'${text}' `;
}

const failed = (value: string, at: string, text: string) =>
  `Value ${value}at '${at}' failed to satisfy constraint: ${text}`;

/** What is said of a member that must be there and is not. */
export const missing = (at: string): string => failed('null ', at, 'Member must not be null');

/** What is said of a scalar of the right type, one text for each constraint that it does not meet. */
export function violations(name: string, value: unknown, at: string): string[] {
  const shape = shapeNamed(name);
  return constraintsOf(shape, value)
    .filter(({ met }) => !met)
    .map(({ text }) => failed(shown(shape, value), at, `Member must ${text}`));
}

/** What is said of a list of scalars, one of which is null or does not meet a constraint of the element's shape. */
export function elementViolations(name: string, list: readonly unknown[], at: string): string[] {
  const shape = shapeNamed(name);
  const isMet = (value: unknown) => value !== null && constraintsOf(shape, value).every(({ met }) => met);
  if (list.every(isMet)) return [];
  // what the constraints are does not depend on the value
  const texts = constraintsOf(shape, shape.type === 'integer' ? 0 : '').map(({ text }) => `Member must ${text}`);
  const value = isHidden(shape) ? '' : shown({ type: 'string' }, `[${list.join(', ')}]`);
  return [failed(value, at, `Member must satisfy constraint: [${[...texts, 'Member must not be null'].join(', ')}]`)];
}

/** What is said of a list that has too many elements. */
export function lengthViolations(name: string, list: readonly unknown[], at: string): string[] {
  return lengthsOf(shapeNamed(name), list.length)
    .filter(({ met }) => !met)
    .map(({ text }) => failed(shown({ type: 'string' }, `[${list.join(', ')}]`), at, `Member must ${text}`));
}

/** What is said of a map with a value that is null. */
export const nullInMap = (at: string): string =>
  failed('', at, 'Map value must satisfy constraint: [Member must not be null]');

/** The message of a ValidationException taken apart: AWS does not say in which order it tells of several violations. */
export function violationsTold(message: string | undefined): string[] {
  const [, count, rest = ''] = /^(\d+) validation errors? detected: (.*)$/s.exec(message ?? '') ?? [];
  const told = rest.split(/; (?=Value )/);
  if (Number(count) !== told.length) throw new Error(`this is no list of violations: ${message}`);
  if (message?.includes('errors') !== told.length > 1) throw new Error(`wrong plural: ${message}`);
  return told.toSorted();
}
