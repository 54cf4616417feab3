import { createPublicKey, generateKeyPairSync, X509Certificate } from 'node:crypto';
import { afterAll, describe, expect, test } from '@jest/globals';
import {
  type CertificateTerms,
  issueCertificate,
  makeSelfSignedCertificate,
  termsFor,
} from '../../src/certificates/certificate.js';
import {
  makeCertificationRequest,
  readCertificationRequest,
  subjectOf,
} from '../../src/certificates/certification-request.js';
import { fromPem, toPem } from '../../src/certificates/pem.js';
import { algorithmsOf, type SignatureAlgorithmName } from '../../src/certificates/signature-algorithms.js';
import type { Signer } from '../../src/certificates/signed.js';
import { OpenSsl } from '../service/openssl.js';
import { softwareSigner } from './software-signer.js';

const openssl = new OpenSsl();
afterAll(() => openssl.end());

/** As openssl names them. */
const algorithms: Readonly<Record<SignatureAlgorithmName, string>> = {
  RSASSA_PKCS1_V1_5_SHA_256: 'sha256WithRSAEncryption',
  RSASSA_PKCS1_V1_5_SHA_384: 'sha384WithRSAEncryption',
  RSASSA_PKCS1_V1_5_SHA_512: 'sha512WithRSAEncryption',
  RSASSA_PSS_SHA_256: 'rsassaPss',
  RSASSA_PSS_SHA_384: 'rsassaPss',
  RSASSA_PSS_SHA_512: 'rsassaPss',
  ECDSA_SHA_256: 'ecdsa-with-SHA256',
  ECDSA_SHA_384: 'ecdsa-with-SHA384',
  ECDSA_SHA_512: 'ecdsa-with-SHA512',
  ED25519_SHA_512: 'ED25519',
};
const names = Object.keys(algorithms) as SignatureAlgorithmName[];
const signers = new Map(names.map((name) => [name, softwareSigner(name)]));
const ecdsa = signers.get('ECDSA_SHA_256') as Signer;

const csrOf = async (signer: Signer, name = 'CN=app.example.com', altNames: string[] = []) =>
  makeCertificationRequest(subjectOf(name, altNames), signer);
const certificateFile = (name: string, der: Buffer) => openssl.file(name, toPem('CERTIFICATE', der));
const newCa = (signer: Signer, terms: Partial<CertificateTerms> = {}, days = 30) =>
  makeSelfSignedCertificate(
    subjectOf('CN=Example CA, O=Example, C=DE'),
    termsFor(days, { isCa: true, ...terms }),
    signer,
  );
const sentence = (work: Promise<unknown> | (() => unknown)) =>
  (typeof work === 'function' ? Promise.resolve().then(work) : work).then(
    () => 'it is not refused',
    (error: Error) => error.message,
  );

describe.each(names)('%s', (name) => {
  const signer = signers.get(name) as Signer;

  test('is one of its key', () => expect(algorithmsOf(signer.publicKey)).toContain(name));

  test('openssl takes the request, and it is read back', async () => {
    const der = await csrOf(signer, 'CN=app.example.com, O=Example', ['DNS:app.example.com,IP:192.0.2.1']);
    const file = openssl.file('request.pem', toPem('CERTIFICATE REQUEST', der));
    const text = openssl.run('req', '-in', file, '-noout', '-verify', '-text', '-nameopt', 'RFC2253');
    expect(text).toMatch(/self-signature verify OK|verify OK/);
    expect(text).toContain('Subject: CN=app.example.com,O=Example\n');
    expect(text).toContain(`Signature Algorithm: ${algorithms[name]}`);
    expect(text).toContain('DNS:app.example.com, IP Address:192.0.2.1');
    const { publicKey, subject } = readCertificationRequest(der);
    expect(publicKey.equals(signer.publicKey)).toBe(true);
    expect(subject.altNames?.names.map(({ type }) => type)).toEqual([2, 7]);
  });

  test('openssl takes the chain of a root, a CA beneath it, and an end', async () => {
    const root = await newCa(signer);
    const below = softwareSigner('ECDSA_SHA_256');
    const ca = await issueCertificate(
      readCertificationRequest(await csrOf(below, 'CN=Issuing CA')),
      termsFor(20, { isCa: true, pathLength: 0 }),
      { certificate: root, signer },
    );
    const end = await issueCertificate(
      readCertificationRequest(await csrOf(signer, 'CN=end', ['DNS:end.example.com'])),
      termsFor(10, { extendedKeyUsages: ['serverAuth', 'clientAuth'] }),
      { certificate: ca, signer: below },
    );
    const files = [certificateFile('root.pem', root), certificateFile('ca.pem', ca), certificateFile('end.pem', end)];
    const [rootFile = '', caFile = '', endFile = ''] = files;
    const verified = openssl.run(
      ...['verify', '-x509_strict', '-purpose', 'sslserver', '-verify_hostname', 'end.example.com'],
      ...['-CAfile', rootFile, '-untrusted', caFile, endFile],
    );
    expect(verified).toContain('OK');
    expect(openssl.run('x509', '-in', rootFile, '-noout', '-text')).toContain(
      `Signature Algorithm: ${algorithms[name]}`,
    );
    expect(new X509Certificate(end).checkIssued(new X509Certificate(ca))).toBe(true);
  });

  test('openssl takes a certificate of an end that signed itself', async () => {
    const der = await makeSelfSignedCertificate(subjectOf('CN=evidence'), termsFor(1), signer);
    const file = certificateFile('self.pem', der);
    expect(openssl.run('verify', '-x509_strict', '-check_ss_sig', '-CAfile', file, file)).toContain('OK');
  });

  test('a request that openssl makes is read, one byte of it changed is not', async () => {
    const kind = signer.algorithm.startsWith('RSA') ? ['RSA'] : name.startsWith('ED') ? ['ED25519'] : ['EC'];
    const curve = { ECDSA_SHA_256: 'P-256', ECDSA_SHA_384: 'P-384', ECDSA_SHA_512: 'P-521' }[name as string];
    const made = curve ? [...kind, '-pkeyopt', `ec_paramgen_curve:${curve}`] : kind;
    openssl.run('genpkey', '-algorithm', ...made, '-out', 'other.key');
    // others do not take the hash that KMS has for a curve
    const digest = name.startsWith('ED') ? [] : [name.startsWith('ECDSA') ? '-sha256' : `-sha${name.slice(-3)}`];
    const padding = name.includes('PSS')
      ? ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']
      : [];
    openssl.run(
      ...['req', '-new', '-key', 'other.key', '-out', 'other.csr', '-subj', '/C=DE/O=Example/CN=other', ...digest],
      ...['-addext', 'subjectAltName=DNS:other.example.com,email:a@example.com', ...padding],
    );
    const der = Buffer.from(openssl.run('req', '-in', 'other.csr', '-outform', 'PEM'));
    const request = fromPem('CERTIFICATE REQUEST', der.toString());
    const { subject } = readCertificationRequest(request);
    expect(subject.altNames?.names.map(({ value }) => value)).toEqual(['other.example.com', 'a@example.com']);
    const place = request.indexOf('other.example');
    const changed = Buffer.from(request);
    changed.writeUInt8(0x61, place);
    expect(await sentence(() => readCertificationRequest(changed))).toBe(
      'The request is not signed with the key that it is about.',
    );
  });
});

test('what a certificate says is what RFC 5280 wants', async () => {
  const root = await newCa(ecdsa, { pathLength: 2 });
  const end = await issueCertificate(
    { subject: subjectOf('CN=end', ['DNS:end.example.com']), publicKey: ecdsa.publicKey },
    termsFor(10, { extendedKeyUsages: ['serverAuth'] }),
    { certificate: root, signer: ecdsa },
  );
  const text = openssl.run('x509', '-in', certificateFile('e.pem', end), '-noout', '-text', '-nameopt', 'RFC2253');
  const rootText = openssl.run('x509', '-in', certificateFile('r.pem', root), '-noout', '-text');
  const extension = (of: string, name: string) =>
    new RegExp(`X509v3 ${name}: ?(critical)?\\n\\s*(.+)`).exec(of)?.slice(1);
  expect(extension(text, 'Basic Constraints')).toEqual(['critical', 'CA:FALSE']);
  expect(extension(text, 'Key Usage')).toEqual(['critical', 'Digital Signature']);
  expect(extension(text, 'Extended Key Usage')).toEqual([undefined, 'TLS Web Server Authentication']);
  expect(extension(text, 'Subject Alternative Name')).toEqual([undefined, 'DNS:end.example.com']);
  expect(extension(rootText, 'Basic Constraints')).toEqual(['critical', 'CA:TRUE, pathlen:2']);
  expect(extension(rootText, 'Key Usage')).toEqual(['critical', 'Certificate Sign, CRL Sign']);
  const [, identifier] = extension(rootText, 'Subject Key Identifier') as string[];
  expect(identifier).toMatch(/^([\dA-F]{2}:){19}[\dA-F]{2}$/);
  expect(extension(text, 'Authority Key Identifier')?.[1]?.replace('keyid:', '')).toBe(identifier);
  expect(text).toContain('Issuer: CN=Example CA,O=Example,C=DE\n');
  expect(text).toContain('Version: 3 (0x2)');
  const serials = await Promise.all(Array.from({ length: 20 }, () => newCa(ecdsa)));
  const numbers = serials.map((der) => new X509Certificate(der).serialNumber);
  expect(new Set(numbers).size).toBe(20);
  for (const number of numbers) expect(number).toMatch(/^[4-7][\dA-F]{39}$/);
});

test('validity begins now, in whole seconds, and goes on past 2049', async () => {
  const now = new Date('2045-06-01T12:00:00.750Z');
  const der = await makeSelfSignedCertificate(subjectOf('CN=long'), termsFor(3650, { now }), ecdsa);
  const text = openssl.run('x509', '-in', certificateFile('long.pem', der), '-noout', '-text');
  expect(text).toContain('Not Before: Jun  1 12:00:00 2045 GMT');
  expect(text).toContain('Not After : May 30 12:00:00 2055 GMT');
  // UTCTime to 2049, GeneralizedTime after it
  expect(der.includes('450601120000Z')).toBe(true);
  expect(der.includes('20550530120000Z')).toBe(true);
});

test('a subject without a name has critical alternative names', async () => {
  const der = await issueCertificate(
    { subject: subjectOf('', ['URI:spiffe://example/app']), publicKey: ecdsa.publicKey },
    termsFor(1),
    { certificate: await newCa(ecdsa), signer: ecdsa },
  );
  const text = openssl.run('x509', '-in', certificateFile('unnamed.pem', der), '-noout', '-text');
  expect(text).toMatch(/Subject Alternative Name: critical\n\s*URI:spiffe:\/\/example\/app/);
});

describe('refused with a sentence', () => {
  const other = softwareSigner('ECDSA_SHA_256');
  const requested = { subject: subjectOf('CN=end'), publicKey: other.publicKey };
  const issue = async (certificate: Buffer, terms = termsFor(1), signer = ecdsa, asked = requested) =>
    sentence(() => issueCertificate(asked, terms, { certificate, signer }));

  test('a CA that is none', async () => {
    const end = await makeSelfSignedCertificate(subjectOf('CN=end'), termsFor(2), ecdsa);
    expect(await issue(end)).toBe("The CA's certificate does not say that its key may sign certificates.");
    expect(await issue(Buffer.from('3003020101', 'hex'))).toBe('It is not a certificate (X.509).');
  });

  test("another key than the CA's", async () => {
    expect(await issue(await newCa(ecdsa), termsFor(1), other)).toBe(
      "The CA's certificate is about another key than the one that is to sign.",
    );
  });

  test('a CA beneath one that allows none, and one without a name', async () => {
    const ca = await newCa(ecdsa, { pathLength: 0 });
    expect(await issue(ca, termsFor(1, { isCa: true }))).toBe("The CA's certificate allows no CA beneath it.");
    const unnamed = { subject: subjectOf('', ['DNS:a.example']), publicKey: other.publicKey };
    expect(await issue(await newCa(ecdsa), termsFor(1, { isCa: true }), ecdsa, unnamed)).toMatch(/has a name/);
  });

  test('a certificate that would outlive its CA, and days that are none', async () => {
    expect(await issue(await newCa(ecdsa), termsFor(31))).toMatch(/is valid from .+ to .+ only: choose fewer days\.$/);
    for (const days of [0, 1.5, Number.NaN, 36_501]) expect(() => termsFor(days)).toThrow(/1 to 36500 days/);
  });

  test('keys that certificates are not for', async () => {
    const keys = [
      generateKeyPairSync('rsa', { modulusLength: 1024 }),
      generateKeyPairSync('rsa', { modulusLength: 2048, publicExponent: 3 }),
      generateKeyPairSync('ec', { namedCurve: 'secp256k1' }),
      generateKeyPairSync('x25519'),
    ];
    for (const { publicKey } of keys) {
      const spki = publicKey.export({ type: 'spki', format: 'der' });
      expect(() => algorithmsOf(spki)).toThrow(/^Certificates are for RSA keys of at least 2048 bits and an/);
      const asked = { subject: subjectOf('CN=end'), publicKey: spki };
      expect(await issue(await newCa(ecdsa), termsFor(1), ecdsa, asked)).toMatch(/^Certificates are for RSA keys/);
    }
  });

  test('a signature that is not the key’s', async () => {
    const liar = { ...ecdsa, sign: other.sign };
    expect(await sentence(newCa(liar))).toMatch(/does not fit the key's public key/);
  });

  test.each(['', '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----', 'MIIB'])(
    'a text without a request: %j',
    (text) => expect(() => fromPem('CERTIFICATE REQUEST', text)).toThrow(/no CERTIFICATE REQUEST in PEM/),
  );

  test('names of other kinds in a request, which other names may stand for', async () => {
    const section = [
      'subjectAltName=@names',
      '[names]',
      'otherName.0=1.3.6.1.4.1.311.20.2.3;UTF8:ada',
      'DNS.0=a.example',
    ];
    const config = ['[req]', 'distinguished_name=none', 'req_extensions=asked', '[none]', '[asked]', ...section, ''];
    openssl.file('names.cnf', config.join('\n'));
    openssl.run(
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'names.key'],
      ...['-out', 'names.csr', '-subj', '/CN=a+OU=b/O=c', '-config', 'names.cnf'],
    );
    const pem = openssl.run('req', '-in', 'names.csr', '-config', 'names.cnf');
    const asked = readCertificationRequest(fromPem('CERTIFICATE REQUEST', pem));
    const ca = await newCa(ecdsa);
    expect(await issue(ca, termsFor(1), ecdsa, asked)).toMatch(
      /^The request asks for alternative names that are no well-formed DNS/,
    );
    const { altNames } = subjectOf('', ['DNS:a.example']);
    const subject = { ...asked.subject, altNames };
    const der = await issueCertificate({ ...asked, subject }, termsFor(1), { certificate: ca, signer: ecdsa });
    const file = certificateFile('names.pem', der);
    expect(openssl.run('verify', '-x509_strict', '-CAfile', certificateFile('names-ca.pem', ca), file)).toContain('OK');
    expect(openssl.run('x509', '-in', file, '-noout', '-subject')).toContain('CN = a + OU = b, O = c');
  });

  /** What others may ask for, and no program of ours writes. */
  const deceiving: [what: string, subject: string, extension: string, said: RegExp][] = [
    // GeneralNames: a dNSName good<U+0000>evil.c
    [
      'a DNS name that ends early for some',
      'CN=a',
      '2.5.29.17=DER:300d820b676f6f64006576696c2e63',
      /that are no well-formed DNS/,
    ],
    ['a DNS name with a space', 'CN=a', 'subjectAltName=DNS:a b', /that are no well-formed DNS/],
    ['a name that turns its order', 'CN=a\u202Ebank', 'basicConstraints=CA:FALSE', /holds "a\?bank", with characters/],
    ['no name at all', '', 'basicConstraints=CA:FALSE', /^A certificate has a name: say by --subject or --san/],
  ];
  test.each(deceiving)('%s in a request', async (_what, subject, extension, said) => {
    const lines = ['[req]', 'distinguished_name=name', 'prompt=no', 'utf8=yes', 'req_extensions=asked'];
    openssl.file('odd.cnf', [...lines, '[name]', subject, '[asked]', extension, ''].join('\n'));
    openssl.run(
      ...['req', '-new', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', 'odd.key'],
      ...['-out', 'odd.csr', '-config', 'odd.cnf', ...(subject === '' ? ['-subj', '/'] : [])],
    );
    const pem = openssl.run('req', '-in', 'odd.csr', '-config', 'odd.cnf');
    const asked = readCertificationRequest(fromPem('CERTIFICATE REQUEST', pem));
    expect(await issue(await newCa(ecdsa), termsFor(1), ecdsa, asked)).toMatch(said);
  });

  test('a certificate in place of a request', async () => {
    const der = await newCa(ecdsa);
    expect(() => readCertificationRequest(der)).toThrow('It is not a certification request (PKCS#10).');
  });
});

test('the public key in it is the one that was given', async () => {
  const der = await newCa(ecdsa);
  const given = createPublicKey({ key: ecdsa.publicKey, format: 'der', type: 'spki' });
  expect(new X509Certificate(der).publicKey.equals(given)).toBe(true);
});
