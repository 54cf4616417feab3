import { afterAll, describe, expect, test } from '@jest/globals';
import { makeCertificationRequest, subjectOf } from '../../src/certificates/certification-request.js';
import { parseDistinguishedName } from '../../src/certificates/distinguished-name.js';
import { toPem } from '../../src/certificates/pem.js';
import { parseSubjectAltNames } from '../../src/certificates/subject-alt-names.js';
import { OpenSsl } from '../service/openssl.js';
import { softwareSigner } from './software-signer.js';

const openssl = new OpenSsl();
afterAll(() => openssl.end());
const signer = softwareSigner('ED25519_SHA_512');

/** What openssl reads out of a request for it. */
async function read(name: string, altNames: string[] = []): Promise<string> {
  const der = await makeCertificationRequest(subjectOf(name, altNames), signer);
  const file = openssl.file('request.pem', toPem('CERTIFICATE REQUEST', der));
  return openssl.run('req', '-in', file, '-noout', '-text', '-subject', '-nameopt', 'RFC2253,-esc_msb,utf8');
}

describe('distinguished names', () => {
  test.each([
    ['CN=app.example.com', 'CN=app.example.com'],
    ['CN=app, OU=Ops ,O=Example GmbH,L=Köln, ST=NRW, C=DE', 'CN=app,OU=Ops,O=Example GmbH,L=Köln,ST=NRW,C=DE'],
    ['CN=a\\, b, O=x\\+y', 'CN=a\\, b,O=x\\+y'],
    ['cn=Lu\\C4\\8Di\\C4\\87', 'CN=Lučić'],
    ['CN=a=b', 'CN=a=b'],
    ['CN=\\#1, O=\\"q\\" \\<x\\>\\;', 'CN=\\#1,O=\\"q\\" \\<x\\>\\;'],
    ['CN=back\\\\slash', 'CN=back\\\\slash'],
    ['CN= spaces \\ , O=x', 'CN=spaces \\ ,O=x'],
    ['CN=app, DC=example, DC=com', 'CN=app,DC=example,DC=com'],
    ['serialNumber=42, GN=Ada, SN=Lovelace, title=Countess', 'serialNumber=42,GN=Ada,SN=Lovelace,title=Countess'],
    ['UID=ada, emailAddress=ada@example.com', 'UID=ada,emailAddress=ada@example.com'],
    ['street=Am Dom 1, organizationIdentifier=VATDE-123', 'street=Am Dom 1,organizationIdentifier=VATDE-123'],
  ])('openssl reads %j as %j', async (text, expected) => {
    const printed = (await read(text)).split('\n').find((line) => line.startsWith('subject='));
    expect(printed?.slice('subject='.length).replace('2.5.4.97=#0C', 'organizationIdentifier=')).toBe(expected);
  });

  test.each([
    ['app.example.com', /is not a name as in/],
    ['CN=a,,O=b', /is not a name as in/],
    ['CN=a, O=b,', /is not a name as in/],
    ['XX=1', /^A name has no XX: it is made of CN, /],
    ['CN=', /^CN of a name has 1 to 64 characters, not 0\.$/],
    [`CN=${'a'.repeat(65)}`, /has 1 to 64 characters, not 65/],
    ['C=Germany', /C of a name has 1 to 2 characters/],
    ['C=D1', /C of a name cannot be "D1"/],
    ['serialNumber=a_b', /cannot be/],
    ['emailAddress=ä@example.com', /cannot be/],
    ['CN=a+O=b', /write \\ before each/],
    ['CN="a"', /write \\ before each/],
    ['CN=a\\00b', /^CN of a name cannot be "a\?b"\.$/],
    ['CN=a\nb', /cannot be/],
    ['CN=\\C3', /cannot be/],
    ['CN=\u202Egnp', /cannot be/],
    ['CN=#0500', /write \\ before each/],
    ['/CN=a/O=b', /is not a name as in/],
  ])('refuses %j', (text, refusal) => expect(() => parseDistinguishedName(text)).toThrow(refusal));

  test('a subject has a name of some kind', () => expect(() => subjectOf('  ')).toThrow(/or alternative names\.$/));
});

describe('alternative names', () => {
  test.each([
    ['DNS:app.example.com', 'DNS:app.example.com'],
    ['dns:*.Example.com', 'DNS:*.example.com'],
    ['DNS:_acme.example.com', 'DNS:_acme.example.com'],
    ['DNS:bücher.example', 'DNS:xn--bcher-kva.example'],
    ['IP:192.0.2.1', 'IP Address:192.0.2.1'],
    ['IP:2001:db8::1', 'IP Address:2001:DB8:0:0:0:0:0:1'],
    ['IP:::', 'IP Address:0:0:0:0:0:0:0:0'],
    ['IP:::ffff:192.0.2.1', 'IP Address:0:0:0:0:0:FFFF:C000:201'],
    ['email:ada@example.com', 'email:ada@example.com'],
    ['URI:spiffe://example/app', 'URI:spiffe://example/app'],
  ])('openssl reads %j as %j', async (text, expected) => {
    expect((await read('CN=app', [text])).split('\n').map((line) => line.trim())).toContain(expected);
  });

  test('several, in one text and in more', async () => {
    expect(await read('CN=app', ['DNS:a.example, IP:192.0.2.1', 'email:a@b.example'])).toContain(
      'DNS:a.example, IP Address:192.0.2.1, email:a@b.example',
    );
  });

  test.each([
    ...['app.example.com', 'DNS:', 'DNS:a..b', 'DNS:a b', 'DNS:*', 'DNS:a.*.example', `DNS:${'a'.repeat(64)}.example`],
    ...['IP:192.0.2', 'IP:fe80::1%eth0', 'email:ada', 'URI:app', 'otherName:x', '', 'DNS:a,,DNS:b'],
  ])('refuses %j', (text) =>
    expect(() => parseSubjectAltNames([text])).toThrow(/is not an alternative name as in DNS:/),
  );
});
