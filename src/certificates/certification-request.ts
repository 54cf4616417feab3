import type { Set as SetOf } from 'asn1js';
import {
  Attribute,
  CertificationRequest,
  Extension,
  Extensions,
  GeneralNames,
  PublicKeyInfo,
  type RelativeDistinguishedNames,
} from 'pkijs';
import { decodeDer, encodeDer, plainView } from '../encoding/der.js';
import { parseDistinguishedName } from './distinguished-name.js';
import { extensionOids, subjectAltName } from './extensions.js';
import { algorithmOfIdentifier, isSignedBy } from './signature-algorithms.js';
import { type Signer, signed } from './signed.js';
import { parseSubjectAltNames } from './subject-alt-names.js';

/** Attribute extensionRequest (RFC 2985 section 5.4.2). */
const extensionRequestOid = '1.2.840.113549.1.9.14';

/** Whom a certificate is about. */
export interface Subject {
  readonly name: RelativeDistinguishedNames;
  readonly altNames: GeneralNames | undefined;
}

/**
 * A subject from its texts.
 *
 * @param name see `parseDistinguishedName`; may be empty where there are alternative names
 * @param altNames see `parseSubjectAltNames`
 * @throws Error with a sentence that says what to type
 */
export function subjectOf(name: string, altNames: readonly string[] = []): Subject {
  const subject = { name: parseDistinguishedName(name), altNames: parseSubjectAltNames(altNames) };
  if (subject.name.typesAndValues.length === 0 && subject.altNames === undefined) {
    throw new Error('A subject has a name, as in "CN=app.example.com", or alternative names.');
  }
  return subject;
}

/**
 * A certification request (PKCS#10, RFC 2986), for a CA elsewhere.
 *
 * @returns DER
 * @throws Error with a sentence; what the signer throws
 */
export function makeCertificationRequest({ name, altNames }: Subject, signer: Signer): Promise<Buffer> {
  const requested = altNames && [subjectAltName(altNames, name.typesAndValues.length === 0)];
  const request = new CertificationRequest({
    version: 0,
    subject: name,
    subjectPublicKeyInfo: PublicKeyInfo.fromBER(plainView(signer.publicKey)),
    attributes: requested
      ? [new Attribute({ type: extensionRequestOid, values: [new Extensions({ extensions: requested }).toSchema()] })]
      : [],
  });
  return signed(request, signer);
}

/** What a certification request asks a certificate for. */
export interface RequestedCertificate {
  readonly subject: Subject;
  /** DER SubjectPublicKeyInfo. */
  readonly publicKey: Buffer;
}

/**
 * Reads a certification request that somebody sent: who made it has the private key, as it is signed with it. Of what it
 * asks for, only its names are taken.
 *
 * @throws Error with a sentence
 */
export function readCertificationRequest(der: Buffer): RequestedCertificate {
  const request = parsed(der);
  const publicKey = encodeDer(request.subjectPublicKeyInfo.toSchema());
  const algorithm = algorithmOfIdentifier(request.signatureAlgorithm);
  const signature = Buffer.from(request.signatureValue.valueBlock.valueHexView);
  if (algorithm === undefined) throw new Error('The request is signed by an algorithm that is not taken here.');
  if (!isSignedBy(publicKey, algorithm, Buffer.from(request.tbsView), signature)) {
    throw new Error('The request is not signed with the key that it is about.');
  }
  return { subject: { name: request.subject, altNames: requestedAltNames(request) }, publicKey };
}

function parsed(der: Buffer): CertificationRequest {
  try {
    if (decodeDer(der) !== undefined) return CertificationRequest.fromBER(plainView(der));
  } catch {
    // what pkijs does not read is refused below
  }
  throw new Error('It is not a certification request (PKCS#10).');
}

function requestedAltNames({ attributes }: CertificationRequest): GeneralNames | undefined {
  const [extensions] = attributes?.find(({ type }) => type === extensionRequestOid)?.values ?? [];
  if (extensions === undefined) return undefined;
  const requested = new Extensions({ schema: extensions as SetOf }).extensions.find(
    ({ extnID }) => extnID === extensionOids.subjectAltName,
  );
  return requested instanceof Extension && requested.parsedValue
    ? GeneralNames.fromBER(requested.extnValue.valueBlock.valueHexView.slice())
    : undefined;
}
