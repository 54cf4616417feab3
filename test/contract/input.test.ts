import { describe, expect, test } from '@jest/globals';
import { parseInput } from '../../src/contract/input.js';
import { KmsError } from '../../src/contract/kms-error.js';
import type { OperationName } from '../../src/contract/operation-types.js';

const key = '1234abcd-12ab-34cd-56ef-1234567890ab';

/** What a client is answered to a body: [error name, message]. */
function refusal(operation: OperationName, body: Buffer | string): [string, string | undefined] {
  try {
    parseInput(operation, Buffer.from(body));
  } catch (error) {
    if (error instanceof KmsError) return [error.name, error.clientMessage];
    throw error;
  }
  throw new Error('the request was accepted');
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function violation(operation: OperationName, value: unknown): string | undefined {
  const [name, message] = refusal(operation, json(value));
  expect(name).toBe('ValidationException');
  return message;
}

describe('the body', () => {
  test.each([
    ['empty', ''],
    ['white space', '  '],
    ['not JSON', '{"KeyId":'],
    ['a trailing comma', '{"KeyId":"a",}'],
    ['null', 'null'],
    ['a string', '"x"'],
    ['a number', '1'],
    ['a boolean', 'true'],
    ['a byte order mark', '\ufeff{}'],
  ])('that is %s is refused without a message', (_what, body) => {
    expect(refusal('ListKeys', body)).toEqual(['SerializationException', undefined]);
  });

  test('that is a list is refused as AWS does', () => {
    expect(refusal('ListKeys', '[]')).toEqual(['SerializationException', 'Start of list found where not expected']);
  });

  test('that is not UTF-8 is refused', () => {
    const body = Buffer.concat([Buffer.from('{"KeyId":"'), Buffer.from([0xed, 0xa0, 0x80]), Buffer.from('"}')]);
    expect(refusal('DescribeKey', body)).toEqual(['SerializationException', 'The request body is not valid UTF-8.']);
  });

  test('may be an empty object where nothing is required', () => {
    expect(parseInput('ListKeys', Buffer.from('{}'))).toEqual({});
  });

  test.each([
    ['unclosed', '['.repeat(1_000_000)],
    ['closed', '['.repeat(500_000) + ']'.repeat(500_000)],
    ['objects', '{"KeyId":'.repeat(100_000)],
    ['in a list of strings', `{"KeyId":"a","GrantTokens":[${'['.repeat(400_000)}${']'.repeat(400_000)}]}`],
    [
      'in a list that is too long',
      `{"KeyId":"a","GrantTokens":[${'1,'.repeat(20)}${'['.repeat(9e4)}${']'.repeat(9e4)}]}`,
    ],
  ])('of a megabyte of brackets, %s, is refused quickly', (_what, body) => {
    const begun = performance.now();
    expect(refusal('DescribeKey', body)[0]).toBe('SerializationException');
    expect(performance.now() - begun).toBeLessThan(30_000);
  });

  test('may hold deep nesting in a member that the model does not know', () => {
    const body = `{"KeyId":"a","Other":${'[{"x":'.repeat(100_000)}1${'}]'.repeat(100_000)}}`;
    expect(parseInput('DescribeKey', Buffer.from(body))).toEqual({ KeyId: 'a' });
  });
});

describe('members', () => {
  test('unknown ones are ignored, null is absent, the last of two counts', () => {
    const body = '{"Unknown":{"a":[1]},"KeyId":"first","GrantTokens":null,"KeyId":"last"}';
    expect(parseInput('DescribeKey', Buffer.from(body))).toEqual({ KeyId: 'last' });
  });

  test('inherited ones are never read', () => {
    expect(violation('DescribeKey', JSON.parse('{"__proto__":{"KeyId":"a"}}'))).toBe(
      "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null",
    );
    Object.defineProperty(Object.prototype, 'KeyId', { value: 'polluted', configurable: true });
    try {
      expect(refusal('DescribeKey', '{}')[0]).toBe('ValidationException');
    } finally {
      Reflect.deleteProperty(Object.prototype, 'KeyId');
    }
  });

  test('blobs become Buffers, timestamps Dates, and required members need no check for undefined', () => {
    const input = parseInput(
      'ImportKeyMaterial',
      json({ KeyId: key, ImportToken: 'AAEC', EncryptedKeyMaterial: '/+8=', ValidTo: 1565036344.559 }),
    );
    const token: Buffer = input.ImportToken;
    expect([...token]).toEqual([0, 1, 2]);
    expect(input.EncryptedKeyMaterial.toString('hex')).toBe('ffef');
    expect(input.ValidTo?.toISOString()).toBe('2019-08-05T20:19:04.559Z');
  });

  test('timestamps are rounded to the millisecond that was meant, not cut', () => {
    const body = { KeyId: key, ImportToken: 'AAEC', EncryptedKeyMaterial: 'AA==' };
    const validTo = (ValidTo: number) => parseInput('ImportKeyMaterial', json({ ...body, ValidTo })).ValidTo?.getTime();
    // In binary, 1.001 * 1000 is less than 1001.
    expect([1.001, 0, -0.001, 8.64e12].map(validTo)).toEqual([1001, 0, -1, 8.64e15]);
  });

  test('integers lose their fraction', () => {
    expect(parseInput('ListKeys', Buffer.from('{"Limit":1.9}'))).toEqual({ Limit: 1 });
  });

  test('encryption contexts take any key as an ordinary one', () => {
    const body =
      '{"KeyId":"a","Plaintext":"AA==","EncryptionContext":{"__proto__":"p","constructor":"c","toString":"t"}}';
    const context = parseInput('Encrypt', Buffer.from(body)).EncryptionContext ?? {};
    expect(Object.getPrototypeOf(context)).toBeNull();
    expect(Object.entries(context)).toEqual([
      ['__proto__', 'p'],
      ['constructor', 'c'],
      ['toString', 't'],
    ]);
    expect(
      parseInput('Encrypt', json({ KeyId: 'a', Plaintext: 'AA==', EncryptionContext: {} })).EncryptionContext,
    ).toEqual(Object.create(null));
  });
});

describe('values of another type', () => {
  const list = 'Start of list found where not expected';
  const structure = 'Start of structure or map found where not expected.';
  test.each<[OperationName, string, unknown, string]>([
    ['ListKeys', 'Limit', '5', 'STRING_VALUE can not be converted to an Integer'],
    ['ListKeys', 'Limit', true, 'TRUE_VALUE can not be converted to an Integer'],
    ['ListKeys', 'Limit', [], list],
    ['ListKeys', 'Limit', {}, structure],
    ['DescribeKey', 'KeyId', 5, 'NUMBER_VALUE can not be converted to a String'],
    ['DescribeKey', 'KeyId', true, 'TRUE_VALUE can not be converted to a String'],
    ['DescribeKey', 'KeyId', false, 'FALSE_VALUE can not be converted to a String'],
    ['DescribeKey', 'KeyId', {}, structure],
    ['DescribeKey', 'KeyId', ['a'], list],
    ['DescribeKey', 'GrantTokens', 'a', 'Expected list or null'],
    ['DescribeKey', 'GrantTokens', 1, 'Expected list or null'],
    ['DescribeKey', 'GrantTokens', {}, structure],
    ['DescribeKey', 'GrantTokens', [1], 'NUMBER_VALUE can not be converted to a String'],
    ['Encrypt', 'EncryptionContext', 'a', 'Expected map or null'],
    ['Encrypt', 'EncryptionContext', ['a'], list],
    ['Encrypt', 'EncryptionContext', { a: 1 }, 'NUMBER_VALUE can not be converted to a String'],
    ['Encrypt', 'EncryptionContext', { a: {} }, structure],
    ['Encrypt', 'DryRun', 'true', 'STRING_VALUE can not be converted to a Boolean'],
    ['Encrypt', 'DryRun', 1, 'NUMBER_VALUE can not be converted to a Boolean'],
    ['Encrypt', 'Plaintext', 1, 'NUMBER_VALUE can not be converted to a Blob'],
    ['Encrypt', 'Plaintext', [1], list],
    ['CreateGrant', 'Constraints', 'a', 'Expected structure or null'],
    ['CreateGrant', 'Constraints', [], list],
    ['TagResource', 'Tags', [1], 'Expected structure or null'],
    ['TagResource', 'Tags', [[]], list],
    ['ImportKeyMaterial', 'ValidTo', '2030-01-01', 'STRING_VALUE can not be converted to milliseconds since epoch'],
    ['ImportKeyMaterial', 'ValidTo', 8.64e12 + 1, 'NUMBER_VALUE is out of the range of a timestamp'],
    ['ImportKeyMaterial', 'ValidTo', -1e300, 'NUMBER_VALUE is out of the range of a timestamp'],
  ])('%s with %s = %j', (operation, member, value, message) => {
    expect(refusal(operation, json({ [member]: value }))).toEqual(['SerializationException', message]);
  });

  test('come before every broken constraint', () => {
    const body = json({ KeyId: '', Plaintext: '', DryRun: 1 });
    expect(refusal('Encrypt', body)).toEqual([
      'SerializationException',
      'NUMBER_VALUE can not be converted to a Boolean',
    ]);
  });
});

describe('base64', () => {
  test.each([
    ['AA', 'Base64 encoded length is expected a multiple of 4 bytes but found: 2'],
    ['AA=', 'Base64 encoded length is expected a multiple of 4 bytes but found: 3'],
    ['AAA=AAAA', "Invalid Base64 character: '='"],
    ['====', "Invalid Base64 character: '='"],
    ['A===', "Invalid Base64 character: '='"],
    ['AA==AA==', "Invalid Base64 character: '='"],
    ['_-8=', "Invalid Base64 character: '_'"],
    ['AAA\n', "Invalid Base64 character: '\n'"],
    [' AAA', "Invalid Base64 character: ' '"],
    ['AA😀', "Invalid Base64 character: '😀'"],
    ['AB==', 'Invalid last non-pad Base64 character detected'],
    ['AAB=', 'Invalid last non-pad Base64 character detected'],
  ])('%j is refused without repeating it', (text, fault) => {
    expect(refusal('Encrypt', json({ KeyId: 'a', Plaintext: text }))).toEqual([
      'SerializationException',
      `STRING_VALUE can not be converted to a Blob: ${fault}`,
    ]);
  });
});

describe('half a surrogate pair', () => {
  test.each([
    ['in a value', '{"KeyId":"\\ud800"}'],
    ['in upper case', '{"KeyId":"\\uDFFF"}'],
    ['in a key of a map', '{"KeyId":"a","Plaintext":"AA==","EncryptionContext":{"\\udc00":"x"}}'],
    ['two high ones and a low one', '{"KeyId":"\\ud83d\\ud83d\\ude00"}'],
    ['a pair the wrong way round', '{"KeyId":"\\ude00\\ud83d"}'],
    ['after an escaped backslash', '{"KeyId":"\\\\\\ud800"}'],
    ['before a character', '{"KeyId":"\\ud83dx"}'],
  ])('%s is refused', (_what, body) => {
    expect(refusal('Encrypt', body)).toEqual([
      'SerializationException',
      'The request body has a string that is not valid Unicode.',
    ]);
  });

  test.each([
    ['\\ud83d\\ude00', '😀'],
    ['\\uD83D\\uDE00', '😀'],
    ['\\\\ud800', '\\ud800'],
    ['\\u00e9\\n', 'é\n'],
    ['\\ufffd', '\ufffd'],
  ])('%s is not one', (escaped, text) => {
    expect(parseInput('DescribeKey', Buffer.from(`{"KeyId":"${escaped}"}`)).KeyId).toBe(text);
  });
});

describe('constraints', () => {
  const failed = 'failed to satisfy constraint: Member must';

  test.each<[string, OperationName, unknown, string]>([
    ['a missing member', 'DescribeKey', {}, `Value null at 'keyId' ${failed} not be null`],
    ['a member that is null', 'DescribeKey', { KeyId: null }, `Value null at 'keyId' ${failed} not be null`],
    [
      'a string too short',
      'DescribeKey',
      { KeyId: '' },
      `Value '' at 'keyId' ${failed} have length greater than or equal to 1`,
    ],
    [
      'a blob too short',
      'Encrypt',
      { KeyId: 'a', Plaintext: '' },
      `Value at 'plaintext' ${failed} have length greater than or equal to 1`,
    ],
    [
      'a blob too long',
      'Encrypt',
      { KeyId: 'a', Plaintext: Buffer.alloc(4097).toString('base64') },
      `Value at 'plaintext' ${failed} have length less than or equal to 4096`,
    ],
    [
      'a sensitive string',
      'UpdateCustomKeyStore',
      { CustomKeyStoreId: 'a', KeyStorePassword: 'hunter' },
      `Value at 'keyStorePassword' ${failed} have length greater than or equal to 7`,
    ],
    [
      'an integer too small',
      'ListKeys',
      { Limit: 0.5 },
      `Value '0' at 'limit' ${failed} have value greater than or equal to 1`,
    ],
    [
      'an integer beyond 32 bits',
      'ListKeys',
      { Limit: 1e300 },
      `Value '2147483647' at 'limit' ${failed} have value less than or equal to 1000`,
    ],
    [
      'an enum',
      'CreateKey',
      { Origin: 'aws_kms' },
      expect.stringContaining(`Value 'aws_kms' at 'origin' ${failed} satisfy enum value set: [AWS_KMS, `) as never,
    ],
    [
      'a pattern',
      'DeleteAlias',
      { AliasName: 'alias/ü' },
      `Value 'alias/ü' at 'aliasName' ${failed} satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$`,
    ],
    [
      'a pattern, by a last line feed',
      'DeleteAlias',
      { AliasName: 'alias/a\n' },
      `Value 'alias/a\n' at 'aliasName' ${failed} satisfy regular expression pattern: ^[a-zA-Z0-9:/_-]+$`,
    ],
    [
      'a structure in a list',
      'TagResource',
      {
        KeyId: 'a',
        Tags: [
          { TagKey: 'ok', TagValue: '' },
          { TagKey: '', TagValue: '' },
        ],
      },
      `Value '' at 'tags.2.member.tagKey' ${failed} have length greater than or equal to 1`,
    ],
    [
      'a null in a list of structures',
      'TagResource',
      { KeyId: 'a', Tags: [null] },
      `Value null at 'tags.1.member' ${failed} not be null`,
    ],
    [
      'a member of a structure',
      'GenerateRandom',
      { Recipient: { KeyEncryptionAlgorithm: 'x' } },
      `Value 'x' at 'recipient.keyEncryptionAlgorithm' ${failed} satisfy enum value set: [RSAES_OAEP_SHA_256]`,
    ],
    [
      'a list too long',
      'DescribeKey',
      { KeyId: 'a', GrantTokens: Array(11).fill('t') },
      `Value '[t, t, t, t, t, t, t, t, t, t, t]' at 'grantTokens' ${failed} have length less than or equal to 10`,
    ],
    [
      'a scalar in a list',
      'UntagResource',
      { KeyId: 'a', TagKeys: ['ok', ''] },
      `Value '[ok, ]' at 'tagKeys' ${failed} satisfy constraint: [Member must have length less than or equal to 128, Member must have length greater than or equal to 1, Member must not be null]`,
    ],
    [
      'a null in a map',
      'Encrypt',
      { KeyId: 'a', Plaintext: 'AA==', EncryptionContext: { a: null } },
      "Value at 'encryptionContext' failed to satisfy constraint: Map value must satisfy constraint: [Member must not be null]",
    ],
  ])('%s', (_what, operation, input, text) => {
    const message = violation(operation, input);
    expect(message?.startsWith('1 validation error detected: ')).toBe(true);
    expect(message?.slice('1 validation error detected: '.length)).toEqual(text);
  });

  test('are all reported together', () => {
    expect(violation('Encrypt', { Plaintext: '', EncryptionAlgorithm: 'x', KeyId: 'k'.repeat(2049) })).toBe(
      `3 validation errors detected: Value '${'k'.repeat(256)}…' at 'keyId' ${failed} have length less than or equal to 2048; ` +
        `Value at 'plaintext' ${failed} have length greater than or equal to 1; ` +
        `Value 'x' at 'encryptionAlgorithm' ${failed} satisfy enum value set: [SYMMETRIC_DEFAULT, RSAES_OAEP_SHA_1, RSAES_OAEP_SHA_256, SM2PKE]`,
    );
    expect(violation('DeleteAlias', { AliasName: '' })).toMatch(
      /^2 validation errors detected: .*greater.*; .*pattern/,
    );
  });

  test('keep their answer small and well formed, however much is wrong', () => {
    const tags = Array.from({ length: 20_000 }, () => ({ TagKey: '', TagValue: '😀'.repeat(300) }));
    const message = violation('TagResource', { KeyId: 'a', Tags: tags }) ?? '';
    expect(message.startsWith('40000 validation errors detected: ')).toBe(true);
    expect(message.length).toBeLessThan(20_000);
    const cut =
      violation('TagResource', { KeyId: 'a', Tags: [{ TagKey: `a${'😀'.repeat(300)}`, TagValue: '' }] }) ?? '';
    expect(cut.isWellFormed()).toBe(true);
  });

  test('count characters of strings as code points', () => {
    const tag = (TagKey: string) => json({ KeyId: 'a', Tags: [{ TagKey, TagValue: '' }] });
    expect(parseInput('TagResource', tag('😀'.repeat(128))).Tags[0]?.TagKey).toHaveLength(256);
    expect(refusal('TagResource', tag('😀'.repeat(129)))[0]).toBe('ValidationException');
    const store = { CustomKeyStoreId: 'a', KeyStorePassword: '😀'.repeat(6) };
    expect(refusal('UpdateCustomKeyStore', json(store))[0]).toBe('ValidationException');
  });

  test('allow what stands at the bounds', () => {
    expect(parseInput('DescribeKey', json({ KeyId: 'k'.repeat(2048) })).KeyId).toHaveLength(2048);
    expect(parseInput('ListKeys', json({ Limit: 1000.9 })).Limit).toBe(1000);
    const plaintext = Buffer.alloc(4096, 1);
    const body = json({ KeyId: 'a', Plaintext: plaintext.toString('base64') });
    expect(plaintext.equals(parseInput('Encrypt', body).Plaintext)).toBe(true);
    expect(parseInput('UpdateKeyDescription', json({ KeyId: 'a', Description: '' })).Description).toBe('');
  });
});
