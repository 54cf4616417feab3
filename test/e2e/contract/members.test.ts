import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { operationModels, shapeNamed } from '../../../src/contract/model.js';
import type { OperationName } from '../../../src/contract/operation-types.js';
import { operationNames } from '../../../src/contract/operations.js';
import { validRequest } from './baselines.js';
import { type MemberCase, memberCases } from './member-cases.js';
import { violations, violationsTold } from './oracle.js';
import { World } from './world.js';

/** Every member of every operation, wrong in every way, and just right: generated from the service model. */

let world: World;
beforeAll(async () => {
  world = await World.make();
});
afterAll(() => world?.end());

/**
 * A member that is made wrong beside one that is just right: what is right is then not in the answer, and nothing is
 * carried out.
 */
function wrongBeside(operation: OperationName, member: string): { value: object; told: string[] } | undefined {
  const shape = shapeNamed(operationModels[operation].input);
  if (shape.type !== 'structure') return undefined;
  for (const [name, target] of Object.entries(shape.members)) {
    const { type } = shapeNamed(target);
    if (name === member || (type !== 'string' && type !== 'integer')) continue;
    const value = type === 'integer' ? -1 : '';
    const told = violations(target, value, name.charAt(0).toLowerCase() + name.slice(1));
    if (told.length > 0) return { value: { [name]: value }, told };
  }
  return undefined;
}

async function check(operation: OperationName, { member, value, expected }: MemberCase): Promise<void> {
  const input = { ...validRequest(operation, world), [member]: value };
  if ('serialization' in expected) {
    const { status, name, message } = await world.wire.ask(operation, input);
    expect({ status, name }).toEqual({ status: 400, name: 'SerializationException' });
    if (expected.serialization !== undefined) expect(message).toBe(expected.serialization);
    return;
  }
  const beside = expected.violations.length === 0 ? wrongBeside(operation, member) : undefined;
  const { status, name, message } = await world.wire.ask(operation, { ...input, ...beside?.value });
  const told = [...expected.violations, ...(beside?.told ?? [])];
  if (told.length > 0) {
    expect({ status, name }).toEqual({ status: 400, name: 'ValidationException' });
    expect(violationsTold(message)).toEqual(told.toSorted());
  } else {
    expect(status).toBeLessThan(500);
    expect(name).not.toBe('SerializationException');
    expect(message ?? '').not.toContain('validation error');
  }
}

describe.each(operationNames)('%s', (operation) => {
  const cases = memberCases(operation);
  if (cases.length > 0) test.each(cases)('$name', (each) => check(operation, each));
});
