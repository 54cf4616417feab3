import { isIP } from 'node:net';
import { domainToASCII } from 'node:url';
import { OctetString } from 'asn1js';
import { GeneralName, type GeneralNameParameters, GeneralNames } from 'pkijs';

/** A kind of name: the context tag of its GeneralName (RFC 5280 section 4.2.1.6), and what its text stands for. */
type NameKind =
  | { readonly tag: 1 | 2 | 6; readonly value: (text: string) => string | undefined }
  | { readonly tag: 7; readonly value: (text: string) => OctetString | undefined };

const label = /^[a-z\d_]([a-z\d_-]{0,61}[a-z\d_])?$/;

/** By the prefixes that openssl has. Values are undefined for what is no such name. */
const kinds: Readonly<Record<string, NameKind>> = {
  DNS: { tag: 2, value: dnsName },
  IP: { tag: 7, value: addressBytes },
  email: { tag: 1, value: (text) => (/^[\x21-\x7e]+@[\x21-\x7e]+$/.test(text) ? text : undefined) },
  URI: { tag: 6, value: (text) => (/^[\x21-\x7e]+$/.test(text) && URL.canParse(text) ? text : undefined) },
};

/** A host name in A-labels, with a wildcard as its first label perhaps. */
function dnsName(text: string): string | undefined {
  const host = text.startsWith('*.') ? text.slice(2) : text;
  const labels = /^[\x21-\x7e]*$/.test(host) ? host.toLowerCase() : domainToASCII(host);
  if (labels.length > 253 || !labels.split('.').every((part) => label.test(part))) return undefined;
  return text.startsWith('*.') ? `*.${labels}` : labels;
}

function addressBytes(text: string): OctetString | undefined {
  const family = isIP(text);
  if (family === 0 || text.includes('%')) return undefined;
  return new OctetString({ valueHex: new Uint8Array(family === 4 ? text.split('.').map(Number) : ipv6Bytes(text)) });
}

/** The 16 bytes of an IPv6 address, which WHATWG URL brings into its one form of eight groups and one gap. */
function ipv6Bytes(text: string): number[] {
  const [head = '', tail] = new URL(`http://[${text}]`).hostname.slice(1, -1).split('::');
  const groups = (part: string) => (part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16)));
  const front = groups(head);
  const back = groups(tail ?? '');
  const gap = new Array<number>(8 - front.length - back.length).fill(0);
  return [...front, ...gap, ...back].flatMap((group) => [group >> 8, group & 0xff]);
}

/**
 * Alternative names from their text: `DNS:app.example.com,IP:192.0.2.1,email:a@example.com,URI:spiffe://example/app`.
 *
 * @param texts each may hold several, with commas between
 * @throws Error with a sentence that says what to type
 */
export function parseSubjectAltNames(texts: readonly string[]): GeneralNames | undefined {
  const written = texts.flatMap((text) => text.split(',')).map((text) => text.trim());
  return written.length === 0 ? undefined : new GeneralNames({ names: written.map(generalName) });
}

/**
 * Whether names are of the kinds that are written here, and have their form: a request may hold a DNS name with U+0000,
 * which some readers take for its end.
 */
export function areWellFormed({ names }: GeneralNames): boolean {
  return names.every(({ type, value }) => {
    if (type === 7) return value instanceof OctetString && [4, 16].includes(value.valueBlock.valueHexView.length);
    const kind = Object.values(kinds).find(({ tag }) => tag === type);
    return typeof value === 'string' && kind?.value(value) !== undefined;
  });
}

function generalName(text: string): GeneralName {
  const end = text.indexOf(':');
  const prefix = Object.keys(kinds).find(
    (name) => name.toLowerCase() === text.slice(0, Math.max(0, end)).toLowerCase(),
  );
  const kind = prefix === undefined ? undefined : kinds[prefix];
  const value = kind?.value(text.slice(end + 1));
  if (kind === undefined || value === undefined) {
    throw new Error(
      `${JSON.stringify(text)} is not an alternative name as in DNS:app.example.com,IP:192.0.2.1,email:a@example.com,URI:https://example.com/.`,
    );
  }
  return new GeneralName({ type: kind.tag, value } as GeneralNameParameters);
}
