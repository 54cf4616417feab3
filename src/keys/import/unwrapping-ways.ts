import { createDecipheriv } from 'node:crypto';
import { type OaepHash, oaepDecode } from '../../encoding/oaep.js';
import { type Attributes, keyType, objectClass } from '../../token/attributes.js';
import type { ImportedObject, ImportSession } from '../../token/import-session.js';
import type { KeyPermissions } from '../../token/key-templates.js';
import { type MechanismName, mechanismType, plain, rsaOaep } from '../../token/mechanisms.js';
import type { KeyObject } from '../../token/object-handles.js';

/** Key material as it arrives. */
export interface WrappedMaterial {
  /** The RSA private key in the token. */
  readonly wrappingKey: KeyObject;
  readonly modulusBytes: number;
  readonly ciphertext: Buffer;
}

/**
 * Key material on its way into the token: either the token makes objects of it and nobody else sees it, or it passes
 * through this service, which overwrites it afterwards.
 */
export type Incoming =
  | { readonly make: (attributes: Attributes) => Promise<ImportedObject> }
  | { readonly plaintext: Buffer };

/** One way to unwrap key material with a token. */
export interface UnwrappingWay {
  /** What the wrapping key may do for it: nothing else is allowed to it. */
  readonly permissions: KeyPermissions;
  /** Mechanisms of other keys. */
  readonly furtherMechanisms: readonly MechanismName[];
  /** What happens outside the token, undefined when nothing does. */
  readonly outside?: string;
  /** True when the key material itself is seen outside the token. */
  readonly discloses: boolean;
  /** @returns undefined when it does not decrypt. @throws TokenError, also when it does not decrypt */
  open(session: ImportSession, wrapped: WrappedMaterial): Promise<Incoming | undefined>;
}

/** How the RSA key gives what it encrypts to this service. */
interface Disclosure {
  readonly permissions: KeyPermissions;
  readonly outside?: string;
  decrypt(session: ImportSession, wrapped: WrappedMaterial, block: Buffer): Promise<Buffer | undefined>;
}

/** The token decodes the padding. */
const decryptOaep = (hash: OaepHash): Disclosure => ({
  permissions: { uses: ['decrypt'], mechanisms: ['RSA_PKCS_OAEP'] },
  decrypt: (session, { wrappingKey, modulusBytes }, block) =>
    session.decrypt(wrappingKey, rsaOaep(hash), block, modulusBytes),
});

/** The token does the RSA operation; the padding is decoded here, in constant time. */
const decryptRaw = (hash: OaepHash): Disclosure => ({
  permissions: { uses: ['decrypt'], mechanisms: ['RSA_X_509'] },
  outside: 'OAEP padding',
  async decrypt(session, { wrappingKey, modulusBytes }, block) {
    const encoded = await session.decrypt(wrappingKey, plain('RSA_X_509'), block, modulusBytes);
    try {
      return oaepDecode(encoded, hash, modulusBytes);
    } finally {
      encoded.fill(0);
    }
  },
});

const unwrapOaep: KeyPermissions = { uses: ['unwrap'], mechanisms: ['RSA_PKCS_OAEP'] };

/** An AES key of the client's that encrypts the key material: gone with the session, good for unwrapping only. */
const aesKeyAttributes = (kwp: MechanismName): Attributes => ({
  CKA_CLASS: objectClass.secret,
  CKA_KEY_TYPE: keyType.AES,
  CKA_TOKEN: false,
  CKA_PRIVATE: true,
  CKA_SENSITIVE: true,
  CKA_EXTRACTABLE: false,
  CKA_ENCRYPT: false,
  CKA_DECRYPT: false,
  CKA_UNWRAP: true,
  CKA_ALLOWED_MECHANISMS: [mechanismType[kwp]],
});

const isWholeBlock = ({ ciphertext, modulusBytes }: WrappedMaterial) => ciphertext.length === modulusBytes;

/** Both parts of OAEP(AES key) || AES-KWP(key material); undefined when it cannot be that. */
function partsOf({ ciphertext, modulusBytes }: WrappedMaterial): { block: Buffer; rest: Buffer } | undefined {
  const restBytes = ciphertext.length - modulusBytes;
  // RFC 5649, section 4: two semiblocks of 8 bytes at the least
  if (restBytes < 16 || restBytes % 8 !== 0) return undefined;
  return { block: ciphertext.subarray(0, modulusBytes), rest: ciphertext.subarray(modulusBytes) };
}

const disclosing = (...outside: (string | undefined)[]) => ({
  outside: [...outside, 'passage of the key material'].filter((part) => part !== undefined).join(', '),
  discloses: true,
});

/** RSAES_OAEP: the RSA key encrypts the key material. */
function directWays(hash: OaepHash): UnwrappingWay[] {
  const disclosed = (disclosure: Disclosure): UnwrappingWay => ({
    ...disclosing(disclosure.outside),
    permissions: disclosure.permissions,
    furtherMechanisms: [],
    async open(session, wrapped) {
      if (!isWholeBlock(wrapped)) return undefined;
      const plaintext = await disclosure.decrypt(session, wrapped, wrapped.ciphertext);
      return plaintext && { plaintext };
    },
  });
  return [
    {
      permissions: unwrapOaep,
      furtherMechanisms: [],
      discloses: false,
      async open(session, wrapped) {
        if (!isWholeBlock(wrapped)) return undefined;
        const { wrappingKey, ciphertext } = wrapped;
        return { make: (attributes) => session.unwrap(wrappingKey, rsaOaep(hash), ciphertext, attributes) };
      },
    },
    disclosed(decryptOaep(hash)),
    disclosed(decryptRaw(hash)),
  ];
}

/**
 * RSA_AES_KEY_WRAP: the RSA key encrypts an AES key, and that the key material. PKCS#11 has CKM_RSA_AES_KEY_WRAP for
 * both steps in one; its parameter is a structure with a pointer, which pkcs11js cannot pass on.
 */
function hybridWays(hash: OaepHash): UnwrappingWay[] {
  const kwpMechanisms = ['AES_KEY_WRAP_KWP', 'AES_KEY_WRAP_PAD'] as const;
  const inToken = kwpMechanisms.map(
    (kwp): UnwrappingWay => ({
      permissions: unwrapOaep,
      furtherMechanisms: [kwp],
      discloses: false,
      async open(session, wrapped) {
        const parts = partsOf(wrapped);
        if (parts === undefined) return undefined;
        const aesKey = await session.unwrap(wrapped.wrappingKey, rsaOaep(hash), parts.block, aesKeyAttributes(kwp));
        return { make: (attributes) => session.unwrap(aesKey, plain(kwp), parts.rest, attributes) };
      },
    }),
  );
  const aesKeyDisclosed = [decryptOaep(hash), decryptRaw(hash)].flatMap((disclosure) =>
    kwpMechanisms.map(
      (kwp): UnwrappingWay => ({
        permissions: disclosure.permissions,
        furtherMechanisms: [kwp],
        outside: [disclosure.outside, "passage of the client's AES key"].filter(Boolean).join(', '),
        discloses: false,
        async open(session, wrapped) {
          const parts = partsOf(wrapped);
          const value = parts && (await disclosure.decrypt(session, wrapped, parts.block));
          if (value === undefined) return undefined;
          try {
            const aesKey = session.create({ ...aesKeyAttributes(kwp), CKA_VALUE: value });
            return { make: (attributes) => session.unwrap(aesKey, plain(kwp), parts?.rest as Buffer, attributes) };
          } finally {
            value.fill(0);
          }
        },
      }),
    ),
  );
  const allDisclosed = [decryptOaep(hash), decryptRaw(hash)].map(
    (disclosure): UnwrappingWay => ({
      ...disclosing(disclosure.outside, 'AES key wrap'),
      permissions: disclosure.permissions,
      furtherMechanisms: [],
      async open(session, wrapped) {
        const parts = partsOf(wrapped);
        const aesKey = parts && (await disclosure.decrypt(session, wrapped, parts.block));
        if (aesKey === undefined) return undefined;
        try {
          const plaintext = unwrapKwp(aesKey, parts?.rest as Buffer);
          return plaintext && { plaintext };
        } finally {
          aesKey.fill(0);
        }
      },
    }),
  );
  return [...inToken, ...aesKeyDisclosed, ...allDisclosed];
}

const kwpCiphers: Readonly<Record<number, string>> = {
  16: 'id-aes128-wrap-pad',
  24: 'id-aes192-wrap-pad',
  32: 'id-aes256-wrap-pad',
};
/** Alternative initial value (RFC 5649, section 3). */
const kwpInitialValue = Buffer.from('a65959a6', 'hex');

/** AES-KWP (RFC 5649). @returns undefined when it does not unwrap */
function unwrapKwp(key: Buffer, wrapped: Buffer): Buffer | undefined {
  const cipher = kwpCiphers[key.length];
  if (cipher === undefined) return undefined;
  try {
    const decipher = createDecipheriv(cipher, key, kwpInitialValue);
    const plaintext = decipher.update(wrapped);
    decipher.final();
    return plaintext;
  } catch {
    return undefined;
  }
}

/** The ways in the order of preference: what stays in the token first, then what discloses the least. */
export function unwrappingWays(hash: OaepHash, hybrid: boolean): readonly UnwrappingWay[] {
  return hybrid ? hybridWays(hash) : directWays(hash);
}
