import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { namesIn } from '../../src/http/client-certificate.js';

let directory: string;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-names-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

/** How Node prints the alternative names of a certificate that openssl makes. @param names KIND.NUMBER=NAME */
function printed(names: readonly string[]): string | undefined {
  const file = (name: string) => join(directory, name);
  const subject = ['[req]', 'distinguished_name=dn', 'prompt=no', '[dn]', 'CN=x'];
  writeFileSync(file('cnf'), [...subject, '[ext]', 'subjectAltName=@names', '[names]', ...names, ''].join('\n'));
  const certificate = ['-config', file('cnf'), '-extensions', 'ext', '-out', file('certificate')];
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-keyout', file('key')];
  execFileSync('openssl', ['req', '-x509', ...key, ...certificate], { stdio: 'ignore' });
  return new X509Certificate(readFileSync(file('certificate'))).subjectAltName;
}

test.each([
  [['DNS.1=app.example.com'], ['DNS:app.example.com']],
  [
    ['DNS.1=a.example.com', 'URI.1=spiffe://example.com/app', 'IP.1=10.0.0.1', 'email.1=a@example.com'],
    ['DNS:a.example.com', 'URI:spiffe://example.com/app', 'IP Address:10.0.0.1', 'email:a@example.com'],
  ],
  [['IP.1=2001:db8::1'], ['IP Address:2001:DB8:0:0:0:0:0:1']],
])('the names of %s', (names, expected) => {
  expect(namesIn(printed(names) ?? '')).toEqual(expected);
});

test('a name that looks like two is one', () => {
  // what a CA that checks one kind of name only may be made to sign (CVE-2021-44532)
  const list = printed(['URI.1=http://example.com/a, DNS:admin.example.com']) as string;
  expect(namesIn(list)).toEqual(['URI:http://example.com/a, DNS:admin.example.com']);
});

test.each(['DNS:a, ', 'DNS:"a', 'DNS:"\\x"', 'a', ':a', 'DNS:a DNS:"b"', 'DNS:a,DNS:b'])(
  'a list that is not understood has no names: %j',
  (list) => {
    expect(namesIn(list)).toEqual([]);
  },
);

test('no list has no names', () => {
  expect(namesIn('')).toEqual([]);
});
