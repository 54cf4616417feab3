import { describe, expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';
import { profileOf } from '../../src/token/profiles.js';
import { mostSessions, withinLimits } from '../../src/token/session-limits.js';

const identity = (manufacturer: string) => ({
  manufacturer,
  label: 'x',
  model: 'x',
  serialNumber: '1',
  firmwareVersion: '1.0',
});
const declared = (text: string) => loadSettings({ environment: { HSM_KMS_TOKEN_PROFILE: text } }).settings.tokenProfile;
const profileFor = (text: string, manufacturer = 'nobody') => profileOf(identity(manufacturer), declared(text));

describe('the profile of a token', () => {
  test('is that of its manufacturer, or the standard', () => {
    expect(profileOf(identity('SoftHSM project'))).toMatchObject({ name: 'SoftHSM', showsObjectsTwice: true });
    expect(profileOf(identity('nobody'))).toMatchObject({
      name: 'PKCS#11',
      unkeptAttributes: [],
      refusedAttributes: [],
    });
  });

  test('is the one that is named', () => {
    expect(profileFor('softhsm').name).toBe('SoftHSM');
    expect(profileFor('AWS CloudHSM')).toMatchObject({ name: 'AWS CloudHSM', gcmIv: 'token', calls: 'threads' });
    expect(profileFor('pkcs-11', 'SoftHSM project').name).toBe('PKCS#11');
  });

  test('is changed in what is said, and nothing else', () => {
    expect(profileFor('{"gcmIv": "token", "mostSessions": 6}', 'SoftHSM project')).toMatchObject({
      name: 'SoftHSM, with other gcmIv, mostSessions',
      gcmIv: 'token',
      mostSessions: 6,
      showsObjectsTwice: true,
    });
    expect(
      profileFor('{"like": "aws-cloudhsm", "refusedAttributes": ["CKA_COPYABLE"], "gcmIv": "service"}'),
    ).toMatchObject({
      name: 'AWS CloudHSM, with other refusedAttributes, gcmIv',
      refusedAttributes: ['CKA_COPYABLE'],
      gcmIv: 'service',
    });
    expect(profileFor('{"unkeptAttributes": ["CKA_LOCAL"], "showsObjectsTwice": true}')).toMatchObject({
      unkeptAttributes: ['CKA_LOCAL'],
      showsObjectsTwice: true,
    });
  });

  test.each([
    ['nowhere', /There is no profile of tokens "nowhere": HSM_KMS_TOKEN_PROFILE takes .*softhsm.*pkcs-11\.$/],
    ['{"refusedAttributes": ["CKA_NOWHERE"]}', /names CKA_NOWHERE, an attribute that this service does not use/],
    ['{"refusedAttributes": ["CKA_LABEL", "constructor"]}', /HSM_KMS_TOKEN_PROFILE: is no name of an attribute/],
    ['{"gcmIv": "nobody"}', /HSM_KMS_TOKEN_PROFILE: /],
    ['{"mostSessions": 2}', /is less than 3, which each worker needs/],
    ['{"mostSessionCopies": -1}', /HSM_KMS_TOKEN_PROFILE: /],
    ['{"gcmIV": "token"}', /HSM_KMS_TOKEN_PROFILE: .*gcmIV/],
    ['{', /HSM_KMS_TOKEN_PROFILE: /],
  ])('%s is refused', (text, message) => {
    expect(() => profileFor(text)).toThrow(message);
  });
});

describe('sessions', () => {
  const limits = { sessions: 8, waiting: 16, waitMilliseconds: 1000, callMilliseconds: 15_000 };
  const info = (maxSessionCount: number | bigint, maxRwSessionCount: number | bigint) =>
    ({ maxSessionCount, maxRwSessionCount }) as unknown as Parameters<typeof mostSessions>[0];

  test.each([
    [0, 0, undefined],
    [2 ** 64, 2 ** 64, undefined],
    [2n ** 64n - 1n, 2n ** 64n - 1n, undefined],
    [0xff_ff_ff_ff, 0xff_ff_ff_ff, undefined],
    [16, 0, 16],
    [16, 2 ** 64, 16],
    [1024, 512, 512],
  ])('of CK_TOKEN_INFO %d and %d are limited to %p', (most, mostReadWrite, limit) => {
    expect(mostSessions(info(most, mostReadWrite))).toBe(limit);
  });

  test.each([
    [undefined, 8],
    [100, 8],
    [6, 4],
    [3, 1],
    [1, 1],
  ])('at most %p leave %d for the pool', (most, sessions) => {
    expect(withinLimits(limits, most)).toEqual({ ...limits, sessions });
  });

  test('are no more than there are processors for, where the token is a program of this machine', () => {
    const some = { ...limits, computing: 2 };
    expect(withinLimits(some, undefined, true).sessions).toBe(2);
    expect(withinLimits(some, 3, true).sessions).toBe(1);
    expect(withinLimits({ ...some, sessions: 1 }, undefined, true).sessions).toBe(1);
    expect(withinLimits(some, undefined, false).sessions).toBe(8);
  });
});
