import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { KmsError } from '../../src/contract/kms-error.js';
import { aliasArn, keyArn, parseKeyReference } from '../../src/keys/key-reference.js';

const home = { region: 'eu-central-1', accountId: '123456789012' };
const uuid = '1234abcd-12ab-34cd-56ef-1234567890ab';
const multiRegion = `mrk-${'0123456789abcdef'.repeat(2)}`;

function refusedWith(text: string): { name: string; message: string } {
  try {
    parseKeyReference(text, home);
  } catch (error) {
    if (error instanceof KmsError) return { name: error.name, message: error.message };
    throw error;
  }
  throw new Error('it was read');
}

test.each([uuid, multiRegion])('the id %s and its ARN name the same key', (id) => {
  const key = { kind: 'key', id, arn: keyArn(home, id) };
  expect(parseKeyReference(id, home)).toEqual(key);
  expect(parseKeyReference(keyArn(home, id), home)).toEqual(key);
});

test.each(['alias/a', 'alias/a/b:c', 'alias/key/x'])('the alias %s and its ARN name the same', (name) => {
  const alias = { kind: 'alias', name, arn: aliasArn(home, name) };
  expect(parseKeyReference(name, home)).toEqual(alias);
  expect(parseKeyReference(aliasArn(home, name), home)).toEqual(alias);
});

test('an ARN of another account names what cannot be here', () => {
  const arn = keyArn({ ...home, accountId: '999999999999' }, uuid);
  expect(parseKeyReference(arn, home)).toEqual({ kind: 'foreign', arn });
});

describe('what is refused', () => {
  test.each([
    '',
    uuid.toUpperCase(),
    `${uuid}0`,
    ` ${uuid}`,
    `${uuid}\n`,
    'mrk-123',
    `key/${uuid}`,
    'Alias/a',
    `arn:aws:kms:${home.region}:${home.accountId}:key/nothing`,
  ])('%j is no key id', (text) => {
    expect(refusedWith(text)).toEqual({ name: 'NotFoundException', message: `Invalid keyId '${text}'` });
  });

  test('an ARN of another Region is told by its Region', () => {
    const arn = keyArn({ ...home, region: 'us-east-1' }, uuid);
    expect(refusedWith(arn)).toEqual({ name: 'NotFoundException', message: 'Invalid arn us-east-1' });
  });

  test.each(['arn:', 'arn:aws:s3:::b', `arn:aws:kms:${home.region}:123:key/${uuid}`, `arn:aws-cn:kms:${home.region}`])(
    '%s is no ARN of KMS',
    (text) => {
      expect(refusedWith(text).name).toBe('InvalidArnException');
    },
  );

  test('what is long is not repeated whole', () => {
    expect(refusedWith('x'.repeat(2048)).message.length).toBeLessThan(300);
  });
});

test('every text is read or refused, and what is read names itself', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc
      .tuple(fc.constantFrom('arn:aws:kms:', `arn:aws:kms:${home.region}:${home.accountId}:`, 'alias/'), fc.string())
      .map((parts) => parts.join('')),
  );
  fc.assert(
    fc.property(text, (each) => {
      try {
        const reference = parseKeyReference(each, home);
        if (reference.kind !== 'foreign') expect(parseKeyReference(reference.arn, home)).toEqual(reference);
      } catch (error) {
        expect(error).toBeInstanceOf(KmsError);
      }
    }),
  );
});
