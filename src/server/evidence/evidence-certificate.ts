import type { X509Certificate } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeSelfSignedCertificate, termsFor } from '../../certificates/certificate.js';
import { makeCertificationRequest, subjectOf } from '../../certificates/certification-request.js';
import { toPem } from '../../certificates/pem.js';
import type { Signer } from '../../certificates/signed.js';
import { certificatesOf } from '../../evidence/certificate-chain.js';
import type { EvidenceKey } from '../../keys/evidence-key.js';
import type { TokenIdentity } from '../../token/token-selection.js';
import { type DataDirectory, writePrivateFile } from '../data-directory.js';

/** How long a certificate is valid that the evidence key signs for itself, in days. */
const selfSignedDays = 3650;

const fileOf = ({ path }: DataDirectory) => join(path, 'evidence-certificate.pem');

function signerOf(key: EvidenceKey): Signer {
  const { publicKey, algorithm } = key.describe();
  return { publicKey, algorithm, sign: (toBeSigned) => key.sign(toBeSigned) };
}

/** Whose key it is: names the token, as far as a name holds it. */
function usualSubject({ serialNumber }: TokenIdentity): string {
  return `CN=hsm-kms evidence, serialNumber=${serialNumber.replace(/[^A-Za-z\d]/g, '').slice(0, 32) || 'unknown'}`;
}

/**
 * The evidence key's certificate, then those that issued it: what was installed; without that one that the key signs
 * itself, which is kept.
 *
 * @throws Error with a sentence when what is installed is about another key, or not valid now
 */
export async function evidenceCertificates(
  key: EvidenceKey,
  identity: TokenIdentity,
  directory: DataDirectory,
): Promise<X509Certificate[]> {
  const file = fileOf(directory);
  if (!existsSync(file)) {
    const der = await makeSelfSignedCertificate(
      subjectOf(usualSubject(identity)),
      termsFor(selfSignedDays),
      signerOf(key),
    );
    writePrivateFile(file, toPem('CERTIFICATE', der));
  }
  return expectOwn(key, certificatesOf(readFileSync(file, 'utf8')), file);
}

/**
 * Keeps a certificate that a CA has issued for the evidence key, for all bundles from now on.
 *
 * @param text PEM: the certificate first, then those that issued it
 * @throws Error with a sentence when it is about another key, or not valid now
 */
export function installEvidenceCertificate(
  key: EvidenceKey,
  directory: DataDirectory,
  { text, name }: { readonly text: string; readonly name: string },
): X509Certificate[] {
  const certificates = expectOwn(key, certificatesOf(text), name);
  writePrivateFile(fileOf(directory), certificates.map(({ raw }) => toPem('CERTIFICATE', raw)).join(''));
  return certificates;
}

/** A certification request (PKCS#10) for the evidence key, in PEM. @param subject as in "CN=evidence, O=Example" */
export async function evidenceRequest(
  key: EvidenceKey,
  identity: TokenIdentity,
  subject: string | undefined,
): Promise<string> {
  const request = await makeCertificationRequest(subjectOf(subject ?? usualSubject(identity)), signerOf(key));
  return toPem('CERTIFICATE REQUEST', request);
}

function expectOwn(key: EvidenceKey, certificates: X509Certificate[], file: string): X509Certificate[] {
  const [first] = certificates;
  if (first === undefined) throw new Error(`There is no certificate in PEM in ${file}.`);
  const { publicKey, validFrom, validTo } = first;
  const isOfKey = publicKey.export({ format: 'der', type: 'spki' }).equals(key.describe().publicKey);
  const now = new Date();
  if (isOfKey && now >= new Date(validFrom) && now <= new Date(validTo)) return certificates;
  const what = isOfKey
    ? `is valid from ${validFrom} to ${validTo} only: nobody would believe what is signed now`
    : "is about another key than this token's evidence key";
  throw new Error(
    `The first certificate in ${file} ${what}. Type hsm-kms evidence csr, have that request signed, and install what you get by hsm-kms evidence install-certificate.`,
  );
}
