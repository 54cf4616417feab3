import { operationModels, type StructureShape, shapeNamed } from '../../../src/contract/model.js';
import { elementViolations, lengthViolations, missing, nullInMap, typeFault, violations } from './oracle.js';
import { boundaryValues, validValue } from './samples.js';

/** A request that differs from a valid one in one member. */
export interface MemberCase {
  /** What is sent, for people: 'tags.2.member.tagKey: length 129'. */
  readonly name: string;
  /** Top-level member that is set. */
  readonly member: string;
  /** Undefined leaves it out. */
  readonly value: unknown;
  readonly expected:
    | { readonly serialization: string | undefined }
    /** What a ValidationException must tell; none when the contract allows the value. */
    | { readonly violations: readonly string[] };
}

/** Puts a value of the place at hand into a value of the top-level member. */
type Wrap = (value: unknown) => unknown;

const jsonValues: readonly unknown[] = ['x', 1, true, false, [], {}];
const lowerCamel = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

/** Every way in which one member of an operation's request can be wrong, and values that are just right. */
export function memberCases(operation: keyof typeof operationModels): MemberCase[] {
  const input = structureNamed(operationModels[operation].input);
  return Object.entries(input.members).flatMap(([member, shape]) => {
    const make: Make = (what, value, expected) => ({ name: `${member}${what}`, member, value, expected });
    const at = lowerCamel(member);
    const absence = input.required?.includes(member) ? absences(make, at, (value) => value) : [];
    return [...absence, ...valueCases(make, shape, at, (value) => value)];
  });
}

type Make = (what: string, value: unknown, expected: MemberCase['expected']) => MemberCase;

/** Left out, and null: the same to AWS. */
function absences(make: Make, at: string, wrap: Wrap): MemberCase[] {
  return [undefined, null].map((value) =>
    make(value === null ? ' null' : ' missing', wrap(value), { violations: [missing(at)] }),
  );
}

function valueCases(make: Make, name: string, at: string, wrap: Wrap): MemberCase[] {
  const shape = shapeNamed(name);
  const wrongTypes = jsonValues.flatMap((value) => {
    const serialization = typeFault(shape, value);
    return serialization === undefined ? [] : [make(`: ${JSON.stringify(value)}`, wrap(value), { serialization })];
  });
  switch (shape.type) {
    case 'structure':
      return [...wrongTypes, ...structureCases(make, shape, name, at, wrap)];
    case 'list':
      return [...wrongTypes, ...listCases(make, name, shape.member, at, wrap)];
    case 'map': {
      const value = shapeNamed(shape.value);
      const wrongValues = jsonValues.flatMap((json) => {
        const serialization = typeFault(value, json);
        return serialization === undefined
          ? []
          : [make(`.key: ${JSON.stringify(json)}`, wrap({ key: json }), { serialization })];
      });
      return [
        ...wrongTypes,
        ...wrongValues,
        make('.key: null', wrap({ key: null }), { violations: [nullInMap(at)] }),
        make(': {}', wrap({}), { violations: [] }),
        make(': 100 pairs', wrap(Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`${i}`, '']))), {
          violations: [],
        }),
      ];
    }
    case 'blob':
      return [
        ...wrongTypes,
        // in these words of the decoder every service is different
        ...['*', 'YQ', 'YQ==='].map((text) => make(`: ${text}`, wrap(text), { serialization: undefined })),
        ...scalarCases(make, name, at, wrap),
      ];
    default:
      return [...wrongTypes, ...scalarCases(make, name, at, wrap)];
  }
}

function scalarCases(make: Make, name: string, at: string, wrap: Wrap): MemberCase[] {
  return boundaryValues(name).map((value) =>
    make(`: ${described(value)}`, wrap(value), { violations: violations(name, value, at) }),
  );
}

function structureCases(make: Make, shape: StructureShape, name: string, at: string, wrap: Wrap): MemberCase[] {
  const valid = validValue(name) as Record<string, unknown>;
  const nested = Object.entries(shape.members).flatMap(([member, target]) => {
    const inner: Make = (what, value, expected) => make(`.${member}${what}`, value, expected);
    const wrapInner: Wrap = (value) => wrap({ ...valid, [member]: value });
    const path = `${at}.${lowerCamel(member)}`;
    const absence = absences(inner, path, wrapInner);
    return [
      ...(shape.required?.includes(member)
        ? absence
        : absence.map((each) => ({ ...each, expected: { violations: [] } }))),
      ...valueCases(inner, target, path, wrapInner),
    ];
  });
  return [...nested, make('.NoSuchMember', wrap({ ...valid, NoSuchMember: [{}] }), { violations: [] })];
}

/** The element that is wrong comes second. */
function listCases(make: Make, name: string, elementName: string, at: string, wrap: Wrap): MemberCase[] {
  const element = shapeNamed(elementName);
  const valid = validValue(elementName);
  const inner: Make = (what, value, expected) => make(`[1]${what}`, value, expected);
  const wrapInner: Wrap = (value) => wrap([valid, value]);
  const lengths = [0, 1, 10, 11].map((length) => {
    const list = Array.from({ length }, () => valid);
    return make(`: ${length} elements`, wrap(list), { violations: lengthViolations(name, list, at) });
  });
  const path = `${at}.2.member`;
  if (element.type === 'structure') {
    return [
      ...lengths,
      inner(' null', wrapInner(null), { violations: [missing(path)] }),
      ...valueCases(inner, elementName, path, wrapInner),
    ];
  }
  const wrongTypes = jsonValues.flatMap((value) => {
    const serialization = typeFault(element, value);
    return serialization === undefined
      ? []
      : [inner(`: ${JSON.stringify(value)}`, wrapInner(value), { serialization })];
  });
  const elements = [null, ...boundaryValues(elementName)].map((value) =>
    inner(`: ${described(value)}`, wrapInner(value), {
      violations: elementViolations(elementName, [valid, value], at),
    }),
  );
  return [...lengths, ...wrongTypes, ...elements];
}

function structureNamed(name: string): StructureShape {
  const shape = shapeNamed(name);
  if (shape.type !== 'structure') throw new Error(`${name} is no structure`);
  return shape;
}

/** A value within a line. */
function described(value: unknown): string {
  if (typeof value !== 'string' || value.length < 48) return JSON.stringify(value);
  return `${JSON.stringify(value.slice(0, 24))} ... of ${value.length} characters`;
}
