import { expect, test } from '@jest/globals';
import { isReadOnly, requestParameters, responseElements } from '../../src/audit/shown-members.js';
import { operationModels, shapeNamed } from '../../src/contract/model.js';
import { operationNames } from '../../src/contract/operations.js';

test('every operation is known to read or to change: a new one has to be decided on', () => {
  const reading =
    /^(Decapsulate|Decrypt|DeriveSharedSecret|Describe|Encapsulate|Encrypt|Generate|Get|List|ReEncrypt$|Sign$|Verify)/;
  for (const name of operationNames) expect([name, isReadOnly(name)]).toEqual([name, reading.test(name)]);
});

/** A value of every member of a structure, which tells by its text where it stood. */
function filled(name: string, at: string): unknown {
  const shape = shapeNamed(name);
  if (shape.type === 'structure') {
    return Object.fromEntries(
      Object.entries(shape.members).map(([member, each]) => [member, filled(each, `${at}.${member}`)]),
    );
  }
  if (shape.type === 'list') return [filled(shape.member, `${at}[]`)];
  if (shape.type === 'map') return { [`${at} key`]: `${at} value` };
  if (shape.type === 'blob') return Buffer.from(`BLOB ${at}`);
  if (shape.type === 'string') return shape.sensitive ? `SENSITIVE ${at}` : at;
  if (shape.type === 'timestamp') return new Date(0);
  return shape.type === 'boolean' ? true : 1;
}

const hidden = /SENSITIVE|BLOB|QkxPQ|GrantToken|ImportToken|Certificate|PublicKey|Plaintext|Ciphertext|Signature|"Mac"/;

test.each(operationNames)('%s shows nothing that is a blob, sensitive or a token', (name) => {
  const { input, output } = operationModels[name];
  const parameters = requestParameters(name, filled(input, 'input'));
  expect(parameters).not.toMatch(hidden);
  expect(JSON.parse(parameters)).toBeInstanceOf(Object);
  const elements = responseElements(name, output && filled(output, 'output'));
  expect(elements).not.toMatch(hidden);
  if (isReadOnly(name)) expect(elements).toBe('null');
});

test('the members of CloudTrail begin with a small letter', () => {
  const input = { KeyId: 'x', EncryptionContext: { Tenant: 'a' }, Plaintext: Buffer.from('x'), GrantTokens: ['y'] };
  expect(requestParameters('Encrypt', input)).toBe('{"keyId":"x","encryptionContext":{"Tenant":"a"}}');
});
