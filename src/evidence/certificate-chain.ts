import { X509Certificate } from 'node:crypto';
import { Certificate } from 'pkijs';
import { type CaExtensions, readCaExtensions } from '../certificates/extensions.js';
import { plainView } from '../encoding/der.js';

/** All certificates in a text in PEM (RFC 7468), in their order. @throws Error with a sentence for what is not one */
export function certificatesOf(text: string): X509Certificate[] {
  const blocks = text.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return blocks.map((block) => {
    try {
      const certificate = new X509Certificate(block);
      // throws for keys that this OpenSSL does not know
      void certificate.publicKey;
      return certificate;
    } catch (cause) {
      throw new Error(
        'One of the certificates cannot be read (X.509 in PEM), or is about a key of a kind that is not known here.',
        { cause },
      );
    }
  });
}

/** anyExtendedKeyUsage (RFC 5280, 4.2.1.12), id-kp-documentSigning (RFC 9336). */
const purposesOfEvidence: readonly string[] = ['2.5.29.37.0', '1.3.6.1.5.5.7.3.36'];
/** More than CAs have beneath each other. */
const longestChain = 8;

/** What is wrong with a chain; undefined when nothing is. */
type Fault = string | undefined;

/**
 * Whether a certificate is trusted: it is about the key of an anchor, or issued by one over certificates of CAs, all of
 * them valid at a time, and with no more CAs beneath one than it may have. Revocation is not looked at: that would take a network.
 *
 * @param chain the certificate first, then those that issued it
 * @param anchors what is trusted
 * @returns a sentence that says why not
 */
export function faultOfChain(chain: readonly X509Certificate[], anchors: readonly X509Certificate[], at: Date): Fault {
  const [leaf, ...intermediates] = chain;
  if (leaf === undefined) return 'There is no certificate.';
  const purposes = leaf.keyUsage;
  if (purposes && !purposes.some((each) => purposesOfEvidence.includes(each))) {
    return `The certificate ${nameOf(leaf)} was issued for other purposes than evidence (its extended key usage is ${purposes.join(', ')}).`;
  }
  if (!extensionsOf(leaf).maySign) {
    return `The certificate ${nameOf(leaf)} is not for signatures (its key usage has neither digitalSignature nor nonRepudiation).`;
  }
  let current = leaf;
  for (let depth = 0; depth < longestChain; depth++) {
    const invalid = faultOfTime(current, at) ?? faultOfExtensions(current);
    if (invalid) return invalid;
    // one whose key is trusted already may have been certified anew
    if (anchors.some(({ publicKey }) => publicKey.equals(current.publicKey))) return undefined;
    const issuer = [...anchors, ...intermediates].find(
      (each) => each !== current && isIssuedBy(current, each) && (extensionsOf(each).pathLength ?? depth) >= depth,
    );
    if (issuer === undefined) {
      return `The certificate ${nameOf(current)} is not trusted: it is not in the file of --trust, nor issued by a CA that is.`;
    }
    current = issuer;
  }
  return 'The chain of certificates is too long.';
}

function isIssuedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function extensionsOf({ raw }: X509Certificate): CaExtensions {
  return readCaExtensions(Certificate.fromBER(plainView(raw)).extensions);
}

/** Name constraints and the like would have to be obeyed. */
function faultOfExtensions(certificate: X509Certificate): Fault {
  const { notUnderstood } = extensionsOf(certificate);
  if (notUnderstood.length === 0) return undefined;
  return `The certificate ${nameOf(certificate)} has a critical extension that is not understood here (${notUnderstood.join(', ')}).`;
}

function faultOfTime(certificate: X509Certificate, at: Date): Fault {
  const { validFrom, validTo } = certificate;
  if (at >= new Date(validFrom) && at <= new Date(validTo)) return undefined;
  return `The certificate ${nameOf(certificate)} was not valid at ${at.toISOString()}: it is from ${validFrom} to ${validTo}.`;
}

/** Its subject in one line. */
export function nameOf({ subject }: X509Certificate): string {
  return JSON.stringify((subject ?? '').split('\n').join(', '));
}
