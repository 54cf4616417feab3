/** What of a token a PKCS#11 URI can name (RFC 7512, 2.3, path attributes); what is left out is not asked for. */
export interface TokenAttributes {
  readonly label?: string;
  readonly serialNumber?: string;
  readonly manufacturer?: string;
  readonly model?: string;
  readonly slotId?: number;
  readonly slotDescription?: string;
  readonly slotManufacturer?: string;
  readonly libraryDescription?: string;
  readonly libraryManufacturer?: string;
  /** As "3" or "3.1"; "3" is 3.0. */
  readonly libraryVersion?: string;
}

/** A PKCS#11 URI that names a token. */
export interface Pkcs11Uri {
  readonly token: TokenAttributes;
  /** Path of the module, or of a directory that holds the module named moduleName. */
  readonly modulePath?: string;
  /** Name of the module without its path, `lib` and `.so`. */
  readonly moduleName?: string;
  /** Path of the file that holds the PIN. */
  readonly pinFile?: string;
}

/** A text that is no PKCS#11 URI of a token; the message is a clause that says why, for a person. */
export class Pkcs11UriError extends Error {
  override readonly name = 'Pkcs11UriError';
}

/** Path attribute -> what it names. */
const tokenAttributes = {
  token: 'label',
  serial: 'serialNumber',
  manufacturer: 'manufacturer',
  model: 'model',
  'slot-id': 'slotId',
  'slot-description': 'slotDescription',
  'slot-manufacturer': 'slotManufacturer',
  'library-description': 'libraryDescription',
  'library-manufacturer': 'libraryManufacturer',
  'library-version': 'libraryVersion',
} as const satisfies Record<string, keyof TokenAttributes>;

/** Path attributes of objects in a token: keys are found by what the database says of them. */
const objectAttributes: readonly string[] = ['object', 'type', 'id'];

/** Characters that stand for themselves, besides %XX (RFC 7512, 2.3: pk11-pchar, pk11-qchar). */
const pathValue = /^(?:[\w.~:[\]@!$'()*+,=&-]|%[\dA-Fa-f]{2})*$/;
const queryValue = /^(?:[\w.~:[\]@!$'()*+,=/?|-]|%[\dA-Fa-f]{2})*$/;
const attributeName = /^[\w-]+$/;
const version = /^\d{1,3}(?:\.\d{1,3})?$/;
const wholeNumber = /^\d{1,15}$/;

/**
 * A `pkcs11:` URI as RFC 7512 has it, of a token. Attributes of the path that nobody knows are refused, as ignoring them
 * could choose another token than was meant; unknown (vendor) attributes of the query are ignored, as RFC 7512 has it.
 *
 * @throws Pkcs11UriError
 */
export function parsePkcs11Uri(text: string): Pkcs11Uri {
  if (!/^pkcs11:/i.test(text)) throw new Pkcs11UriError('is no PKCS#11 URI, as in pkcs11:token=NAME;serial=NUMBER');
  const rest = text.slice('pkcs11:'.length);
  const question = rest.indexOf('?');
  const path = question < 0 ? rest : rest.slice(0, question);
  const query = question < 0 ? '' : rest.slice(question + 1);
  return { token: tokenOf(attributesOf(path, ';', pathValue)), ...placesOf(attributesOf(query, '&', queryValue)) };
}

/** Name -> decoded value. @throws Pkcs11UriError also for names that come twice, but for those of vendors */
function attributesOf(text: string, separator: string, value: RegExp): Map<string, string> {
  const found = new Map<string, string>();
  for (const attribute of text === '' ? [] : text.split(separator)) {
    const equals = attribute.indexOf('=');
    const name = attribute.slice(0, Math.max(equals, 0));
    if (!attributeName.test(name)) {
      throw new Pkcs11UriError(`has ${JSON.stringify(attribute)} where name=value is expected`);
    }
    const encoded = attribute.slice(equals + 1);
    if (!value.test(encoded)) {
      throw new Pkcs11UriError(`has a character in ${name} that must be written as % and two hexadecimal digits`);
    }
    if (found.has(name) && !(separator === '&' && isVendorQuery(name))) {
      throw new Pkcs11UriError(`has the attribute ${name} twice`);
    }
    found.set(name, decoded(name, encoded));
  }
  return found;
}

function decoded(name: string, encoded: string): string {
  try {
    return decodeURIComponent(encoded);
  } catch (error) {
    throw new Pkcs11UriError(`has a value of ${name} that is no UTF-8`, { cause: error });
  }
}

function tokenOf(attributes: ReadonlyMap<string, string>): TokenAttributes {
  const token: Record<string, string | number> = {};
  for (const [name, value] of attributes) {
    if (objectAttributes.includes(name)) {
      throw new Pkcs11UriError(`names an object (${name}): here it names a token only, so leave ${name} out`);
    }
    if (!isTokenAttribute(name)) {
      const known = Object.keys(tokenAttributes).join(', ');
      throw new Pkcs11UriError(`has the unknown attribute ${name}: a token is named by ${known}`);
    }
    if (name === 'slot-id' && !wholeNumber.test(value)) throw new Pkcs11UriError('has a slot-id that is no number');
    if (name === 'library-version' && !version.test(value)) {
      throw new Pkcs11UriError('has a library-version that is not of the form 3 or 3.1');
    }
    token[tokenAttributes[name]] = name === 'slot-id' ? Number(value) : value;
  }
  return token;
}

function isTokenAttribute(name: string): name is keyof typeof tokenAttributes {
  return Object.hasOwn(tokenAttributes, name);
}

const queryAttributes = ['pin-source', 'pin-value', 'module-name', 'module-path'];

function isVendorQuery(name: string): boolean {
  return !queryAttributes.includes(name);
}

function placesOf(attributes: ReadonlyMap<string, string>): Omit<Pkcs11Uri, 'token'> {
  if (attributes.has('pin-value')) {
    throw new Pkcs11UriError(
      'has a pin-value, which would put the PIN into the configuration: put it into a file and name that by pin-source=file:/path',
    );
  }
  const pinSource = attributes.get('pin-source');
  const modulePath = attributes.get('module-path');
  const moduleName = attributes.get('module-name');
  if (modulePath === '') throw new Pkcs11UriError('has an empty module-path');
  if (moduleName !== undefined && !/^[^/]+$/.test(moduleName)) {
    throw new Pkcs11UriError('has a module-name that is no name of a library: paths go into module-path');
  }
  return {
    ...(modulePath !== undefined && { modulePath }),
    ...(moduleName !== undefined && { moduleName }),
    ...(pinSource !== undefined && { pinFile: fileOf(pinSource) }),
  };
}

/** The path of a pin-source: a `file:` URI of this machine, or an absolute path. */
function fileOf(source: string): string {
  const path = /^file:(?:\/\/(?:localhost)?)?(\/(?!\/).*)$/i.exec(source)?.[1] ?? source;
  if (!path.startsWith('/')) {
    throw new Pkcs11UriError('has a pin-source that is no file of this machine, as in pin-source=file:/path');
  }
  return path;
}

const reserved = /[^\w.~:[\]@!$'()*+,=-]/g;
const encode = (text: string) =>
  Array.from(Buffer.from(text))
    .map((byte) => String.fromCharCode(byte).replace(reserved, () => `%${byte.toString(16).padStart(2, '0')}`))
    .join('');

/** The URI of a token, in the order of RFC 7512's grammar; `parsePkcs11Uri` gives the same attributes back. */
export function formatPkcs11Uri(token: TokenAttributes): string {
  const attributes = Object.entries(tokenAttributes).flatMap(([name, member]) => {
    const value = token[member];
    return value === undefined ? [] : [`${name}=${encode(String(value))}`];
  });
  return `pkcs11:${attributes.join(';')}`;
}
