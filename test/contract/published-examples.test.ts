import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseInput } from '../../src/contract/input.js';
import { operationModels, shapeNamed } from '../../src/contract/model.js';
import type { OperationName } from '../../src/contract/operation-types.js';
import { encodeOutput } from '../../src/contract/output.js';
import { botocoreKmsData } from '../service/botocore.js';

/** The examples of the KMS API Reference, as botocore has them: AWS's own requests pass in, and its answers out. */

interface Example {
  readonly operation: OperationName;
  readonly title: string;
  readonly input: unknown;
  readonly output: unknown;
}

/** Examples that AWS itself would refuse, and why. */
const wrongExamples: Readonly<Record<string, string>> = {
  'cluster-1a23b4cdefg': 'ids of CloudHSM clusters have no 1',
};

const directory = botocoreKmsData();
const file = directory && join(directory, 'examples-1.json');
const examples: Example[] = file === undefined || !existsSync(file) ? [] : readExamples(file);

function readExamples(path: string): Example[] {
  const { examples: byOperation } = JSON.parse(readFileSync(path, 'utf8')) as {
    examples: Record<OperationName, { title: string; input?: unknown; output?: unknown }[]>;
  };
  return Object.entries(byOperation).flatMap(([operation, list]) =>
    list.map(({ title, input, output }) => ({ operation: operation as OperationName, title, input, output })),
  );
}

/** What scalars of the examples, which are for people, stand for. */
interface Scalars {
  blob(text: string): unknown;
  timestamp(date: Date): unknown;
}
/** On the wire, and in this service. */
const wire: Scalars = {
  blob: (text) => Buffer.from(text).toString('base64'),
  timestamp: (date) => date.getTime() / 1000,
};
const inside: Scalars = { blob: (text) => Buffer.from(text), timestamp: (date) => date };

function converted(name: string, value: unknown, to: Scalars): unknown {
  const shape = shapeNamed(name);
  switch (shape.type) {
    case 'structure':
      return Object.fromEntries(
        Object.entries(value as object).map(([member, each]) => {
          const target = shape.members[member];
          if (target === undefined) throw new Error(`the model has no ${name}.${member}`);
          return [member, converted(target, each, to)];
        }),
      );
    case 'list':
      return (value as unknown[]).map((each) => converted(shape.member, each, to));
    case 'blob':
      return to.blob(value as string);
    case 'timestamp':
      return to.timestamp(dateOf(value as string | number));
    default:
      return value;
  }
}

/** The examples have ISO 8601, one of them with a zero too many, epoch seconds, and these as text. */
function dateOf(value: string | number): Date {
  const seconds = Number(value);
  return Number.isNaN(seconds) ? new Date(String(value).replace(/T0(\d\d:)/, 'T$1')) : new Date(seconds * 1000);
}

const none: Example = { operation: 'ListKeys', title: 'none', input: {}, output: {} };
const testEach = examples.length > 0 ? test.each(examples) : test.skip.each([none]);

testEach('$operation: $title: the request', ({ operation, input }) => {
  const { input: shape } = operationModels[operation];
  const example = Object.fromEntries(
    Object.entries(input ?? {}).filter(([, value]) => wrongExamples[String(value)] === undefined),
  );
  const body = Buffer.from(JSON.stringify(converted(shape, example, wire)));
  // without the cluster that AWS would refuse, CreateCustomKeyStore still has all that the model requires
  expect(parseInput(operation, body)).toEqual(converted(shape, example, inside));
});

testEach('$operation: $title: the answer', ({ operation, output }) => {
  const { output: shape } = operationModels[operation];
  if (shape === undefined) return expect(output ?? null).toBeNull();
  const answer = converted(shape, output ?? {}, inside);
  expect(JSON.parse(encodeOutput(operation, answer as never))).toEqual(converted(shape, output ?? {}, wire));
});

(directory === undefined ? test.skip : test)('there are examples of most operations', () => {
  expect(new Set(examples.map(({ operation }) => operation)).size).toBeGreaterThan(45);
});
