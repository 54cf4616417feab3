import { lengthConstraints } from './constraints.js';
import { type JsonObject, parseJsonBody } from './json-body.js';
import { KmsError } from './kms-error.js';
import { type ListShape, type MapShape, operationModels, type StructureShape, shapeNamed } from './model.js';
import type { OperationName, OperationTypes } from './operation-types.js';
import { operationNames } from './operations.js';
import { misplaced, type Scalar, scalarOf } from './scalars.js';
import { Violations } from './violations.js';

/**
 * Reads a value of one shape: type errors are thrown at once (a SerializationException precedes every other answer),
 * broken constraints are collected.
 *
 * @param value a JSON value, not null
 * @param at path of the value for messages; '' is the request itself
 */
type Reader = (value: unknown, at: string, found: Violations) => unknown;

const notNull = 'Member must not be null';

const readers = new Map<string, Reader>();

// Compiled when the module is loaded: a pattern that JavaScript cannot read stops the start, not a request.
const requestReaders = Object.fromEntries(
  operationNames.map((operation) => [operation, readerOf(operationModels[operation].input)]),
) as Record<OperationName, Reader>;

/**
 * Reads and checks the body of a request against the service model. Members that the model does not know are ignored,
 * null is as good as absent. Maps come without a prototype, blobs as Buffers, timestamps as Dates.
 *
 * @param operation what X-Amz-Target names
 * @param body raw body, UTF-8 JSON
 * @throws KmsError SerializationException when the body or a member is not of the right type; otherwise
 * ValidationException that lists every constraint that is not met (contract, part B)
 */
export function parseInput<N extends OperationName>(operation: N, body: Buffer): OperationTypes[N]['input'] {
  const found = new Violations();
  const input = requestReaders[operation](parseJsonBody(body), '', found);
  found.throwIfAny();
  return input as OperationTypes[N]['input'];
}

function readerOf(name: string): Reader {
  const known = readers.get(name);
  if (known) return known;
  const reader = compile(name);
  readers.set(name, reader);
  return reader;
}

/** Recursion ends: no shape of the API contains itself. */
function compile(name: string): Reader {
  const shape = shapeNamed(name);
  if (shape.type === 'structure') return structureReader(shape);
  if (shape.type === 'map') return mapReader(shape);
  if (shape.type === 'list') return listReader(shape);
  return scalarReader(scalarNamed(name));
}

function scalarNamed(name: string): Scalar {
  const scalar = scalarOf(shapeNamed(name));
  if (scalar === undefined) throw new Error(`${name} is expected to be a scalar`);
  return scalar;
}

function scalarReader({ read, constraints, hidden }: Scalar): Reader {
  return (json, at, found) => {
    const value = read(json);
    for (const { holds, text } of constraints) {
      if (!holds(value)) found.add(at, hidden ? undefined : String(value), text);
    }
    return value;
  };
}

function structureReader(shape: StructureShape): Reader {
  const members = Object.entries(shape.members).map(([name, target]) => ({
    name,
    label: lowerCamel(name),
    required: shape.required?.includes(name) ?? false,
    read: readerOf(target),
  }));
  return (json, at, found) => {
    const object = objectOf(json, 'structure');
    const structure: Record<string, unknown> = {};
    for (const { name, label, required, read } of members) {
      const value = Object.hasOwn(object, name) ? object[name] : undefined;
      if (value !== undefined && value !== null) {
        structure[name] = read(value, at === '' ? label : `${at}.${label}`, found);
      } else if (required) {
        found.add(at === '' ? label : `${at}.${label}`, null, notNull);
      }
    }
    return structure;
  };
}

/** An encryption context in which null were absent would not be the one that the client meant: null is refused. */
function mapReader(shape: MapShape): Reader {
  const key = scalarNamed(shape.key);
  const value = scalarNamed(shape.value);
  return (json, at, found) => {
    const object = objectOf(json, 'map');
    // Without a prototype __proto__ and constructor are keys like any other.
    const map: Record<string, unknown> = Object.create(null);
    let keysHold = true;
    let valuesHold = true;
    for (const name of Object.keys(object)) {
      const member = object[name];
      keysHold &&= allHold(key, name);
      if (member === null) {
        valuesHold = false;
      } else {
        const read = value.read(member);
        valuesHold &&= allHold(value, read);
        map[name] = read;
      }
    }
    if (!keysHold) found.add(at, undefined, `Map keys must satisfy constraint: [${texts(key)}]`);
    if (!valuesHold) found.add(at, undefined, `Map value must satisfy constraint: [${texts(value)}]`);
    return map;
  };
}

function listReader(shape: ListShape): Reader {
  const lengths = lengthConstraints(shape);
  const scalar = scalarOf(shapeNamed(shape.member));
  const readElements = scalar ? scalarElements(scalar) : structureElements(readerOf(shape.member));
  const hidden = scalar?.hidden ?? true;
  return (json, at, found) => {
    const elements = arrayOf(json);
    // First, so that what a message shows of a list is made of scalars.
    const values = readElements(elements, at, found);
    for (const { holds, text } of lengths) {
      if (!holds(elements)) found.add(at, hidden ? undefined : shown(elements), text);
    }
    return values;
  };
}

type ElementsReader = (elements: readonly unknown[], at: string, found: Violations) => unknown[];

/** AWS reports scalar elements once per list, with every constraint of an element. */
function scalarElements(scalar: Scalar): ElementsReader {
  return (elements, at, found) => {
    let hold = true;
    const values = elements.map((element) => {
      if (element === null) {
        hold = false;
        return undefined;
      }
      const value = scalar.read(element);
      hold &&= allHold(scalar, value);
      return value;
    });
    if (!hold) {
      const value = scalar.hidden ? undefined : shown(elements);
      found.add(at, value, `Member must satisfy constraint: [${texts(scalar)}]`);
    }
    return values;
  };
}

function structureElements(read: Reader): ElementsReader {
  return (elements, at, found) =>
    elements.map((element, index) => {
      const path = `${at}.${index + 1}.member`;
      if (element !== null) return read(element, path, found);
      found.add(path, null, notNull);
      return undefined;
    });
}

function allHold({ constraints }: Scalar, value: unknown): boolean {
  for (const { holds } of constraints) if (!holds(value)) return false;
  return true;
}

/** Every constraint of an element; that it must not be null comes last, as in AWS. */
function texts({ constraints }: Scalar): string {
  return [...constraints.map(({ text }) => text), notNull].join(', ');
}

/** A list of scalars as Java prints it; joining stops being useful long before the echo is cut. */
function shown(elements: readonly unknown[]): string {
  return `[${elements.slice(0, 64).join(', ')}${elements.length > 64 ? ', …' : ''}]`;
}

function objectOf(json: unknown, kind: 'structure' | 'map'): JsonObject {
  if (typeof json !== 'object') throw new KmsError('SerializationException', `Expected ${kind} or null`);
  if (Array.isArray(json) || json === null) throw misplaced(json);
  return json as JsonObject;
}

function arrayOf(json: unknown): readonly unknown[] {
  if (Array.isArray(json)) return json;
  if (typeof json !== 'object') throw new KmsError('SerializationException', 'Expected list or null');
  throw misplaced(json);
}

/** 'KeyId' -> 'keyId': how AWS names a member in a message. */
function lowerCamel(name: string): string {
  return name.charAt(0).toLowerCase() + name.slice(1);
}
