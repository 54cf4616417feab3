import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A certificate and its key, as PEM files. */
export interface CertificateFiles {
  readonly certificate: string;
  readonly key: string;
}

export interface CertificateOptions {
  /** As openssl writes them: DNS:localhost,IP:127.0.0.1. */
  readonly names?: string;
  /** Of validity; -1 for one that ended yesterday. */
  readonly days?: number;
  /** When validity begins, as YYYYMMDDHHMMSSZ. */
  readonly from?: string;
}

function openssl(...parameters: string[]): string {
  return execFileSync('openssl', parameters, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}

function newKey(file: string): void {
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', file);
}

/** A CA of the openssl command, in files of a directory. */
export class CertificateAuthority implements CertificateFiles {
  readonly certificate: string;
  readonly key: string;

  constructor(
    private readonly directory: string,
    name: string,
  ) {
    this.certificate = join(directory, `${name}.pem`);
    this.key = join(directory, `${name}.key`);
    newKey(this.key);
    openssl(
      ...['req', '-x509', '-new', '-key', this.key, '-out', this.certificate, '-days', '2', '-subj', `/CN=${name}`],
      ...['-addext', 'basicConstraints=critical,CA:TRUE', '-addext', 'keyUsage=critical,keyCertSign'],
    );
  }

  /** A certificate with a new key. @param subject as openssl writes it: /CN=app */
  issue(file: string, subject: string, { names, days = 2, from }: CertificateOptions = {}): CertificateFiles {
    const at = (ending: string) => join(this.directory, file + ending);
    newKey(at('.key'));
    openssl('req', '-new', '-key', at('.key'), '-subj', subject, '-out', at('.csr'));
    writeFileSync(at('.ext'), names === undefined ? 'basicConstraints=CA:FALSE\n' : `subjectAltName=${names}\n`);
    const issuing = ['-in', at('.csr'), '-out', at('.pem'), '-days', String(days), '-extfile', at('.ext')];
    if (from === undefined) {
      openssl('x509', '-req', ...issuing, '-CA', this.certificate, '-CAkey', this.key, '-CAcreateserial');
    } else {
      writeFileSync(at('.cnf'), this.configuration());
      writeFileSync(join(this.directory, 'database'), '');
      openssl('ca', '-batch', '-notext', '-config', at('.cnf'), ...issuing.toSpliced(4, 2), '-startdate', from);
    }
    return { certificate: at('.pem'), key: at('.key') };
  }

  /** What `openssl ca` wants, which alone can begin validity later than now. */
  private configuration(): string {
    return [
      '[ca]',
      'default_ca=this',
      '[this]',
      `database=${join(this.directory, 'database')}`,
      `new_certs_dir=${this.directory}`,
      `certificate=${this.certificate}`,
      `private_key=${this.key}`,
      'rand_serial=yes',
      'default_md=sha256',
      'default_days=9',
      'policy=any',
      '[any]',
      'commonName=supplied',
      '',
    ].join('\n');
  }
}

/** A certificate that signed itself, for the loopback addresses. */
export function selfSigned(directory: string, file: string, subject = `/CN=${file}`): CertificateFiles {
  const at = (ending: string) => join(directory, file + ending);
  newKey(at('.key'));
  openssl(
    ...['req', '-x509', '-new', '-key', at('.key'), '-out', at('.pem'), '-days', '2', '-subj', subject],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  );
  return { certificate: at('.pem'), key: at('.key') };
}

/** As `openssl x509 -fingerprint` prints it: AB:CD:... */
export function fingerprintOf({ certificate }: CertificateFiles): string {
  return openssl('x509', '-in', certificate, '-noout', '-fingerprint', '-sha256').trim().split('=')[1] as string;
}
