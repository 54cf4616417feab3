import { describe, expect, test } from '@jest/globals';
import { ObjectMissingError, TokenBusyError, TokenError, tokenError } from '../../src/token/return-values.js';

const thrown = (message: string, facts: object = {}) => Object.assign(new Error(message), facts);

describe('what pkcs11js throws', () => {
  test.each([
    [64, 'CKR_ENCRYPTED_DATA_INVALID', 'input'],
    [192, 'CKR_SIGNATURE_INVALID', 'input'],
    [5, 'CKR_GENERAL_ERROR', 'ambiguous'],
    [130, 'CKR_OBJECT_HANDLE_INVALID', 'handle'],
    [96, 'CKR_KEY_HANDLE_INVALID', 'handle'],
    [179, 'CKR_SESSION_HANDLE_INVALID', 'session'],
    [144, 'CKR_OPERATION_ACTIVE', 'session'],
    [50, 'CKR_DEVICE_REMOVED', 'module'],
    [257, 'CKR_USER_NOT_LOGGED_IN', 'module'],
    [104, 'CKR_KEY_FUNCTION_NOT_PERMITTED', 'refused'],
  ])('%i is %s, to which the reaction is: %s', (code, name, reaction) => {
    const error = tokenError(thrown('CKR_VENDOR_DEFINED:1', { name: 'Pkcs11Error', code }));
    expect(error).toBeInstanceOf(TokenError);
    expect(error).toMatchObject({ ckr: code, reaction, message: `${name} (${code})` });
  });

  test('may have its number in the text only', () => {
    expect(tokenError(thrown('CKR_ATTRIBUTE_READ_ONLY:16'))).toMatchObject({ ckr: 16, reaction: 'refused' });
    expect(tokenError(thrown('CKR_SESSION_CLOSED:176', { name: 'NativeError', code: 0 }))).toMatchObject({
      ...{ ckr: 176, reaction: 'session' },
    });
  });

  test('is given up when its number is unknown, or absent', () => {
    const unknown = tokenError(thrown('CKR_X:2147483649', { name: 'Pkcs11Error', code: 0x80000001 }));
    expect(unknown).toMatchObject({ ckr: 0x80000001, reaction: 'give-up' });
    expect(tokenError(thrown('broken', { name: 'NativeError' }))).toMatchObject({
      ckr: undefined,
      reaction: 'give-up',
    });
    expect(tokenError('text')).toMatchObject({ name: 'TokenError', reaction: 'give-up' });
  });
});

test('errors of this service stay what they are', () => {
  for (const error of [
    new TokenError(5, 'x'),
    new ObjectMissingError('x'),
    new TokenBusyError('x'),
    new TypeError('CKA_LABEL takes a value of kind text'),
  ]) {
    expect(tokenError(error)).toBe(error);
  }
});
