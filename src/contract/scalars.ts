import { type Constraint, integerConstraints, lengthConstraints, stringConstraints } from './constraints.js';
import { KmsError } from './kms-error.js';
import type { Shape } from './model.js';

/** How values of a shape without members are read. */
export interface Scalar<T = unknown> {
  /** @throws KmsError SerializationException when the JSON value is not of the shape's type */
  read(value: unknown): T;
  readonly constraints: readonly Constraint<T>[];
  /** Whether messages leave the value out: blobs and what the model calls sensitive. */
  readonly hidden: boolean;
}

const plain = { constraints: [], hidden: false };

/** The scalar that a shape describes; undefined for structures, lists and maps. */
export function scalarOf(shape: Shape): Scalar | undefined {
  switch (shape.type) {
    case 'string':
      return scalar(readString, stringConstraints(shape), shape.sensitive);
    case 'blob':
      return scalar(readBlob, lengthConstraints(shape), true);
    case 'integer':
      return scalar(readInteger, integerConstraints(shape), shape.sensitive);
    case 'boolean':
      return { read: readBoolean, ...plain };
    case 'timestamp':
      return { read: readTimestamp, ...plain };
    default:
      return undefined;
  }
}

/** The type parameter ties what is read to what the constraints look at. */
function scalar<T>(read: (value: unknown) => T, constraints: readonly Constraint<T>[], hidden = false): Scalar<T> {
  return { read, constraints, hidden };
}

function readString(value: unknown): string {
  if (typeof value !== 'string') throw wrongType(value, 'a String');
  return value;
}

function readBoolean(value: unknown): boolean {
  if (typeof value !== 'boolean') throw wrongType(value, 'a Boolean');
  return value;
}

/** A fraction is cut off; what does not fit into 32 bits becomes the nearest number that does, and then too large. */
function readInteger(value: unknown): number {
  if (typeof value !== 'number') throw wrongType(value, 'an Integer');
  // | 0 cuts, and turns -0 into 0.
  return Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1) | 0;
}

/** From epoch seconds; rounded to milliseconds. */
function readTimestamp(value: unknown): Date {
  if (typeof value !== 'number') throw wrongType(value, 'milliseconds since epoch');
  const date = new Date(Math.round(value * 1000));
  if (Number.isNaN(date.getTime())) {
    throw new KmsError('SerializationException', 'NUMBER_VALUE is out of the range of a timestamp');
  }
  return date;
}

/** From standard base64 with padding, as strict as RFC 4648 allows: no text but one stands for given bytes. */
function readBlob(value: unknown): Buffer {
  if (typeof value !== 'string') throw wrongType(value, 'a Blob');
  const bytes = Buffer.from(value, 'base64');
  // Node decodes whatever resembles base64. What comes back the same was strict.
  if (bytes.toString('base64') !== value) {
    bytes.fill(0);
    throw new KmsError('SerializationException', `STRING_VALUE can not be converted to a Blob: ${base64Fault(value)}`);
  }
  return bytes;
}

/** What is wrong with base64 text. At most one character of the text is repeated: it may be a secret. */
function base64Fault(text: string): string {
  const stray = /[^A-Za-z0-9+/=]|=(?!=?$)/u.exec(text);
  if (stray !== null) return `Invalid Base64 character: '${stray[0]}'`;
  if (text.length % 4 !== 0) {
    return `Base64 encoded length is expected a multiple of 4 bytes but found: ${text.length}`;
  }
  return 'Invalid last non-pad Base64 character detected';
}

const tokenNames: Partial<Record<string, string>> = { string: 'STRING_VALUE', number: 'NUMBER_VALUE' };

/** The answer to a JSON value of another type, in AWS's words. */
function wrongType(value: unknown, expected: string): KmsError {
  if (typeof value === 'object') return misplaced(value);
  const token = tokenNames[typeof value] ?? (value === true ? 'TRUE_VALUE' : 'FALSE_VALUE');
  return new KmsError('SerializationException', `${token} can not be converted to ${expected}`);
}

/** The answer to a list or an object where neither, or only the other, may stand. */
export function misplaced(value: object | null): KmsError {
  const message = Array.isArray(value)
    ? 'Start of list found where not expected'
    : 'Start of structure or map found where not expected.';
  return new KmsError('SerializationException', message);
}
