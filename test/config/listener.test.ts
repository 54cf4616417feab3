import { describe, expect, test } from '@jest/globals';
import { checkListener } from '../../src/config/listener.js';
import { loadSettings } from '../../src/config/load-settings.js';

const checked = (flags: Record<string, unknown>) => () => checkListener(loadSettings({ flags }).settings);
const files = { tlsCertificateFile: 'certificate', tlsKeyFile: 'key' };
const hostsOfOthers = ['0.0.0.0', '::', '192.0.2.1', 'example.com', '127.0.0.1.example.com'];

describe('plain HTTP', () => {
  test.each(['127.0.0.1', '127.9.9.9', '::1', 'localhost'])('is served on %s', (host) => {
    expect(checked({ host })).not.toThrow();
  });

  test.each(hostsOfOthers)('is not served on %s', (host) => {
    expect(checked({ host })).toThrow(/unencrypted: .*HSM_KMS_ALLOW_PLAIN_HTTP/);
    expect(checked({ host, allowPlainHttp: true })).not.toThrow();
  });
});

test.each(hostsOfOthers)('TLS is served on %s', (host) => {
  expect(checked({ host, ...files })).not.toThrow();
});

describe('settings that do not go together', () => {
  const client = { tlsClients: [{ commonName: 'app', principals: ['*'] }] };
  test.each([
    [{ tlsCertificateFile: 'certificate' }, /set HSM_KMS_TLS_CERTIFICATE_FILE and HSM_KMS_TLS_KEY_FILE, or none/],
    [{ tlsKeyFile: 'key' }, /or none of them/],
    [{ tlsClientCertificates: 'required' }, /only over TLS, and only with CAs to believe/],
    [{ ...files, tlsClientCertificates: 'optional' }, /and HSM_KMS_TLS_CLIENT_CA_FILE\./],
    [{ tlsClientCaFile: 'ca', tlsClientCertificates: 'optional' }, /only over TLS/],
    [{ ...files, tlsClientCaFile: 'ca' }, /set HSM_KMS_TLS_CLIENT_CERTIFICATES to optional or required/],
    // rules that nobody could fulfil
    [{ ...files, ...client }, /Clients are asked for no certificates/],
    [client, /Clients are asked for no certificates/],
  ])('%j', (flags, sentence) => {
    expect(checked(flags)).toThrow(sentence);
  });

  test.each([
    { ...files, tlsClientCaFile: 'ca', tlsClientCertificates: 'optional', ...client },
    { ...files, tlsClientCaFile: 'ca', tlsClientCertificates: 'required' },
  ])('these do: %j', (flags) => {
    expect(checked(flags)).not.toThrow();
  });
});
