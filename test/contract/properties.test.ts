import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { parseInput } from '../../src/contract/input.js';
import { KmsError } from '../../src/contract/kms-error.js';
import { operationModels, type Shape, shapeNamed } from '../../src/contract/model.js';
import { operationNames } from '../../src/contract/operations.js';
import { encodeOutput } from '../../src/contract/output.js';

/** A value, or the KmsError that the client would be answered; anything else that is thrown is a fault. */
function outcome(read: () => object): object | KmsError {
  try {
    return read();
  } catch (error) {
    if (error instanceof KmsError) return error;
    throw error;
  }
}

/** JSON values that often fit a shape and often do not. */
function resembling(shape: Shape): fc.Arbitrary<unknown> {
  const wild = fc.jsonValue({ maxDepth: 3 });
  const likely: Record<Shape['type'], () => fc.Arbitrary<unknown>> = {
    structure: () => {
      if (shape.type !== 'structure') return wild;
      const members = Object.entries(shape.members).map(([name, target]) => [name, resembling(shapeNamed(target))]);
      return fc.record(Object.fromEntries(members), { requiredKeys: [] });
    },
    list: () => fc.array(shape.type === 'list' ? resembling(shapeNamed(shape.member)) : wild, { maxLength: 12 }),
    map: () => fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })),
    string: () => (shape.type === 'string' && shape.enum ? fc.constantFrom(...shape.enum, 'x') : fc.string()),
    blob: () => fc.oneof(fc.base64String(), fc.string()),
    integer: () => fc.oneof(fc.integer(), fc.double()),
    boolean: () => fc.boolean(),
    timestamp: () => fc.oneof(fc.double(), fc.string()),
  };
  return fc.oneof({ weight: 12, arbitrary: likely[shape.type]() }, { weight: 1, arbitrary: wild });
}

const prototypeNames = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'valueOf', '__defineGetter__'];

describe('whatever is sent', () => {
  test.each(operationNames)('%s answers a value or a KmsError of the contract', (operation) => {
    const request = resembling(shapeNamed(operationModels[operation].input));
    fc.assert(
      fc.property(request, (value) => {
        const result = outcome(() => parseInput(operation, Buffer.from(JSON.stringify(value))));
        if (result instanceof KmsError)
          expect(['SerializationException', 'ValidationException']).toContain(result.name);
      }),
      { numRuns: 60 },
    );
  });

  test('bytes that are no JSON are refused, never a crash', () => {
    fc.assert(
      fc.property(fc.constantFrom(...operationNames), fc.uint8Array({ maxLength: 60 }), (operation, bytes) => {
        expect(outcome(() => parseInput(operation, Buffer.from(bytes)))).toBeInstanceOf(KmsError);
      }),
    );
  });
});

/** Beyond some ten thousand years a double of seconds no longer holds milliseconds. */
const [firstInstant, lastInstant] = [new Date('0001-01-01T00:00:00Z'), new Date('9999-12-31T23:59:59.999Z')];

describe('round trips', () => {
  test('of blobs', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 4096 }), (bytes) => {
        const body = encodeOutput('GenerateRandom', { Plaintext: bytes });
        expect(JSON.parse(body)).toEqual({ Plaintext: Buffer.from(bytes).toString('base64') });
        const input = parseInput('Sign', Buffer.from(body.replace('Plaintext', 'Message').replace('}', rest)));
        expect(input.Message.equals(bytes)).toBe(true);
      }),
    );
  });
  const rest = ',"KeyId":"a","SigningAlgorithm":"ECDSA_SHA_256"}';

  test('of timestamps, to the millisecond', () => {
    fc.assert(
      fc.property(fc.date({ noInvalidDate: true, min: firstInstant, max: lastInstant }), (ValidTo) => {
        const encoded = JSON.parse(encodeOutput('GetParametersForImport', { ParametersValidTo: ValidTo }));
        const body = {
          KeyId: 'a',
          ImportToken: 'AA==',
          EncryptedKeyMaterial: 'AA==',
          ValidTo: encoded.ParametersValidTo,
        };
        expect(parseInput('ImportKeyMaterial', Buffer.from(JSON.stringify(body))).ValidTo).toEqual(ValidTo);
      }),
    );
  });

  test('of encryption contexts, whatever the keys', () => {
    const name = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom(...prototypeNames));
    const pairs = fc.uniqueArray(fc.tuple(name, fc.string({ unit: 'binary' })), { selector: ([key]) => key });
    fc.assert(
      fc.property(pairs, (entries) => {
        // Written by hand: an object literal would swallow __proto__.
        const context = entries.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join();
        const body = Buffer.from(`{"KeyId":"a","Plaintext":"AA==","EncryptionContext":{${context}}}`);
        const { EncryptionContext = {} } = parseInput('Encrypt', body);
        expect(new Map(Object.entries(EncryptionContext))).toEqual(new Map(entries));
        const grant = { Constraints: { EncryptionContextEquals: EncryptionContext as Record<string, string> } };
        const answer = encodeOutput('ListGrants', { Grants: [grant] });
        expect(new Map(Object.entries(JSON.parse(answer).Grants[0].Constraints.EncryptionContextEquals))).toEqual(
          new Map(entries),
        );
      }),
    );
  });

  test('strings with half a surrogate pair are refused, all others come through', () => {
    fc.assert(
      fc.property(
        fc.string({ unit: fc.integer({ min: 0xd7f0, max: 0xe010 }).map((c) => String.fromCharCode(c)), minLength: 1 }),
        (text) => {
          // JSON.stringify escapes exactly the halves; written as escapes throughout, pairs are tried too.
          const escaped = [...Array(text.length).keys()].map((i) => `\\u${text.charCodeAt(i).toString(16)}`).join('');
          const result = outcome(() => parseInput('DescribeKey', Buffer.from(`{"KeyId":"${escaped}"}`)));
          if (text.isWellFormed()) expect(result).toEqual({ KeyId: text });
          else expect(result).toMatchObject({ name: 'SerializationException' });
        },
      ),
    );
  });
});
