import { describe, expect, test } from '@jest/globals';
import { KmsError, type KmsErrorName } from '../../src/contract/kms-error.js';
import { operationModels } from '../../src/contract/model.js';

describe('KmsError', () => {
  test.each<[KmsErrorName, number]>([
    ['NotFoundException', 400],
    ['AlreadyExistsException', 400],
    ['DisabledException', 400],
    ['DryRunOperationException', 400],
    ['KMSInternalException', 500],
    ['KeyUnavailableException', 500],
    ['DependencyTimeoutException', 503],
    ['AccessDeniedException', 400],
    ['SerializationException', 400],
    ['RequestEntityTooLargeException', 413],
  ])('%s is answered with %i', (name, status) => {
    expect(new KmsError(name).status).toBe(status);
  });

  test('knows the status of every error of every operation', () => {
    for (const { errors } of Object.values(operationModels)) {
      for (const name of errors)
        expect([name, new KmsError(name as KmsErrorName).status]).toEqual([name, expect.any(Number)]);
    }
  });

  test.each<[KmsErrorName, string | undefined, string]>([
    ['NotFoundException', 'no "x"', '{"__type":"NotFoundException","message":"no \\"x\\""}'],
    ['AccessDeniedException', 'no', '{"__type":"AccessDeniedException","Message":"no"}'],
    ['AccessDeniedException', undefined, '{"__type":"AccessDeniedException"}'],
    ['InvalidCiphertextException', undefined, '{"__type":"InvalidCiphertextException"}'],
    ['ValidationException', '', '{"__type":"ValidationException","message":""}'],
  ])('%s with message %j has its body', (name, message, body) => {
    expect(new KmsError(name, message).toBody()).toBe(body);
  });

  test('keeps its cause out of what the client reads', () => {
    const error = new KmsError('KMSInternalException', undefined, { cause: new Error('CKR_DEVICE_ERROR in slot 7') });
    expect(error.toBody()).toBe('{"__type":"KMSInternalException"}');
    expect(error.clientMessage).toBeUndefined();
    expect(error.cause).toEqual(new Error('CKR_DEVICE_ERROR in slot 7'));
  });
});
