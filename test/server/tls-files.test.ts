import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { loadSettings } from '../../src/config/load-settings.js';
import { tlsServerOptions } from '../../src/server/tls-files.js';
import { CertificateAuthority, type CertificateFiles } from '../service/certificates.js';

let directory: string;
let authority: CertificateAuthority;
let good: CertificateFiles;
let expired: CertificateFiles;
let early: CertificateFiles;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'hsm-kms-tls-files-'));
  authority = new CertificateAuthority(directory, 'authority');
  good = authority.issue('good', '/CN=good', { names: 'IP:127.0.0.1' });
  expired = authority.issue('expired', '/CN=expired', { days: -1 });
  early = authority.issue('early', '/CN=early', { from: '20990101000000Z' });
});
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function fileWith(name: string, content: string): string {
  const file = join(directory, name);
  writeFileSync(file, content);
  return file;
}

const content = (file: string) => readFileSync(file, 'utf8');

/** A server's options; what it warns of is added to the list. */
function read(certificate: string, key: string, more: Record<string, unknown> = {}, warnings: string[] = []) {
  const flags = { tlsCertificateFile: certificate, tlsKeyFile: key, ...more };
  return tlsServerOptions(loadSettings({ flags }).settings, (what) => warnings.push(what));
}

test('without files there is no TLS', () => {
  expect(tlsServerOptions(loadSettings({}).settings, () => {})).toBeUndefined();
});

test('a chain that begins with the own certificate is taken', () => {
  const chain = fileWith('chain.pem', content(good.certificate) + content(authority.certificate));
  expect(read(chain, good.key)).toMatchObject({ cert: content(chain), minVersion: 'TLSv1.2', requestCert: false });
});

test.each([
  ['none', false, false],
  ['optional', true, false],
  ['required', true, true],
])('client certificates %s', (tlsClientCertificates, requestCert, rejectUnauthorized) => {
  const more = { tlsClientCertificates, tlsClientCaFile: authority.certificate };
  expect(read(good.certificate, good.key, more)).toMatchObject({ requestCert, rejectUnauthorized });
});

test.each([
  [0o600, 0],
  [0o640, 0],
  [0o644, 1],
  [0o602, 1],
])('a key of mode %o is warned of %d times, and taken', (mode, times) => {
  const key = fileWith('mode.key', content(good.key));
  chmodSync(key, mode);
  const warnings: string[] = [];
  expect(read(good.certificate, key, {}, warnings)).toBeDefined();
  expect(warnings).toHaveLength(times);
});

describe('what is refused, in a sentence', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'no certificate',
      () => read('/nowhere/c.pem', good.key),
      /\/nowhere\/c\.pem cannot be read \(ENOENT\): set HSM_KMS_TLS_CERTIFICATE_FILE/,
    ],
    [
      'no key',
      () => read(good.certificate, '/nowhere/k.pem'),
      /\/nowhere\/k\.pem cannot be read \(ENOENT\): set HSM_KMS_TLS_KEY_FILE/,
    ],
    ['a directory', () => read(directory, good.key), /cannot be read \(EISDIR\)/],
    ['no PEM', () => read(fileWith('no.pem', 'no'), good.key), /no\.pem cannot be used: it is not PEM, or broken/],
    ['a certificate that is cut off', () => read(half(good.certificate), good.key), /cannot be used: it is not PEM/],
    ['a key that is cut off', () => read(good.certificate, half(good.key)), /cannot be used: it is not PEM/],
    [
      'the certificate as key',
      () => read(good.certificate, good.certificate),
      /key of the TLS certificate .+ cannot be/,
    ],
    ['two pairs', () => read(good.certificate, expired.key), /expired\.key is not that of the first certificate in/],
    ['a chain that begins with the CA', () => read(upsideDown(), good.key), /which must be the service's own\.$/],
    ['what has expired', () => read(expired.certificate, expired.key), /expired\.pem expired on .+: renew it\.$/],
    ['what is for later', () => read(early.certificate, early.key), /early\.pem is not valid before .+: wait, or set/],
    ['a key with a passphrase', () => read(good.certificate, encrypted()), /encrypted\.key cannot be used: it is enc/],
    [
      'a CA that is none',
      () => read(good.certificate, good.key, { tlsClientCaFile: good.key }),
      /CA of client certificates .+good\.key cannot be used/,
    ],
    [
      'a second CA that is broken',
      () => read(good.certificate, good.key, { tlsClientCaFile: secondBroken() }),
      /CA of client certificates .+second\.pem cannot be used/,
    ],
  ])('%s', (_name, start, sentence) => {
    expect(start).toThrow(sentence);
  });

  const half = (file: string) => fileWith('half.pem', content(file).slice(0, 120));
  const upsideDown = () => fileWith('down.pem', content(authority.certificate) + content(good.certificate));
  const secondBroken = () => fileWith('second.pem', content(authority.certificate) + content(good.key));

  function encrypted(): string {
    const file = join(directory, 'encrypted.key');
    execFileSync('openssl', ['pkey', '-in', good.key, '-aes256', '-passout', 'pass:x', '-out', file]);
    return file;
  }
});
