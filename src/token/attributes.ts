import type pkcs11 from 'pkcs11js';

type AttributeKind = 'boolean' | 'ulong' | 'bytes' | 'text' | 'mechanisms';

/** The object attributes that this service sets or reads: PKCS#11 name -> number and kind of value (PKCS#11 v3.0, 4). */
const attributeTable = {
  CKA_CLASS: [0x000, 'ulong'],
  CKA_TOKEN: [0x001, 'boolean'],
  CKA_PRIVATE: [0x002, 'boolean'],
  CKA_LABEL: [0x003, 'text'],
  CKA_UNIQUE_ID: [0x004, 'text'],
  CKA_VALUE: [0x011, 'bytes'],
  CKA_TRUSTED: [0x086, 'boolean'],
  CKA_KEY_TYPE: [0x100, 'ulong'],
  CKA_SUBJECT: [0x101, 'bytes'],
  CKA_ID: [0x102, 'bytes'],
  CKA_SENSITIVE: [0x103, 'boolean'],
  CKA_ENCRYPT: [0x104, 'boolean'],
  CKA_DECRYPT: [0x105, 'boolean'],
  CKA_WRAP: [0x106, 'boolean'],
  CKA_UNWRAP: [0x107, 'boolean'],
  CKA_SIGN: [0x108, 'boolean'],
  CKA_SIGN_RECOVER: [0x109, 'boolean'],
  CKA_VERIFY: [0x10a, 'boolean'],
  CKA_VERIFY_RECOVER: [0x10b, 'boolean'],
  CKA_DERIVE: [0x10c, 'boolean'],
  CKA_START_DATE: [0x110, 'text'],
  CKA_END_DATE: [0x111, 'text'],
  CKA_MODULUS: [0x120, 'bytes'],
  CKA_MODULUS_BITS: [0x121, 'ulong'],
  CKA_PUBLIC_EXPONENT: [0x122, 'bytes'],
  CKA_PRIVATE_EXPONENT: [0x123, 'bytes'],
  CKA_PRIME_1: [0x124, 'bytes'],
  CKA_PRIME_2: [0x125, 'bytes'],
  CKA_EXPONENT_1: [0x126, 'bytes'],
  CKA_EXPONENT_2: [0x127, 'bytes'],
  CKA_COEFFICIENT: [0x128, 'bytes'],
  CKA_PUBLIC_KEY_INFO: [0x129, 'bytes'],
  CKA_VALUE_LEN: [0x161, 'ulong'],
  CKA_EXTRACTABLE: [0x162, 'boolean'],
  CKA_LOCAL: [0x163, 'boolean'],
  CKA_NEVER_EXTRACTABLE: [0x164, 'boolean'],
  CKA_ALWAYS_SENSITIVE: [0x165, 'boolean'],
  CKA_KEY_GEN_MECHANISM: [0x166, 'ulong'],
  CKA_MODIFIABLE: [0x170, 'boolean'],
  CKA_COPYABLE: [0x171, 'boolean'],
  CKA_DESTROYABLE: [0x172, 'boolean'],
  CKA_EC_PARAMS: [0x180, 'bytes'],
  CKA_EC_POINT: [0x181, 'bytes'],
  CKA_ALWAYS_AUTHENTICATE: [0x202, 'boolean'],
  CKA_WRAP_WITH_TRUSTED: [0x210, 'boolean'],
  CKA_PARAMETER_SET: [0x61d, 'ulong'],
  CKA_SEED: [0x637, 'bytes'],
  CKA_ALLOWED_MECHANISMS: [0x40000600, 'mechanisms'],
} as const satisfies Record<string, readonly [number, AttributeKind]>;

export type AttributeName = keyof typeof attributeTable;

export const attributeNames = Object.keys(attributeTable) as readonly AttributeName[];

export function isAttributeName(name: string): name is AttributeName {
  return Object.hasOwn(attributeTable, name);
}

interface ValueOfKind {
  boolean: boolean;
  ulong: number;
  bytes: Buffer;
  text: string;
  mechanisms: readonly number[];
}

export type AttributeValue<N extends AttributeName> = ValueOfKind[(typeof attributeTable)[N][1]];
export type Attributes = { readonly [N in AttributeName]?: AttributeValue<N> };

/** Object classes (PKCS#11 v3.0, 4.2). */
export const objectClass = { public: 2, private: 3, secret: 4 } as const;
export type ObjectClass = keyof typeof objectClass;

/** Key types (PKCS#11 v3.0, appendix B). CKK_EC_EDWARDS and CKK_ML_DSA are newer than pkcs11js's table. */
export const keyType = {
  RSA: 0x00,
  EC: 0x03,
  GENERIC_SECRET: 0x10,
  AES: 0x1f,
  EC_EDWARDS: 0x40,
  ML_DSA: 0x4a,
} as const;

/** Octets of a CK_ULONG on the 64-bit platforms that are supported. */
const ulongBytes = 8;

/**
 * A CK_ATTRIBUTE template for pkcs11js, which aborts the process when a value has the wrong type: the only place that
 * builds one, and it checks each value.
 */
export function template(attributes: Attributes): pkcs11.Template {
  return (Object.entries(attributes) as [AttributeName, unknown][]).map(([name, value]) => {
    const [type, kind] = attributeTable[name];
    return { type, value: encodeValue(name, kind, value) };
  });
}

function encodeValue(name: string, kind: AttributeKind, value: unknown): boolean | number | string | Buffer {
  const fits: Record<AttributeKind, boolean> = {
    boolean: typeof value === 'boolean',
    ulong: Number.isSafeInteger(value) && (value as number) >= 0,
    bytes: Buffer.isBuffer(value),
    text: typeof value === 'string',
    mechanisms: Array.isArray(value) && value.every((each) => Number.isSafeInteger(each) && each >= 0),
  };
  if (!fits[kind]) throw new TypeError(`${name} takes a value of kind ${kind}`);
  return kind === 'mechanisms' ? encodeUlongs(value as number[]) : (value as boolean | number | string | Buffer);
}

function encodeUlongs(values: readonly number[]): Buffer {
  const buffer = Buffer.alloc(values.length * ulongBytes);
  values.forEach((value, index) => {
    buffer.writeBigUInt64LE(BigInt(value), index * ulongBytes);
  });
  return buffer;
}

const decoders: { [K in AttributeKind]: (value: Buffer) => ValueOfKind[K] } = {
  boolean: (value) => value[0] !== 0,
  ulong: (value) => Number(value.readBigUInt64LE(0)),
  bytes: (value) => value,
  text: (value) => value.toString('utf8'),
  mechanisms: (value) =>
    Array.from({ length: value.length / ulongBytes }, (_, index) => Number(value.readBigUInt64LE(index * ulongBytes))),
};

/**
 * C_GetAttributeValue for the named attributes, decoded.
 *
 * @throws the token's error, for all attributes together: CKR_ATTRIBUTE_SENSITIVE, CKR_ATTRIBUTE_TYPE_INVALID
 */
export function readAttributes<N extends AttributeName>(
  cryptoki: pkcs11.PKCS11,
  session: pkcs11.Handle,
  object: pkcs11.Handle,
  names: readonly N[],
): { [K in N]: AttributeValue<K> } {
  const values = cryptoki.C_GetAttributeValue(
    session,
    object,
    names.map((name) => ({ type: attributeTable[name][0] })),
  );
  const entries = names.map((name, index) => {
    const value = values[index]?.value;
    if (!Buffer.isBuffer(value)) throw new TypeError(`${name} came back without a value`);
    return [name, decoders[attributeTable[name][1]](value)];
  });
  return Object.fromEntries(entries);
}
