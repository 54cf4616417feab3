import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import type { ExtendedKeyUsage } from '../certificates/extensions.js';
import { addClientOptions, clientOf } from './client/client-options.js';

interface CertificateOptions {
  readonly selfSigned?: boolean;
  readonly key?: string;
  /** True for --ca alone: the certificate is a CA's. */
  readonly ca?: true | string;
  readonly caCertificate?: string;
  readonly csr?: string;
  readonly issueCa?: boolean;
  readonly subject?: string;
  readonly san?: readonly string[];
  readonly days: string;
  readonly pathLength?: string;
  readonly extendedKeyUsage?: string;
  readonly algorithm?: string;
}

const usage =
  'Type --self-signed --key KEY --subject NAME [--ca], or --ca KEY --ca-certificate FILE --csr FILE [--issue-ca].';

export function addCertificateCommand(program: Command): void {
  const command = program
    .command('certificate')
    .description('print a certificate (X.509) in PEM, signed by a key through the running service')
    .option('--self-signed', 'a certificate that its own key signs')
    .option('--key <key>', 'of --self-signed: key id, key ARN, alias/NAME or alias ARN')
    .option('--ca [key]', "the CA's key, which signs the request of --csr; without a value: the certificate is a CA's")
    .option('--ca-certificate <file>', "the CA's certificate, in PEM")
    .option('--csr <file>', 'the request to sign, in PEM')
    .option('--issue-ca', 'of --csr: the new certificate is a CA, too')
    .option('--subject <name>', 'as in "CN=app.example.com, O=Example, C=DE"; that of the request by default')
    .option('--san <names...>', 'alternative names: DNS:app.example.com,IP:192.0.2.1; those of the request by default')
    .requiredOption('--days <number>', 'how long it is valid, from now')
    .option('--path-length <number>', "of a CA's certificate: how many CAs may follow beneath it")
    .option(
      '--extended-key-usage <names>',
      'serverAuth,clientAuth,codeSigning,emailProtection,timeStamping,OCSPSigning',
    )
    .option('--algorithm <name>', 'signing algorithm by its name in KMS: RSASSA_PSS_SHA_256 ...');
  addClientOptions(command).action(async (given) => {
    const options = given as CertificateOptions;
    const make = options.selfSigned ? selfSigned : issued;
    const der = await make(options, given);
    const { toPem } = await import('../certificates/pem.js');
    process.stdout.write(toPem('CERTIFICATE', der));
    console.error(await summary(der));
  });
}

async function selfSigned(options: CertificateOptions, given: Readonly<Record<string, unknown>>): Promise<Buffer> {
  const { key, ca, subject, san, algorithm, csr, caCertificate, issueCa } = options;
  const isForeign = typeof ca === 'string' || csr !== undefined || caCertificate !== undefined || issueCa;
  if (key === undefined || subject === undefined || isForeign) throw new Error(usage);
  const [{ makeSelfSignedCertificate }, { subjectOf }, { keySigner }] = await modules();
  const about = subjectOf(subject, san);
  const terms = await termsOf(options, ca === true);
  return makeSelfSignedCertificate(about, terms, await keySigner(await clientOf(given), key, algorithm));
}

async function issued(options: CertificateOptions, given: Readonly<Record<string, unknown>>): Promise<Buffer> {
  const { key, ca, caCertificate, csr, issueCa = false, subject, san, algorithm } = options;
  if (typeof ca !== 'string' || caCertificate === undefined || csr === undefined || key !== undefined) {
    throw new Error(usage);
  }
  const [{ issueCertificate }, { readCertificationRequest, subjectOf }, { keySigner }] = await modules();
  const { fromPem } = await import('../certificates/pem.js');
  const requested = inFile(csr, (text) => readCertificationRequest(fromPem('CERTIFICATE REQUEST', text)));
  const certificate = inFile(caCertificate, (text) => fromPem('CERTIFICATE', text));
  const name = subject === undefined ? requested.subject.name : subjectOf(subject).name;
  const altNames = san === undefined ? requested.subject.altNames : subjectOf('', san).altNames;
  const terms = await termsOf(options, issueCa);
  const signer = await keySigner(await clientOf(given), ca, algorithm);
  return issueCertificate({ ...requested, subject: { name, altNames } }, terms, { certificate, signer });
}

/** Loaded only here: other commands start faster without them. */
function modules() {
  return Promise.all([
    import('../certificates/certificate.js'),
    import('../certificates/certification-request.js'),
    import('./client/key-signer.js'),
  ]);
}

async function termsOf({ days, pathLength, extendedKeyUsage }: CertificateOptions, isCa: boolean) {
  const [{ termsFor }, { extendedKeyUsageNames }] = await Promise.all([
    import('../certificates/certificate.js'),
    import('../certificates/extensions.js'),
  ]);
  const names = (extendedKeyUsage ?? '').split(',').filter(Boolean);
  const unknown = names.find((name) => !(extendedKeyUsageNames as string[]).includes(name));
  if (unknown !== undefined) {
    throw new Error(`--extended-key-usage takes ${extendedKeyUsageNames.join(', ')}, not ${JSON.stringify(unknown)}.`);
  }
  if (pathLength !== undefined && (!isCa || !/^\d{1,3}$/.test(pathLength))) {
    throw new Error('--path-length takes a whole number from 0, for the certificate of a CA.');
  }
  return termsFor(Number(days), {
    isCa,
    pathLength: pathLength === undefined ? undefined : Number(pathLength),
    extendedKeyUsages: names as ExtendedKeyUsage[],
  });
}

/** What is in a file. @throws Error with its name */
function inFile<T>(file: string, read: (text: string) => T): T {
  try {
    return read(readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file} cannot be used: ${(error as Error).message}`, { cause: error });
  }
}

/** What was signed, for who has to answer for it. */
async function summary(der: Buffer): Promise<string> {
  const { X509Certificate } = await import('node:crypto');
  const { subject, subjectAltName, serialNumber, validTo } = new X509Certificate(der);
  const whom = [subject?.split('\n').reverse().join(', '), subjectAltName].filter(Boolean).join('; ');
  return `signed a certificate for ${whom}, serial number ${serialNumber}, valid until ${validTo}`;
}
