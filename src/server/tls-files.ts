import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import type { ServerOptions } from 'node:https';
import { createSecureContext, type SecureContextOptions } from 'node:tls';
import { environmentName, type SettingName, type Settings } from '../config/settings.js';

type FileSetting = Extract<SettingName, 'tlsCertificateFile' | 'tlsKeyFile' | 'tlsClientCaFile'>;

const whatItHolds: Readonly<Record<FileSetting, string>> = {
  tlsCertificateFile: 'TLS certificate',
  tlsKeyFile: 'key of the TLS certificate',
  tlsClientCaFile: 'CA of client certificates',
};

/** The files that TLS is made from, by setting. */
export function tlsFileNames(settings: Settings): [FileSetting, string][] {
  const names = Object.keys(whatItHolds) as FileSetting[];
  return names.flatMap((name) => (settings[name] === undefined ? [] : [[name, settings[name]]]));
}

/** The certificates of a PEM file, the service's own first. */
export function certificatesIn(file: string): X509Certificate[] {
  const blocks = readFileSync(file, 'utf8').match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END [^\n]*/g) ?? [];
  return blocks.map((pem) => new X509Certificate(pem));
}

/**
 * What TLS is made from, read from the files and checked: certificate and key belong together, and are valid now.
 *
 * @param warn is told of what is not as it should be
 * @returns undefined when the service does without TLS
 * @throws Error in one sentence that names the file
 */
export function readTlsFiles(settings: Settings, warn: (what: string) => void): SecureContextOptions | undefined {
  const { tlsCertificateFile, tlsKeyFile, tlsClientCaFile } = settings;
  if (tlsCertificateFile === undefined || tlsKeyFile === undefined) return undefined;
  const cert = readPem('tlsCertificateFile', tlsCertificateFile);
  const key = readPem('tlsKeyFile', tlsKeyFile);
  const ca = tlsClientCaFile === undefined ? undefined : readPem('tlsClientCaFile', tlsClientCaFile);

  const certificate = parsed('tlsCertificateFile', tlsCertificateFile, cert, (pem) => new X509Certificate(pem));
  const privateKey = parsed('tlsKeyFile', tlsKeyFile, key, readKey);
  if (!certificate.checkPrivateKey(privateKey)) {
    throw new Error(
      `The key in ${tlsKeyFile} is not that of the first certificate in ${tlsCertificateFile}, which must be the service's own.`,
    );
  }
  checkValidity(certificate, tlsCertificateFile);
  if (tlsClientCaFile !== undefined && ca !== undefined) {
    // one after another: only the first of a text is parsed
    for (const each of ca.match(/-----BEGIN [\s\S]*?-----END [^\n]*/g) ?? [ca]) {
      parsed('tlsClientCaFile', tlsClientCaFile, each, (pem) => new X509Certificate(pem));
    }
  }
  // in containers and Kubernetes all secrets are mounted like that, and cannot be mounted otherwise everywhere
  if (statSync(tlsKeyFile).mode & 0o006) {
    warn(`every user of this machine can read or write the TLS key ${tlsKeyFile}: chmod 0640, or 0600`);
  }
  const options: SecureContextOptions = { cert, key, ...(ca !== undefined && { ca }), minVersion: 'TLSv1.2' };
  try {
    createSecureContext(options);
  } catch (error) {
    throw new Error(`TLS cannot be set up with ${tlsCertificateFile}: ${(error as Error).message}.`, { cause: error });
  }
  return options;
}

/** What a client that says nothing is given to finish its TLS handshake, in milliseconds; a stop waits for it. */
const handshakeTimeout = 5_000;

/** What an HTTPS server is made with; undefined for plain HTTP. @throws Error in one sentence that names the file */
export function tlsServerOptions(settings: Settings, warn: (what: string) => void): ServerOptions | undefined {
  const files = readTlsFiles(settings, warn);
  if (files === undefined) return undefined;
  return {
    ...files,
    handshakeTimeout,
    requestCert: settings.tlsClientCertificates !== 'none',
    rejectUnauthorized: settings.tlsClientCertificates === 'required',
  };
}

function readPem(setting: FileSetting, file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new Error(
      `The ${whatItHolds[setting]} ${file} cannot be read (${(error as NodeJS.ErrnoException).code}): set ${environmentName(setting)} to a PEM file that this user may read.`,
      { cause: error },
    );
  }
}

function parsed<T>(setting: FileSetting, file: string, pem: string, parse: (pem: string) => T): T {
  try {
    return parse(pem);
  } catch (error) {
    // OpenSSL's words do not help, but those of readKey do
    const why = error instanceof EncryptedKeyError ? error.message : 'it is not PEM, or broken';
    throw new Error(`The ${whatItHolds[setting]} ${file} cannot be used: ${why}.`, { cause: error });
  }
}

class EncryptedKeyError extends Error {}

function readKey(pem: string): KeyObject {
  if (/ENCRYPTED/.test(pem)) {
    throw new EncryptedKeyError(
      'it is encrypted, and nobody is there to type the passphrase; openssl pkey decrypts it',
    );
  }
  return createPrivateKey(pem);
}

function checkValidity({ validFrom, validTo }: X509Certificate, file: string): void {
  if (Date.parse(validTo) <= Date.now()) {
    throw new Error(`The TLS certificate ${file} expired on ${validTo}: renew it.`);
  }
  if (Date.parse(validFrom) > Date.now()) {
    throw new Error(
      `The TLS certificate ${file} is not valid before ${validFrom}: wait, or set this machine's clock right.`,
    );
  }
}
