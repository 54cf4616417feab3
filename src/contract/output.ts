import { isDate, isUint8Array } from 'node:util/types';
import { KmsError } from './kms-error.js';
import {
  type ListShape,
  type MapShape,
  operationModels,
  type Shape,
  type StructureShape,
  shapeNamed,
} from './model.js';
import type { OperationName, OperationTypes } from './operation-types.js';
import { operationNames } from './operations.js';

/**
 * Writes a value of one shape as JSON text.
 *
 * @param at where the value stands, for the log, such as 'DescribeKey.KeyMetadata'
 */
type Writer = (value: unknown, at: string) => string;

const writers = new Map<string, Writer>();

/**
 * The body of an answer: blobs as base64, timestamps as epoch seconds with milliseconds, undefined and null left out;
 * '' for an operation whose answer has no body.
 *
 * @throws KmsError KMSInternalException without a message when the output does not fit the shape: a mistake of this
 * service. The cause names the member, never its value.
 */
export function encodeOutput<N extends OperationName>(operation: N, output: OperationTypes[N]['output']): string {
  return answerWriters[operation](output, operation);
}

function writerOf(name: string): Writer {
  const known = writers.get(name);
  if (known) return known;
  const writer = compile(shapeNamed(name));
  writers.set(name, writer);
  return writer;
}

function compile(shape: Shape): Writer {
  if (shape.type === 'structure') return structureWriter(shape);
  if (shape.type === 'map') return mapWriter(shape);
  if (shape.type === 'list') return listWriter(shape);
  return scalarWriters[shape.type];
}

const scalarWriters = {
  string: writeString,
  blob(value, at) {
    if (Buffer.isBuffer(value)) return `"${value.toString('base64')}"`;
    if (!isUint8Array(value)) throw mismatch(at, 'bytes');
    return `"${Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString('base64')}"`;
  },
  integer(value, at) {
    if (!Number.isSafeInteger(value)) throw mismatch(at, 'an integer');
    return String(value);
  },
  boolean(value, at) {
    if (typeof value !== 'boolean') throw mismatch(at, 'a boolean');
    return String(value);
  },
  timestamp(value, at) {
    if (!isDate(value) || Number.isNaN(value.getTime())) throw mismatch(at, 'a valid Date');
    return String(value.getTime() / 1000);
  },
} satisfies Partial<Record<Shape['type'], Writer>>;

const answerWriters = Object.fromEntries(
  operationNames.map((operation) => {
    const { output } = operationModels[operation];
    return [operation, output === undefined ? writeNothing : writerOf(output)];
  }),
) as Record<OperationName, Writer>;

function writeString(value: unknown, at: string): string {
  if (typeof value !== 'string') throw mismatch(at, 'a string');
  return JSON.stringify(value);
}

function structureWriter(shape: StructureShape): Writer {
  const members = new Map(
    Object.entries(shape.members).map(([name, target]) => [
      name,
      { label: `${JSON.stringify(name)}:`, write: writerOf(target) },
    ]),
  );
  return (value, at) => {
    const object = objectOf(value, at);
    let json = '';
    for (const name of Object.keys(object)) {
      const member = members.get(name);
      if (member === undefined) throw mismatch(`${at}.${name}`, 'absent: the service model does not have it');
      const content = object[name];
      if (content === undefined || content === null) continue;
      json += (json === '' ? '{' : ',') + member.label + member.write(content, `${at}.${name}`);
    }
    return json === '' ? '{}' : `${json}}`;
  };
}

function mapWriter(shape: MapShape): Writer {
  const write = writerOf(shape.value);
  return (value, at) => {
    // The keys of a map can be confidential: they are not part of `at`.
    const pairs = Object.entries(objectOf(value, at)).map(
      ([key, content]) => `${writeString(key, at)}:${write(content, at)}`,
    );
    return `{${pairs.join(',')}}`;
  };
}

function listWriter(shape: ListShape): Writer {
  const write = writerOf(shape.member);
  return (value, at) => {
    if (!Array.isArray(value)) throw mismatch(at, 'a list');
    return `[${value.map((element) => write(element, at)).join(',')}]`;
  };
}

function writeNothing(value: unknown, at: string): string {
  if (value !== undefined) throw mismatch(at, 'undefined: the answer has no body');
  return '';
}

function objectOf(value: unknown, at: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw mismatch(at, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

function mismatch(at: string, expected: string): KmsError {
  return new KmsError('KMSInternalException', undefined, { cause: new TypeError(`${at} must be ${expected}`) });
}
