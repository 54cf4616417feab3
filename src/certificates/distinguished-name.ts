import { IA5String, PrintableString, Sequence, Set as SetOf, Utf8String } from 'asn1js';
import { AttributeTypeAndValue, RelativeDistinguishedNames } from 'pkijs';

/** What a name may be made of: object identifier, type of string, longest value (RFC 5280 appendix A.1). */
interface AttributeType {
  readonly oid: string;
  readonly longest: number;
  readonly string?: typeof PrintableString | typeof IA5String;
  /** Where a string type is not all there is to say. */
  readonly pattern?: RegExp;
}

const attributeTypes: Readonly<Record<string, AttributeType>> = {
  CN: { oid: '2.5.4.3', longest: 64 },
  SN: { oid: '2.5.4.4', longest: 32768 },
  serialNumber: { oid: '2.5.4.5', longest: 64, string: PrintableString },
  C: { oid: '2.5.4.6', longest: 2, string: PrintableString, pattern: /^[A-Za-z]{2}$/ },
  L: { oid: '2.5.4.7', longest: 128 },
  ST: { oid: '2.5.4.8', longest: 128 },
  street: { oid: '2.5.4.9', longest: 128 },
  O: { oid: '2.5.4.10', longest: 64 },
  OU: { oid: '2.5.4.11', longest: 64 },
  title: { oid: '2.5.4.12', longest: 64 },
  organizationIdentifier: { oid: '2.5.4.97', longest: 64 },
  GN: { oid: '2.5.4.42', longest: 32768 },
  DC: { oid: '0.9.2342.19200300.100.1.25', longest: 63, string: IA5String },
  UID: { oid: '0.9.2342.19200300.100.1.1', longest: 256 },
  emailAddress: { oid: '1.2.840.113549.1.9.1', longest: 255, string: IA5String },
};
const typeNames = Object.keys(attributeTypes);

/** One attribute of a name, with `\,` and the like in it. */
const attribute = /\s*([A-Za-z]+)\s*=\s*((?:\\[\s\S]|[^\\,])*)(,|$)/y;
/** What stands for a character in RFC 4514 section 2.4: two hexadecimal digits for a byte, or the character itself. */
const escaped = /((?:\\[\dA-Fa-f]{2})+)|\\(.)/gsu;
const printable = /^[A-Za-z\d '()+,./:=?-]*$/;
const ascii = /^[\x20-\x7e]*$/;

/**
 * A name from its text: `CN=app.example.com, O=Example, C=DE` (RFC 4514), the most specific part first, as LDAP and
 * `openssl x509 -nameopt RFC2253` have it; in the certificate the parts stand the other way round.
 *
 * @throws Error with a sentence that says what to type
 */
export function parseDistinguishedName(text: string): RelativeDistinguishedNames {
  const parts: AttributeTypeAndValue[] = [];
  attribute.lastIndex = 0;
  let more = text.trim() !== '';
  while (more) {
    const [, type = '', value = '', end] = attribute.exec(text) ?? [];
    if (type === '') {
      throw new Error(
        `${JSON.stringify(text)} is not a name as in "CN=app.example.com, O=Example, C=DE"; a comma within a value is written \\,.`,
      );
    }
    parts.push(attributeOf(type, unescaped(value)));
    more = end === ',';
  }
  // pkijs itself would write them as one part with several attributes
  const sequence = new Sequence({ value: parts.reverse().map((part) => new SetOf({ value: [part.toSchema()] })) });
  return RelativeDistinguishedNames.fromBER(sequence.toBER());
}

/**
 * Controls (U+0000 ends a name for some readers), characters that turn the order of others, and what was no UTF-8: who
 * reads such a name reads another than who compares it.
 */
const unseen = /[\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069\ufffd]/u;

/** @throws Error with a sentence for a name that cannot be read as it is, which a request may hold */
export function expectReadable({ typesAndValues }: RelativeDistinguishedNames): void {
  for (const { value } of typesAndValues) {
    const { value: text } = value.valueBlock as { readonly value?: unknown };
    if (typeof text === 'string' && unseen.test(text)) {
      throw new Error(
        `The name holds ${JSON.stringify(visible(text))}, with characters that are not seen: say by --subject which name the certificate is to have.`,
      );
    }
  }
}

const visible = (text: string) => text.replace(new RegExp(unseen, 'gu'), '?');

function attributeOf(written: string, value: string): AttributeTypeAndValue {
  const name = typeNames.find((known) => known.toLowerCase() === written.toLowerCase());
  const row = name === undefined ? undefined : attributeTypes[name];
  if (row === undefined) throw new Error(`A name has no ${written}: it is made of ${typeNames.join(', ')}.`);
  const { oid, longest, string: StringType = Utf8String, pattern } = row;
  const characters = [...value].length;
  if (characters === 0 || characters > longest) {
    throw new Error(`${name} of a name has 1 to ${longest} characters, not ${characters}.`);
  }
  const alphabet = pattern ?? (StringType === PrintableString ? printable : StringType === IA5String ? ascii : /^/);
  if (!alphabet.test(value) || unseen.test(value))
    throw new Error(`${name} of a name cannot be ${JSON.stringify(visible(value))}.`);
  return new AttributeTypeAndValue({ type: oid, value: new StringType({ value }) });
}

/** Without the blanks around a value, and with the characters that were escaped. */
function unescaped(value: string): string {
  const trimmed = value.trimStart().replace(/((?:[^\\]|\\[\s\S])*?)\s*$/u, '$1');
  if (/(^|[^\\])[+"<>;]/.test(trimmed.replace(/\\\\/g, '')) || trimmed.startsWith('#')) {
    throw new Error(
      `In the name's value ${JSON.stringify(trimmed)}, write \\ before each of + " < > ; and a leading #.`,
    );
  }
  return trimmed.replace(escaped, (_match, bytes: string | undefined, character: string) =>
    bytes === undefined ? character : Buffer.from(bytes.replaceAll('\\', ''), 'hex').toString('utf8'),
  );
}
