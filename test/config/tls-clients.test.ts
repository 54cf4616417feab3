import { describe, expect, test } from '@jest/globals';
import { tlsClientsSetting } from '../../src/config/tls-clients.js';

const principals = ['arn:aws:iam::000000000000:user/app'];
const taken = (value: unknown) => tlsClientsSetting.safeParse(value);

test('the list is taken as such, and as JSON text', () => {
  const list = [
    { commonName: 'app', principals, sourceAddresses: ['10.0.0.0/8', '::1', '192.0.2.1', '2001:db8::/32'] },
  ];
  expect(taken(list).data).toEqual(list);
  expect(taken(JSON.stringify(list)).data).toEqual(list);
  expect(taken(undefined).data).toEqual([]);
});

test('colons and capitals of a fingerprint do not matter', () => {
  const fingerprint = Array(32).fill('AB').join(':');
  expect(taken([{ fingerprint, principals }]).data).toEqual([{ fingerprint: 'ab'.repeat(32), principals }]);
});

describe('what is refused, and why', () => {
  test.each([
    ['{', 'is not a list'],
    ['{}', 'is not a list'],
    [[{ principals }], 'a rule names its certificate by fingerprint, commonName, subjectAltName'],
    [[{ commonName: '', principals }], 'Too small'],
    [[{ commonName: 'a' }], 'expected array'],
    [[{ commonName: 'a', principals: [] }], 'Too small'],
    [[{ commonName: 'a', principals: ['user/app'] }], 'principals are ARNs'],
    [[{ commonName: 'a', principals: ['*x'] }], 'principals are ARNs'],
    [[{ commonName: 'a', principals, sourceAddresses: [] }], 'Too small'],
    [[{ commonName: 'a', principals, sourceAddresses: ['10.0.0.0/33'] }], 'sourceAddresses are CIDR ranges'],
    [[{ commonName: 'a', principals, sourceAddresses: ['::/129'] }], 'sourceAddresses are CIDR ranges'],
    [[{ commonName: 'a', principals, sourceAddresses: ['10.0.0.0/8/8'] }], 'sourceAddresses are CIDR ranges'],
    [[{ commonName: 'a', principals, sourceAddresses: ['localhost'] }], 'sourceAddresses are CIDR ranges'],
    [[{ commonName: 'a', principals, sourceAddresses: ['fe80::1%eth0'] }], 'sourceAddresses are CIDR ranges'],
    [[{ fingerprint: 'ab', principals }], 'fingerprint is not a SHA-256 fingerprint'],
    [[{ subjectAltName: 'app.example.com', principals }], 'subjectAltName is not of the form'],
    [[{ commonName: 'a', principals, principal: 'x' }], 'Unrecognized key'],
  ])('%j', (value, reason) => {
    const { success, error } = taken(value);
    expect(success).toBe(false);
    expect(error?.issues.map(({ message }) => message).join()).toContain(reason);
  });
});
