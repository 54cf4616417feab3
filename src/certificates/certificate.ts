import { randomBytes, X509Certificate } from 'node:crypto';
import { Integer } from 'asn1js';
import { Certificate, PublicKeyInfo, type RelativeDistinguishedNames, Time } from 'pkijs';
import { plainView } from '../encoding/der.js';
import type { RequestedCertificate, Subject } from './certification-request.js';
import { expectReadable } from './distinguished-name.js';
import {
  authorityKeyIdentifier,
  basicConstraints,
  type CaExtensions,
  type ExtendedKeyUsage,
  extKeyUsage,
  keyIdentifier,
  keyUsage,
  readCaExtensions,
  subjectAltName,
  subjectKeyIdentifier,
} from './extensions.js';
import { certifiableKey } from './signature-algorithms.js';
import { type Signer, signed } from './signed.js';

/** What a certificate says beside whom it is about. */
export interface CertificateTerms {
  readonly notBefore: Date;
  readonly notAfter: Date;
  /** Whether its key may sign certificates; else it signs anything but these. */
  readonly isCa: boolean;
  /** How many CAs may follow beneath a CA; undefined for any number. */
  readonly pathLength?: number | undefined;
  /** None for any purpose. */
  readonly extendedKeyUsages?: readonly ExtendedKeyUsage[] | undefined;
}

const dayMilliseconds = 24 * 60 * 60 * 1000;
const mostDays = 36_500;

/** Terms that begin now. @param days of validity @throws Error with a sentence */
export function termsFor(
  days: number,
  {
    now = new Date(),
    ...rest
  }: Partial<Omit<CertificateTerms, 'notBefore' | 'notAfter'>> & { readonly now?: Date } = {},
): CertificateTerms {
  if (!Number.isInteger(days) || days < 1 || days > mostDays) {
    throw new Error(`A certificate is valid for 1 to ${mostDays} days.`);
  }
  // certificates have no fractions of seconds
  const notBefore = new Date(Math.floor(now.getTime() / 1000) * 1000);
  return { isCa: false, ...rest, notBefore, notAfter: new Date(notBefore.getTime() + days * dayMilliseconds) };
}

/**
 * A certificate that its own key has signed: the root of a CA, or one that is trusted for itself.
 *
 * @returns DER
 * @throws Error with a sentence; what the signer throws
 */
export function makeSelfSignedCertificate(subject: Subject, terms: CertificateTerms, signer: Signer): Promise<Buffer> {
  if (subject.name.typesAndValues.length === 0) {
    throw new Error('A certificate that signs itself has a name, as in "CN=app.example.com".');
  }
  return makeCertificate({ subject, publicKey: signer.publicKey }, terms, { name: subject.name }, signer);
}

/** A CA: its certificate, and the key that signs for it. */
export interface CertificateAuthority {
  /** DER. */
  readonly certificate: Buffer;
  readonly signer: Signer;
}

/**
 * A certificate that a CA signs for somebody's key.
 *
 * @returns DER
 * @throws Error with a sentence when the CA may not sign it, or its key is another; what the signer throws
 */
export function issueCertificate(
  requested: RequestedCertificate,
  terms: CertificateTerms,
  { certificate, signer }: CertificateAuthority,
): Promise<Buffer> {
  const ca = readCertificate(certificate);
  const extensions = readCaExtensions(ca.extensions);
  expectCa(new X509Certificate(certificate), extensions, terms, signer);
  const identifier = extensions.keyIdentifier ?? keyIdentifier(signer.publicKey);
  return makeCertificate(requested, terms, { name: ca.subject, keyIdentifier: identifier }, signer);
}

/** @throws Error with a sentence when the DER is no certificate */
function readCertificate(der: Buffer): Certificate {
  try {
    return Certificate.fromBER(plainView(der));
  } catch (error) {
    throw new Error('It is not a certificate (X.509).', { cause: error });
  }
}

/** @throws Error with a sentence when nobody would believe what the CA signs */
function expectCa(
  { publicKey, validFrom, validTo }: X509Certificate,
  { isCa, mayIssue, pathLength }: CaExtensions,
  { isCa: isForCa, notBefore, notAfter }: CertificateTerms,
  signer: Signer,
): void {
  if (!publicKey.equals(certifiableKey(signer.publicKey))) {
    throw new Error("The CA's certificate is about another key than the one that is to sign.");
  }
  if (!isCa || !mayIssue) {
    throw new Error("The CA's certificate does not say that its key may sign certificates.");
  }
  if (isForCa && pathLength === 0) throw new Error("The CA's certificate allows no CA beneath it.");
  if (notBefore < new Date(validFrom) || notAfter > new Date(validTo)) {
    throw new Error(`The CA's certificate is valid from ${validFrom} to ${validTo} only: choose fewer days.`);
  }
}

interface Issuer {
  readonly name: RelativeDistinguishedNames;
  /** Undefined for who signs itself (RFC 5280 section 4.2.1.1). */
  readonly keyIdentifier?: Buffer;
}

function makeCertificate(
  { subject, publicKey }: RequestedCertificate,
  { notBefore, notAfter, isCa, pathLength, extendedKeyUsages = [] }: CertificateTerms,
  issuer: Issuer,
  signer: Signer,
): Promise<Buffer> {
  certifiableKey(publicKey);
  const isUnnamed = subject.name.typesAndValues.length === 0;
  expectReadable(subject.name);
  if (isUnnamed && subject.altNames === undefined) {
    throw new Error('A certificate has a name: say by --subject or --san which it is to have.');
  }
  if (isCa && isUnnamed) throw new Error('The certificate of a CA has a name, as in "CN=Example CA".');
  const certificate = new Certificate({
    // v3
    version: 2,
    serialNumber: newSerialNumber(),
    issuer: issuer.name,
    notBefore: timeOf(notBefore),
    notAfter: timeOf(notAfter),
    subject: subject.name,
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(plainView(publicKey)),
    extensions: [
      basicConstraints(isCa, pathLength),
      keyUsage(isCa),
      ...(extendedKeyUsages.length > 0 ? [extKeyUsage(extendedKeyUsages)] : []),
      ...(subject.altNames ? [subjectAltName(subject.altNames, isUnnamed)] : []),
      subjectKeyIdentifier(keyIdentifier(publicKey)),
      ...(issuer.keyIdentifier ? [authorityKeyIdentifier(issuer.keyIdentifier)] : []),
    ],
  });
  return signed(certificate, signer);
}

/** Positive, 20 bytes, 158 random bits (RFC 5280 section 4.1.2.2). */
function newSerialNumber(): Integer {
  const bytes = randomBytes(20);
  bytes.writeUInt8((bytes.readUInt8(0) & 0x3f) | 0x40, 0);
  return new Integer({ valueHex: plainView(bytes) });
}

/** UTCTime until 2049, GeneralizedTime after it (RFC 5280 section 4.1.2.5). */
function timeOf(value: Date): Time {
  return new Time({ type: value.getUTCFullYear() < 2050 ? 0 : 1, value });
}
