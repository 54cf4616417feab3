import { isIP } from 'node:net';
import { resolve } from 'node:path';
import type { Settings } from '../config/settings.js';
import { certificatesIn } from '../server/tls-files.js';
import { quoted } from './shell-word.js';

/** The URL with a host that the certificate is for: clients refuse any other. As it is where the certificate has none. */
export function namedAsCertified(certificateFile: string, url: string): string {
  const [certificate] = certificatesIn(certificateFile);
  const named = new URL(url);
  const host = named.hostname.replace(/^\[(.*)\]$/, '$1');
  const isCertified = isIP(host) ? certificate?.checkIP(host) : certificate?.checkHost(host);
  const [, name] = /(?:^|, )DNS:([\w.-]+)/.exec(certificate?.subjectAltName ?? '') ?? [];
  if (isCertified || name === undefined) return url;
  named.hostname = name;
  return named.origin;
}

/**
 * Lines to type before a client trusts the service, and is trusted by it.
 *
 * @param bundle where the client's machine has the certificate, as a word of a shell; where it lies here by default
 */
export function trustLines({ tlsCertificateFile, tlsClientCertificates }: Settings, bundle?: string): string[] {
  if (tlsCertificateFile === undefined) return [];
  const lines: string[] = [];
  if (tlsClientCertificates === 'required') {
    lines.push('# clients must present a certificate, which the AWS CLI cannot: docs/bare-metal.md shows how SDKs do');
  }
  const holdsItsAnchor = certificatesIn(tlsCertificateFile).some((each) => each.checkIssued(each));
  lines.push(
    holdsItsAnchor
      ? `export AWS_CA_BUNDLE=${bundle ?? quoted(resolve(tlsCertificateFile))}`
      : "# where this machine does not trust the certificate's CA: export AWS_CA_BUNDLE=FILE with the CA's certificate",
  );
  return lines;
}
