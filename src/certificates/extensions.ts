import { createHash } from 'node:crypto';
import { BitString, OctetString } from 'asn1js';
import {
  AuthorityKeyIdentifier,
  BasicConstraints,
  Extension,
  type Extensions,
  ExtKeyUsage,
  type GeneralNames,
  PublicKeyInfo,
} from 'pkijs';
import { plainView } from '../encoding/der.js';
import { areWellFormed } from './subject-alt-names.js';

/** Object identifiers of certificate extensions (RFC 5280 section 4.2.1). */
export const extensionOids = {
  subjectKeyIdentifier: '2.5.29.14',
  keyUsage: '2.5.29.15',
  subjectAltName: '2.5.29.17',
  basicConstraints: '2.5.29.19',
  authorityKeyIdentifier: '2.5.29.35',
  extKeyUsage: '2.5.29.37',
} as const;

/** Those that whoever looks at a chain here reads, or need not: a subject's other names restrict nothing. */
const understood: readonly string[] = Object.values(extensionOids);

/** What a certificate may be used for beside what its key usage says (RFC 5280 section 4.2.1.12). */
const extendedKeyUsages = {
  serverAuth: '1.3.6.1.5.5.7.3.1',
  clientAuth: '1.3.6.1.5.5.7.3.2',
  codeSigning: '1.3.6.1.5.5.7.3.3',
  emailProtection: '1.3.6.1.5.5.7.3.4',
  timeStamping: '1.3.6.1.5.5.7.3.8',
  OCSPSigning: '1.3.6.1.5.5.7.3.9',
} as const;

/** An extended key usage by the name that RFC 5280 and openssl give it. */
export type ExtendedKeyUsage = keyof typeof extendedKeyUsages;

export const extendedKeyUsageNames = Object.keys(extendedKeyUsages) as ExtendedKeyUsage[];

/** KeyUsage, as bits of its first byte and how many of its last are not used (RFC 5280 section 4.2.1.3). */
const keyUsages = {
  /** digitalSignature */
  endEntity: { bits: 0x80, unusedBits: 7 },
  /** keyCertSign and cRLSign */
  ca: { bits: 0x06, unusedBits: 1 },
} as const;
const keyCertSign = 0x04;
/** digitalSignature, nonRepudiation */
const signing = 0xc0;

function extension(extnID: string, critical: boolean, value: { toBER(): ArrayBuffer }): Extension {
  return new Extension({ extnID, critical, extnValue: value.toBER() });
}

/** @param pathLength how many CAs may follow beneath a CA; undefined for any number */
export function basicConstraints(isCa: boolean, pathLength: number | undefined): Extension {
  const constraints = new BasicConstraints({
    cA: isCa,
    ...(isCa && pathLength !== undefined && { pathLenConstraint: pathLength }),
  });
  return extension(extensionOids.basicConstraints, true, constraints.toSchema());
}

export function keyUsage(isCa: boolean): Extension {
  const { bits, unusedBits } = keyUsages[isCa ? 'ca' : 'endEntity'];
  return extension(extensionOids.keyUsage, true, new BitString({ valueHex: new Uint8Array([bits]), unusedBits }));
}

/** Critical for time stamps alone, which RFC 3161 section 2.3 wants. */
export function extKeyUsage(names: readonly ExtendedKeyUsage[]): Extension {
  const usage = new ExtKeyUsage({ keyPurposes: names.map((name) => extendedKeyUsages[name]) });
  return extension(extensionOids.extKeyUsage, names.join() === 'timeStamping', usage.toSchema());
}

/**
 * Critical where the certificate has no other name (RFC 5280 section 4.2.1.6).
 *
 * @throws Error with a sentence for names that are not written here, which a request may hold; pkijs writes other kinds wrongly
 */
export function subjectAltName(names: GeneralNames, isOnlyName: boolean): Extension {
  if (!areWellFormed(names)) {
    throw new Error(
      'The request asks for alternative names that are no well-formed DNS, IP, email or URI: say by --san which names the certificate is to have.',
    );
  }
  return extension(extensionOids.subjectAltName, isOnlyName, names.toSchema());
}

/** The leftmost 160 bits of the SHA-256 of the BIT STRING subjectPublicKey (RFC 7093 section 2, method 1). */
export function keyIdentifier(spki: Buffer): Buffer {
  const { subjectPublicKey } = PublicKeyInfo.fromBER(plainView(spki));
  return createHash('sha256').update(subjectPublicKey.valueBlock.valueHexView).digest().subarray(0, 20);
}

export function subjectKeyIdentifier(identifier: Buffer): Extension {
  return extension(extensionOids.subjectKeyIdentifier, false, new OctetString({ valueHex: plainView(identifier) }));
}

export function authorityKeyIdentifier(identifier: Buffer): Extension {
  const authority = new AuthorityKeyIdentifier({
    keyIdentifier: new OctetString({ valueHex: plainView(identifier) }),
  });
  return extension(extensionOids.authorityKeyIdentifier, false, authority.toSchema());
}

/** What the extensions of a certificate say of what its key may sign. */
export interface CaExtensions {
  readonly isCa: boolean;
  readonly mayIssue: boolean;
  /** Whether it may sign what is no certificate: digitalSignature or nonRepudiation. */
  readonly maySign: boolean;
  readonly pathLength: number | undefined;
  /** Object identifiers of critical extensions that nobody here reads: whoever does not must refuse it (RFC 5280 section 4.2). */
  readonly notUnderstood: readonly string[];
  /** Its SubjectKeyIdentifier; undefined where it has none. */
  readonly keyIdentifier: Buffer | undefined;
}

/** Reads the extensions of a certificate. */
export function readCaExtensions(extensions: Extensions['extensions'] | undefined): CaExtensions {
  const parsed = (oid: string): unknown => extensions?.find(({ extnID }) => extnID === oid)?.parsedValue;
  const constraints = parsed(extensionOids.basicConstraints);
  const usage = parsed(extensionOids.keyUsage);
  const usageBits = usage instanceof BitString ? (usage.valueBlock.valueHexView[0] ?? 0) : undefined;
  const identifier = parsed(extensionOids.subjectKeyIdentifier);
  const pathLength = constraints instanceof BasicConstraints ? constraints.pathLenConstraint : undefined;
  return {
    isCa: constraints instanceof BasicConstraints && constraints.cA,
    // without the extension there is no restriction
    mayIssue: usageBits === undefined || (usageBits & keyCertSign) !== 0,
    maySign: usageBits === undefined || (usageBits & signing) !== 0,
    notUnderstood: (extensions ?? []).flatMap(({ extnID, critical }) =>
      critical && !understood.includes(extnID) ? [extnID] : [],
    ),
    // one that is not a number here is larger than any chain
    pathLength: typeof pathLength === 'number' ? pathLength : undefined,
    keyIdentifier: identifier instanceof OctetString ? Buffer.from(identifier.valueBlock.valueHexView) : undefined,
  };
}
