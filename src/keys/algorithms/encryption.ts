import { additionalData, assemble, type CiphertextBlob, encodeHeader, parse } from '../../encoding/ciphertext-blob.js';
import { encodeEncryptionContext } from '../../encoding/encryption-context.js';
import { type OaepHash, oaepDecode, oaepEncode } from '../../encoding/oaep.js';
import { aesGcm, gcmTagBytes, type MechanismName, plain, rsaOaep } from '../../token/mechanisms.js';
import type { Token } from '../../token/token.js';
import { currentMaterial, type KeyMaterial, type KeyRecord } from '../key-record.js';

export type EncryptionContext = Readonly<Record<string, string>> | undefined;

/** What was found in a ciphertext. */
export interface Decrypted {
  readonly plaintext: Buffer;
  readonly material: KeyMaterial;
}

/** An encryption algorithm, as KMS describes it and as the token does it. */
export interface EncryptionAlgorithm {
  readonly mechanisms: readonly MechanismName[];
  /** Longest plaintext, in bytes. */
  readonly plaintextBytes: number;
  /** True when a ciphertext names its key and binds an encryption context. */
  readonly selfDescribing: boolean;
  /** What of it happens outside the token; undefined when nothing does. */
  readonly outside?: string;
  encrypt(token: Token, key: KeyRecord, plaintext: Buffer, context: EncryptionContext): Promise<Buffer> | Buffer;
  /** Undefined when the ciphertext is not one of this key, this algorithm and this context. */
  decrypt(token: Token, key: KeyRecord, ciphertext: Buffer, context: EncryptionContext): Promise<Decrypted | undefined>;
}

const headers = new WeakMap<KeyMaterial, Buffer>();

function headerOf(key: KeyRecord, material: KeyMaterial): Buffer {
  const known = headers.get(material);
  if (known) return known;
  const header = encodeHeader(key.id, material.id);
  headers.set(material, header);
  return header;
}

/** AES-256-GCM with a random IV from the token; the header and the encryption context are authenticated. */
export const aes256Gcm: EncryptionAlgorithm = {
  mechanisms: ['AES_GCM'],
  plaintextBytes: 4096,
  selfDescribing: true,

  async encrypt(token, key, plaintext, context) {
    const material = currentMaterial(key);
    const header = headerOf(key, material);
    const iv = token.newGcmIv();
    const sealed = await token.encrypt(
      {
        key: material.objects.secret,
        mechanism: aesGcm(iv, additionalData(header, encodeEncryptionContext(context))),
        outputBytes: plaintext.length + gcmTagBytes,
      },
      plaintext,
    );
    return assemble(header, token.usedGcmIv(iv), sealed);
  },

  async decrypt(token, key, ciphertext, context) {
    const blob: CiphertextBlob | undefined = parse(ciphertext);
    const material = blob?.keyId === key.id ? key.materials.get(blob.keyMaterialId) : undefined;
    if (blob === undefined || material === undefined) return undefined;
    const plaintext = await token.decrypt(
      {
        key: material.objects.secret,
        mechanism: aesGcm(blob.iv, additionalData(blob.header, encodeEncryptionContext(context))),
        outputBytes: blob.sealed.length,
      },
      blob.sealed,
    );
    return plaintext && { plaintext, material };
  },
};

const oaepOverhead = { sha1: 42, sha256: 66 } as const;

/** RSAES_OAEP with MGF1 over the same hash and an empty label, all of it in the token. */
export const oaep = (hash: OaepHash, modulusBits: number): EncryptionAlgorithm => ({
  mechanisms: ['RSA_PKCS_OAEP'],
  plaintextBytes: modulusBits / 8 - oaepOverhead[hash],
  selfDescribing: false,

  encrypt(token, key, plaintext) {
    return token.encrypt(
      {
        key: currentMaterial(key).objects.public,
        mechanism: rsaOaep(hash),
        outputBytes: modulusBits / 8,
      },
      plaintext,
    );
  },

  async decrypt(token, key, ciphertext) {
    if (ciphertext.length !== modulusBits / 8) return undefined;
    const material = currentMaterial(key);
    const plaintext = await token.decrypt(
      {
        key: material.objects.private,
        mechanism: rsaOaep(hash),
        outputBytes: modulusBits / 8,
        slow: true,
      },
      ciphertext,
    );
    return plaintext && { plaintext, material };
  },
});

/**
 * RSAES_OAEP for tokens that have no OAEP with this hash: the RSA operation is in the token (CKM_RSA_X_509), the
 * padding, in constant time, is not. The one split that this service makes; the setting splitOaep forbids it.
 */
export const oaepSplit = (hash: OaepHash, modulusBits: number): EncryptionAlgorithm => ({
  ...oaep(hash, modulusBits),
  mechanisms: ['RSA_X_509'],
  outside: 'OAEP padding',

  async encrypt(token, key, plaintext) {
    const modulusBytes = modulusBits / 8;
    const block = oaepEncode(plaintext, hash, modulusBytes, token.random(hash === 'sha1' ? 20 : 32));
    try {
      return await token.encrypt(
        {
          key: currentMaterial(key).objects.public,
          mechanism: plain('RSA_X_509'),
          outputBytes: modulusBytes,
        },
        block,
      );
    } finally {
      block.fill(0);
    }
  },

  async decrypt(token, key, ciphertext) {
    const modulusBytes = modulusBits / 8;
    if (ciphertext.length !== modulusBytes) return undefined;
    const material = currentMaterial(key);
    const block = await token.decrypt(
      {
        key: material.objects.private,
        mechanism: plain('RSA_X_509'),
        outputBytes: modulusBytes,
        slow: true,
      },
      ciphertext,
    );
    if (block === undefined) return undefined;
    const plaintext = oaepDecode(block, hash, modulusBytes);
    block.fill(0);
    return plaintext && { plaintext, material };
  },
});
