import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { javaPattern } from '../../src/contract/java-pattern.js';
import { operationModels, type Shape, shapeNamed, shapeNames } from '../../src/contract/model.js';
import { operationNames, operationOfTarget } from '../../src/contract/operations.js';

const generated = ['kms-model.json', 'operation-types.ts'].map(
  (file) => [file, readFileSync(new URL(`../../src/contract/${file}`, import.meta.url), 'utf8')] as const,
);

/** Names of the shapes that a shape refers to. */
function targets(shape: Shape): string[] {
  if (shape.type === 'structure') return Object.values(shape.members);
  if (shape.type === 'list') return [shape.member];
  return shape.type === 'map' ? [shape.key, shape.value] : [];
}

describe('the committed model', () => {
  test('holds the 56 operations of the API, each with an input shape', () => {
    expect(operationNames).toHaveLength(56);
    for (const name of operationNames) expect(shapeNamed(operationModels[name].input).type).toBe('structure');
  });

  test('has an answer without body for the 14 operations that AWS documents so', () => {
    expect(operationNames.filter((name) => operationModels[name].output === undefined)).toEqual([
      'CreateAlias',
      'DeleteAlias',
      'DisableKey',
      'DisableKeyRotation',
      'EnableKey',
      'EnableKeyRotation',
      'PutKeyPolicy',
      'RetireGrant',
      'RevokeGrant',
      'TagResource',
      'UntagResource',
      'UpdateAlias',
      'UpdateKeyDescription',
      'UpdatePrimaryRegion',
    ]);
  });

  test.each(generated)('%s holds no documentation and no path of a machine', (_file, text) => {
    expect(text).not.toMatch(/documentation|<p>|<code>/i);
    expect(text).not.toMatch(/["'\s](?:\/(?:home|root|usr|opt|var|tmp|work|Users)\/|[A-Za-z]:\\)|file:|site-packages/);
  });

  test.each<[string, object]>([
    ['KeyIdType', { type: 'string', min: 1, max: 2048 }],
    ['PlaintextType', { type: 'blob', min: 1, max: 4096, sensitive: true }],
    ['CiphertextType', { type: 'blob', min: 1, max: 6144 }],
    ['AliasNameType', { type: 'string', min: 1, max: 256, pattern: '^[a-zA-Z0-9:/_-]+$' }],
    ['GrantTokenList', { type: 'list', member: 'GrantTokenType', min: 0, max: 10 }],
    ['KeyStorePasswordType', { type: 'string', min: 7, max: 32, sensitive: true }],
    ['NumberOfBytesType', { type: 'integer', min: 1, max: 1024 }],
    ['EncapsulationAlgorithmSpec', { type: 'string', enum: ['ML_KEM'] }],
    ['EncapsulationAlgorithmSpecList', { type: 'list', member: 'EncapsulationAlgorithmSpec' }],
  ])('%s is as in the contract', (name, shape) => {
    expect(shapeNamed(name)).toEqual(shape);
  });

  test.each([
    ['KeySpec', ['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024', 'ML_DSA_44', 'ECC_NIST_EDWARDS25519']],
    ['DataKeyPairSpec', ['ML_KEM_512', 'ML_KEM_768', 'ML_KEM_1024']],
    ['KeyUsageType', ['ENCAPSULATE_DECAPSULATE', 'KEY_AGREEMENT']],
    ['GrantOperation', ['Encapsulate', 'Decapsulate', 'DeriveSharedSecret']],
  ])('%s has the values of every generation of the API', (name, values) => {
    expect(shapeNamed(name)).toEqual(expect.objectContaining({ enum: expect.arrayContaining(values) }));
  });

  test.each([
    ['CreateGrantRequest', ['GranteeServicePrincipal', 'RetiringServicePrincipal'], ['KeyId', 'Operations']],
    ['ListGrantsRequest', ['GranteeServicePrincipal'], ['KeyId']],
    ['ListRetirableGrantsRequest', ['RetiringServicePrincipal'], undefined],
    ['GrantConstraints', ['SourceArn'], undefined],
    ['KeyMetadata', ['EncapsulationAlgorithms'], ['KeyId']],
    ['GetPublicKeyResponse', ['EncapsulationAlgorithms'], undefined],
    ['DecapsulateRequest', ['GrantTokens'], ['KeyId', 'SharedSecretCiphertextBlob', 'EncapsulationAlgorithm']],
  ])('%s has the members that AWS added, and requires no more than AWS does now', (name, members, required) => {
    const shape = shapeNamed(name);
    if (shape.type !== 'structure') throw new Error('not a structure');
    expect(Object.keys(shape.members)).toEqual(expect.arrayContaining(members));
    expect(shape.required).toEqual(required);
  });

  test('has no shape that contains itself: the readers would never be compiled', () => {
    const visit = (name: string, above: readonly string[]): void => {
      expect(above).not.toContain(name);
      for (const target of targets(shapeNamed(name))) visit(target, [...above, name]);
    };
    for (const name of shapeNames) visit(name, []);
  });
});

describe('patterns', () => {
  const patterns = shapeNames.flatMap((name) => {
    const shape = shapeNamed(name);
    return shape.type === 'string' && shape.pattern !== undefined
      ? [{ name, pattern: shape.pattern, max: shape.max ?? 0 }]
      : [];
  });

  test('are all bounded by a length, and none takes long for a string that nearly matches', () => {
    const starts = [
      '',
      'a',
      'a-',
      'a.',
      '/',
      '/a',
      '/kms/xks/v',
      'arn:aws',
      'arn:aws:a:',
      'com.amazonaws.vpce.',
      'https://',
    ];
    const repeats = ['a', 'a-', 'a.', '-', '/', '/kms/xks/v1', ':', '1', ' ', 'aa-aa'];
    expect(patterns.length).toBeGreaterThan(15);
    for (const { name, pattern, max } of patterns) {
      expect(max).toBeGreaterThan(0);
      const expression = javaPattern(pattern);
      for (const start of starts) {
        for (const repeat of repeats) {
          const text = `${start}${repeat.repeat((2 * max) / repeat.length)}!\u0000`;
          const begun = performance.now();
          expression.test(text);
          expect([name, performance.now() - begun < 10_000]).toEqual([name, true]);
        }
      }
    }
  });

  test.each([
    ['[0-9]{12}', '123456789012', true],
    ['[0-9]{12}', 'x123456789012', false],
    ['[0-9]{12}', '123456789012\n', false],
    ['^[a-z]+$', 'abc\n', false],
    ['^(/a)$|^(/b)$', '/b', true],
    ['^(/a)$|^(/b)$', '/ac', false],
    // Java's \s does not know the no-break space.
    ['^[a-zA-Z0-9:/_\\s.-]+$', 'a\tb c.', true],
    ['^[a-zA-Z0-9:/_\\s.-]+$', 'a\u00a0b', false],
    ['a\\sb', 'a b', true],
    ['a\\sb', 'a\u2003b', false],
  ])('%s against %j: %s', (pattern, text, matches) => {
    expect(javaPattern(pattern).test(text)).toBe(matches);
  });
});

describe('operationOfTarget', () => {
  test.each([
    ['TrentService.Sign', 'Sign'],
    ['TrentService.Encapsulate', 'Encapsulate'],
    ['TrentService.sign', undefined],
    ['trentservice.Sign', undefined],
    ['Sign', undefined],
    ['TrentService.', undefined],
    ['TrentService.constructor', undefined],
    ['TrentService.Sign ', undefined],
    ['', undefined],
    [undefined, undefined],
  ])('%j names %j', (target, operation) => {
    expect(operationOfTarget(target)).toBe(operation);
  });
});
