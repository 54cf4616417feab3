import { describe, expect, test } from '@jest/globals';
import { KmsError } from '../../src/contract/kms-error.js';
import type { OperationName } from '../../src/contract/operation-types.js';
import { encodeOutput } from '../../src/contract/output.js';

describe('encodeOutput', () => {
  test('writes blobs as base64, whatever kind of bytes they are, and only their own part of memory', () => {
    const memory = Uint8Array.from([9, 9, 255, 239, 9]);
    const expected = '{"Plaintext":"/+8="}';
    expect(encodeOutput('GenerateRandom', { Plaintext: Buffer.from([255, 239]) })).toBe(expected);
    expect(encodeOutput('GenerateRandom', { Plaintext: memory.subarray(2, 4) })).toBe(expected);
    expect(encodeOutput('GenerateRandom', { Plaintext: Buffer.alloc(0) })).toBe('{"Plaintext":""}');
  });

  test('writes timestamps as epoch seconds with milliseconds', () => {
    const encode = (ms: number) => encodeOutput('GetParametersForImport', { ParametersValidTo: new Date(ms) });
    expect(encode(1565036344559)).toBe('{"ParametersValidTo":1565036344.559}');
    expect(encode(1565036344000)).toBe('{"ParametersValidTo":1565036344}');
    expect(encode(1)).toBe('{"ParametersValidTo":0.001}');
  });

  test('leaves out undefined and null, keeps false, zero and empty lists', () => {
    const metadata = { KeyId: 'a', Arn: undefined, Description: '', Enabled: false, MultiRegion: null as never };
    expect(JSON.parse(encodeOutput('DescribeKey', { KeyMetadata: metadata }))).toEqual({
      KeyMetadata: { KeyId: 'a', Description: '', Enabled: false },
    });
    expect(encodeOutput('ListKeys', { Keys: [], Truncated: false })).toBe('{"Keys":[],"Truncated":false}');
    expect(encodeOutput('ConnectCustomKeyStore', {})).toBe('{}');
    expect(encodeOutput('GetPublicKey', { KeyId: undefined })).toBe('{}');
  });

  test('escapes strings', () => {
    const policy = '{"a":"\u2028\n"}';
    expect(JSON.parse(encodeOutput('GetKeyPolicy', { Policy: policy })).Policy).toBe(policy);
  });

  test('answers nothing where AWS sends an empty body', () => {
    expect(encodeOutput('EnableKey', undefined)).toBe('');
  });

  test.each<[string, OperationName, unknown, string]>([
    ['an unknown member', 'Sign', { KeyID: 'hidden' }, 'Sign.KeyID'],
    ['an inherited name', 'Sign', { constructor: 'hidden' }, 'Sign.constructor'],
    ['a deep unknown member', 'DescribeKey', { KeyMetadata: { Pin: 'hidden' } }, 'DescribeKey.KeyMetadata.Pin'],
    ['text for bytes', 'Sign', { Signature: 'hidden' }, 'Sign.Signature'],
    ['a number for text', 'Sign', { KeyId: 5 }, 'Sign.KeyId'],
    ['bytes for text', 'Sign', { KeyId: Buffer.from('hidden') }, 'Sign.KeyId'],
    [
      'text for a Date',
      'GetParametersForImport',
      { ParametersValidTo: 'hidden' },
      'GetParametersForImport.ParametersValidTo',
    ],
    [
      'an invalid Date',
      'GetParametersForImport',
      { ParametersValidTo: new Date(Number.NaN) },
      'GetParametersForImport.ParametersValidTo',
    ],
    ['a fraction', 'GetKeyRotationStatus', { RotationPeriodInDays: 1.5 }, 'GetKeyRotationStatus.RotationPeriodInDays'],
    ['text for a boolean', 'ListKeys', { Truncated: 'hidden' }, 'ListKeys.Truncated'],
    ['an object for a list', 'ListKeys', { Keys: { a: 'hidden' } }, 'ListKeys.Keys'],
    ['a hole in a list', 'ListKeys', { Keys: [undefined] }, 'ListKeys.Keys'],
    ['a list for an object', 'DescribeKey', { KeyMetadata: ['hidden'] }, 'DescribeKey.KeyMetadata'],
    ['nothing', 'Sign', undefined, 'Sign'],
    ['a body where there is none', 'EnableKey', { KeyId: 'hidden' }, 'EnableKey'],
  ])(
    'takes %s for a mistake of the service: 500, and the client is told nothing',
    (_what, operation, output, member) => {
      let thrown: unknown;
      try {
        encodeOutput(operation, output as never);
      } catch (error) {
        thrown = error;
      }
      if (!(thrown instanceof KmsError)) throw new Error('nothing, or no KmsError, was thrown');
      expect([thrown.status, thrown.toBody()]).toEqual([500, '{"__type":"KMSInternalException"}']);
      const cause = thrown.cause as Error;
      expect(cause.message.startsWith(`${member} must be `)).toBe(true);
      expect(`${cause.message}${cause.stack}`).not.toContain('hidden');
    },
  );
});
