import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { operationModels, type Shape, type StructureShape, shapeNamed } from '../../../src/contract/model.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { operationNames } from '../../../src/contract/operations.js';
import { baselines, validRequest } from './baselines.js';
import { missing, typeFault, violations, violationsTold } from './oracle.js';
import { World } from './world.js';

/** Whole requests to every operation: valid ones, empty ones, ones that are no object, ones that are wrong all over. */

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(() => world?.end());

const lowerCamel = (name: string) => name.charAt(0).toLowerCase() + name.slice(1);

function inputOf(operation: OperationName): StructureShape {
  return shapeNamed(operationModels[operation].input) as StructureShape;
}

async function outcome(operation: OperationName, body: unknown) {
  const { status, name, message } = await world.wire.ask(operation, body);
  return { status, name, message };
}

const ending = (operation: OperationName) => {
  const { ends } = baselines[operation];
  return ends === undefined ? { status: 200, name: undefined } : { status: 400, name: ends };
};

/** What JSON bodies other than an object are answered (contract B). */
const noObjects: [string, string | undefined][] = [
  ['', undefined],
  ['null', undefined],
  ['"text"', undefined],
  ['1', undefined],
  ['true', undefined],
  ['{', undefined],
  ['{"KeyId":}', undefined],
  ['[]', 'Start of list found where not expected'],
  ['[{}]', 'Start of list found where not expected'],
];

/** What does not meet the constraints of most shapes of a type. */
const wrongValues: Partial<Record<Shape['type'], unknown>> = { integer: -1, string: '', blob: '' };

describe.each(operationNames)('%s', (operation) => {
  const { members, required = [] } = inputOf(operation);
  const names = Object.keys(members);
  const optional = names.filter((name) => !required.includes(name));

  test('a valid request', async () => {
    expect(await outcome(operation, validRequest(operation, world))).toMatchObject(ending(operation));
  });

  test('members that the model does not have are ignored', async () => {
    const unknown = { NoSuchMember: [{ Nested: null }], ['__proto__']: 'x', constructor: 1, keyId: {} };
    const input = { ...unknown, ...validRequest(operation, world) };
    expect(await outcome(operation, input)).toMatchObject(ending(operation));
  });

  if (optional.length > 0) {
    test.each(optional)('%s null is as good as left out', async (member) => {
      const { [member]: _, ...without } = validRequest(operation, world);
      expect(await outcome(operation, { ...without, [member]: null })).toEqual(await outcome(operation, without));
    });
  }

  test.each(noObjects)('the body %j', async (body, message) => {
    expect(await outcome(operation, body)).toEqual({ status: 400, name: 'SerializationException', message });
  });

  if (required.length > 0) {
    const absent = required.map((member) => missing(lowerCamel(member))).toSorted();

    test.each([
      ['an empty request', () => ({})],
      [
        'a request whose members are in lower case',
        () =>
          Object.fromEntries(
            Object.entries(validRequest(operation, world)).map(([name, value]) => [lowerCamel(name), value]),
          ),
      ],
    ])('%s lacks all that is required', async (_name, request) => {
      const { status, name, message } = await outcome(operation, request());
      expect({ status, name }).toEqual({ status: 400, name: 'ValidationException' });
      expect(violationsTold(message)).toEqual(absent);
    });

    test('of a member that is given twice the last one counts', async () => {
      const valid = JSON.stringify(validRequest(operation, world));
      const first = required.map((member) => `${JSON.stringify(member)}:{"wrong":[]}`).join();
      expect(await outcome(operation, `{${first},${valid.slice(1)}`)).toMatchObject(ending(operation));
    });
  }

  if (names.length > 0) {
    const everywhere = allWrong(inputOf(operation));

    test('all constraints that are not met are told of', async () => {
      const { status, name, message } = await outcome(operation, everywhere.input);
      // a request that the model has no constraints for is only not there, or not complete
      if (everywhere.told.length === 0) return expect(status).toBeLessThan(500);
      expect({ status, name }).toEqual({ status: 400, name: 'ValidationException' });
      expect(violationsTold(message)).toEqual(everywhere.told.toSorted());
    });

    test.each(names)('%s of a wrong type counts before constraints that are not met', async (member) => {
      const shape = shapeNamed(members[member] as string);
      const wrong = shape.type === 'structure' || shape.type === 'map' ? [] : {};
      expect(await outcome(operation, { ...everywhere.input, [member]: wrong })).toEqual({
        status: 400,
        name: 'SerializationException',
        message: typeFault(shape, wrong),
      });
    });
  }
});

/** Every member that has a constraint on its own value, with a value that does not meet it; all others left out. */
function allWrong({ members, required = [] }: StructureShape): { input: Record<string, unknown>; told: string[] } {
  const input: Record<string, unknown> = {};
  const told: string[] = [];
  for (const [member, name] of Object.entries(members)) {
    const wrong = wrongValues[shapeNamed(name).type];
    const found = wrong === undefined ? [] : violations(name, wrong, lowerCamel(member));
    if (found.length > 0) {
      input[member] = wrong;
      told.push(...found);
    } else if (required.includes(member)) {
      told.push(missing(lowerCamel(member)));
    }
  }
  return { input, told };
}
