import type { TlsClient } from '../config/tls-clients.js';
import { KmsError } from '../contract/kms-error.js';
import { type IpRange, isInRange, parseIpAddress, parseIpRange } from './policy/ip-ranges.js';
import { compilePattern, type TextTest, wildcardPattern } from './policy/wildcards.js';

/** A client certificate that was verified when its connection was made. */
export interface ClientCertificate {
  /** SHA-256, 64 hexadecimal digits in lower case. */
  readonly fingerprint: string;
  /** CN of the subject; undefined when it has none or several. */
  readonly commonName: string | undefined;
  /** DNS:app.example.com, URI:spiffe://... */
  readonly subjectAltNames: readonly string[];
  /** When its validity ends, in milliseconds since the epoch. */
  readonly validTo: number;
}

/** Who makes a request, as far as these rules look. */
interface RuledPrincipal {
  readonly arn: string;
  /** Of a role's session: the ARN of the role. */
  readonly roleArn?: string | undefined;
}

/** Where a request comes from. */
export interface ClientConnection {
  readonly certificate: ClientCertificate | undefined;
  /** IP address of the other end. */
  readonly address: string;
}

interface Rule {
  readonly names: (certificate: ClientCertificate) => boolean;
  readonly principals: readonly TextTest[];
  readonly sources: readonly IpRange[] | undefined;
}

/**
 * The setting tlsClients: which client certificates may act for which principals, from where.
 *
 * - A principal that any rule names is used only over a connection with a certificate, and from an address, of one of
 *   its rules.
 * - A certificate that any rule names acts only for the principals of its rules.
 * - A certificate that no rule names is as good as none.
 */
export class ClientCertificates {
  private readonly rules: readonly Rule[];

  constructor(clients: readonly TlsClient[]) {
    this.rules = clients.map(compile);
  }

  /**
   * Checks a request whose signature has been verified.
   *
   * @param now milliseconds since the epoch: a connection may outlive the certificate that it was made with
   * @throws KmsError AccessDeniedException
   */
  check(principal: RuledPrincipal, connection: ClientConnection, now: number = Date.now()): void {
    if (this.rules.length === 0) return;
    const { address } = connection;
    const certificate =
      connection.certificate && connection.certificate.validTo > now ? connection.certificate : undefined;
    const named = this.rules.filter((rule) => namesPrincipal(rule, principal));
    const ofCertificate = certificate === undefined ? [] : this.rules.filter(({ names }) => names(certificate));
    if (named.length === 0 && ofCertificate.length === 0) return;
    if (ofCertificate.some((rule) => named.includes(rule) && isFrom(rule, address))) return;
    throw new KmsError(
      'AccessDeniedException',
      `User: ${principal.arn} is not authorized to use this connection: its client certificate and source address do not allow it`,
      { cause: { address, fingerprint: certificate?.fingerprint, commonName: certificate?.commonName } },
    );
  }
}

function compile({ fingerprint, commonName, subjectAltName, principals, sourceAddresses }: TlsClient): Rule {
  return {
    names: (certificate) =>
      (fingerprint === undefined || certificate.fingerprint === fingerprint) &&
      (commonName === undefined || certificate.commonName === commonName) &&
      (subjectAltName === undefined || certificate.subjectAltNames.includes(subjectAltName)),
    principals: principals.map((pattern) => compilePattern(wildcardPattern(pattern))),
    sources: sourceAddresses?.map((text) => {
      const range = parseIpRange(text);
      if (range === undefined) throw new Error(`${text} is no range of addresses`);
      return range;
    }),
  };
}

function namesPrincipal({ principals }: Rule, { arn, roleArn }: RuledPrincipal): boolean {
  return principals.some((matches) => matches(arn) || (roleArn !== undefined && matches(roleArn)));
}

/** An address that cannot be read is from nowhere. */
function isFrom({ sources }: Rule, text: string): boolean {
  if (sources === undefined) return true;
  const address = parseIpAddress(text);
  return address !== undefined && sources.some((range) => isInRange(range, address));
}
