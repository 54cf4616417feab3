import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { type ClientCertificate, ClientCertificates } from '../../src/authorization/client-certificates.js';
import { loadSettings } from '../../src/config/load-settings.js';
import type { TlsClient } from '../../src/config/tls-clients.js';

const arn = (name: string) => `arn:aws:iam::000000000000:${name}`;
const fingerprint = (digit: string) => digit.repeat(64);

function certificate(facts: Partial<ClientCertificate>): ClientCertificate {
  return { fingerprint: fingerprint('0'), commonName: undefined, subjectAltNames: [], validTo: Infinity, ...facts };
}

/** As settings read them. */
const rulesOf = (tlsClients: readonly object[]): readonly TlsClient[] =>
  loadSettings({ environment: { HSM_KMS_TLS_CLIENTS: JSON.stringify(tlsClients) } }).settings.tlsClients;

const isAllowed = (
  clients: readonly object[],
  principal: { arn: string; roleArn?: string },
  presented?: Partial<ClientCertificate>,
  address = '192.0.2.1',
): boolean => {
  try {
    const connection = { certificate: presented && certificate(presented), address };
    new ClientCertificates(rulesOf(clients)).check(principal, connection);
    return true;
  } catch (error) {
    expect(error).toMatchObject({ name: 'AccessDeniedException', status: 400 });
    return false;
  }
};

const payments = { arn: arn('user/payments') };
const reports = { arn: arn('user/reports') };

describe('one rule: a certificate, its principals, its addresses', () => {
  const rule = {
    commonName: 'payments',
    principals: [payments.arn],
    sourceAddresses: ['10.1.0.0/16', '2001:db8::/32'],
  };
  const cases: [string, typeof payments, Partial<ClientCertificate> | undefined, string, boolean][] = [
    ['certificate and address of the rule', payments, { commonName: 'payments' }, '10.1.2.3', true],
    ['an IPv4 address on a socket that takes both', payments, { commonName: 'payments' }, '::ffff:10.1.2.3', true],
    ['another range of the rule', payments, { commonName: 'payments' }, '2001:db8::7', true],
    ['an address that is not listed', payments, { commonName: 'payments' }, '10.2.0.1', false],
    ['no address: the connection is gone', payments, { commonName: 'payments' }, '', false],
    ['no certificate', payments, undefined, '10.1.2.3', false],
    ['a certificate that no rule names', payments, { commonName: 'reports' }, '10.1.2.3', false],
    ['a certificate whose CN is longer', payments, { commonName: 'payments2' }, '10.1.2.3', false],
    ['a certificate whose CN is in other letters', payments, { commonName: 'Payments' }, '10.1.2.3', false],
    ['a certificate without a CN', payments, {}, '10.1.2.3', false],
    ['a certificate that has ended meanwhile', payments, { commonName: 'payments', validTo: 1 }, '10.1.2.3', false],
    ["the certificate with somebody else's signature", reports, { commonName: 'payments' }, '10.1.2.3', false],
    ['a principal that no rule names, without a certificate', reports, undefined, '192.0.2.1', true],
    ['that one with a certificate that no rule names', reports, { commonName: 'x' }, '192.0.2.1', true],
  ];

  test.each(cases)('%s', (_name, principal, presented, address, expected) => {
    expect(isAllowed([rule], principal, presented, address)).toBe(expected);
  });
});

describe('how a rule names a certificate', () => {
  const principals = [payments.arn];
  const cases: [string, object, Partial<ClientCertificate>, boolean][] = [
    ['fingerprint', { fingerprint: fingerprint('a') }, { fingerprint: fingerprint('a') }, true],
    [
      'fingerprint as openssl prints it',
      { fingerprint: Array(32).fill('AA').join(':') },
      { fingerprint: fingerprint('a') },
      true,
    ],
    ['another fingerprint', { fingerprint: fingerprint('a') }, { fingerprint: fingerprint('b') }, false],
    ['a name among others', { subjectAltName: 'DNS:b' }, { subjectAltNames: ['DNS:a', 'DNS:b'] }, true],
    ['the same name of another kind', { subjectAltName: 'DNS:b' }, { subjectAltNames: ['email:b'] }, false],
    ['a CN is no alternative name', { subjectAltName: 'DNS:b' }, { commonName: 'b' }, false],
    ['an alternative name is no CN', { commonName: 'b' }, { subjectAltNames: ['DNS:b'] }, false],
    [
      'both of two',
      { commonName: 'a', subjectAltName: 'DNS:b' },
      { commonName: 'a', subjectAltNames: ['DNS:b'] },
      true,
    ],
    ['one of two', { commonName: 'a', subjectAltName: 'DNS:b' }, { commonName: 'a' }, false],
    ['no wildcards', { commonName: '*' }, { commonName: 'a' }, false],
  ];

  test.each(cases)('%s', (_name, names, presented, expected) => {
    expect(isAllowed([{ ...names, principals }], payments, presented)).toBe(expected);
  });
});

describe('several rules', () => {
  const byPayments = { commonName: 'payments', principals: [payments.arn], sourceAddresses: ['10.0.0.0/8'] };
  const byAudit = { commonName: 'audit', principals: [arn('user/*')], sourceAddresses: ['192.168.0.0/16'] };
  const cases: [string, object[], { arn: string; roleArn?: string }, string | undefined, string, boolean][] = [
    ['each has its own address: the first', [byPayments, byAudit], payments, 'payments', '10.0.0.1', true],
    ['each has its own address: the second', [byPayments, byAudit], payments, 'audit', '192.168.0.1', true],
    ["the second's certificate from the first's address", [byPayments, byAudit], payments, 'audit', '10.0.0.1', false],
    ['a principal of the second only', [byPayments, byAudit], reports, 'audit', '192.168.0.1', true],
    ["that with the first's certificate", [byPayments, byAudit], reports, 'payments', '10.0.0.1', false],
    ['a pattern that names everybody', [{ commonName: 'a', principals: ['*'] }], reports, undefined, '10.0.0.1', false],
    ['and who has its certificate', [{ commonName: 'a', principals: ['*'] }], reports, 'a', '10.0.0.1', true],
    [
      "a role's ARN means its sessions",
      [{ commonName: 'a', principals: [arn('role/app')] }],
      { arn: 'arn:aws:sts::000000000000:assumed-role/app/s', roleArn: arn('role/app') },
      undefined,
      '10.0.0.1',
      false,
    ],
    ['no rules at all', [], payments, undefined, '10.0.0.1', true],
  ];

  test.each(cases)('%s', (_name, clients, principal, commonName, address, expected) => {
    expect(isAllowed(clients, principal, commonName === undefined ? undefined : { commonName }, address)).toBe(
      expected,
    );
  });
});

test('the message tells neither certificate nor address; the log is told', () => {
  const rules = new ClientCertificates(rulesOf([{ commonName: 'secret-name', principals: [payments.arn] }]));
  try {
    rules.check(payments, { certificate: certificate({ commonName: 'other' }), address: '10.9.9.9' });
  } catch (error) {
    const { message, cause } = error as Error;
    expect(message).toContain(payments.arn);
    expect(message).not.toMatch(/secret-name|10\.9\.9\.9|other/);
    expect(cause).toMatchObject({ address: '10.9.9.9', commonName: 'other' });
  }
  expect.assertions(3);
});

describe('whatever the rules are', () => {
  const word = fc.constantFrom('a', 'b', 'c');
  const rules = fc.array(
    fc.record(
      {
        commonName: word,
        principals: fc.array(
          fc.oneof(
            word.map((name) => arn(`user/${name}`)),
            fc.constant(arn('user/*')),
          ),
          { minLength: 1 },
        ),
        sourceAddresses: fc.array(fc.constantFrom('10.0.0.0/8', '192.168.0.0/16'), { minLength: 1 }),
      },
      { requiredKeys: ['commonName', 'principals'] },
    ),
    { maxLength: 4 },
  );
  const request = fc.record({
    principal: word.map((name) => ({ arn: arn(`user/${name}`) })),
    presented: fc.option(
      fc.oneof(word, fc.constant('stranger')).map((commonName) => ({ commonName })),
      { nil: undefined },
    ),
    address: fc.constantFrom('10.0.0.1', '192.168.0.1', '172.16.0.1'),
  });

  test('it is as the sentence says', () => {
    fc.assert(
      fc.property(rules, request, (clients, { principal, presented, address }) => {
        const covers = (each: (typeof clients)[number]) =>
          each.principals.includes(principal.arn) || each.principals.includes(arn('user/*'));
        const listed = (each: (typeof clients)[number]) =>
          each.sourceAddresses?.some((range) => address.startsWith(range.split('.')[0] as string)) ?? true;
        const isNamed = clients.some(covers);
        const certificateIsNamed = clients.some((each) => each.commonName === presented?.commonName);
        const fits = clients.some((each) => each.commonName === presented?.commonName && covers(each) && listed(each));
        expect(isAllowed(clients, principal, presented, address)).toBe(fits || !(isNamed || certificateIsNamed));
      }),
    );
  });

  test('a certificate that no rule names is as good as none', () => {
    fc.assert(
      fc.property(rules, request, (clients, { principal, address }) => {
        const stranger = { commonName: 'stranger', fingerprint: fingerprint('f') };
        expect(isAllowed(clients, principal, stranger, address)).toBe(
          isAllowed(clients, principal, undefined, address),
        );
      }),
    );
  });
});
